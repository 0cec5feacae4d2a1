/** What is wrong with a cluster, by what was read there. Pure. */
import { type Finding, fails, notes, warns } from '../findings.ts'
import { sh } from '../shell.ts'
import { REMOTE } from './remote-secrets.ts'
import type { TrustReport } from './trust/report.ts'

/** The status of one cluster. */
export interface ClusterStatus extends TrustReport {
  gateway?: { namespace: string; service: string; address?: string; port?: number; via?: string }
  /** Secrets by which its istiod reads other clusters. */
  remoteSecrets: string[]
}

/** Days that a CA of a cluster must have left. */
const DAYS_LEFT = 30

/** @param connected whether the clusters have a root in common, or are on the way to one */
export function clusterProblems(status: ClusterStatus, { connected }: { connected: boolean }): Finding[] {
  return [
    ...expiry(status),
    ...(connected ? [] : [notShared(status)]),
    ...phase(status, connected),
    ...proxies(status, connected),
    ...gateway(status),
    ...remoteSecrets(status),
  ]
}

function connectAgain({ name, context }: ClusterStatus): string {
  return sh`kubectl telemetry multicluster connect --context ${`${name}=${context}`} --context OTHER`
}

function expiry({ name, signer: { daysLeft } }: ClusterStatus): Finding[] {
  if (daysLeft === undefined || daysLeft >= DAYS_LEFT) return []
  const message = `the CA of cluster ${name} expires in ${daysLeft} days`
  return [fails('SIGNER_EXPIRES', message, 'kubectl telemetry multicluster rotate   # the same contexts')]
}

function notShared(status: ClusterStatus): Finding {
  const message = `cluster ${status.name} does not share a root with the others, so no call across works`
  return fails('TRUST_NOT_SHARED', message, connectAgain(status))
}

function phase(status: ClusterStatus, connected: boolean): Finding[] {
  const { name, proxies: all } = status
  if (status.phase === 'own-root' && connected) return [notShared(status)]
  if (status.phase === 'both-roots') {
    const message = `cluster ${name} trusts both roots, and its former CA still signs: a run was cut off, or waits`
    return [fails('TRUST_UNFINISHED', message, connectAgain(status))]
  }
  if (status.phase !== 'new-signer') return []
  const message = `cluster ${name} still trusts its former root; ${all.renewed} of ${all.total} proxies have a certificate of the new CA`
  return [
    warns('FORMER_ROOT_TRUSTED', message, 'kubectl telemetry multicluster connect --finish   # the same contexts'),
  ]
}

function proxies(status: ClusterStatus, connected: boolean): Finding[] {
  const { total, trusting, unknown } = status.proxies
  const { name } = status
  const lacking = total - unknown.length - trusting
  const [first] = unknown
  return [
    ...(connected && status.phase !== 'own-root' && lacking > 0
      ? [
          fails(
            'TRUST_LACKING',
            `${lacking} of ${total} proxies of cluster ${name} do not trust the root of the mesh`,
            connectAgain(status),
          ),
        ]
      : []),
    ...(first === undefined
      ? []
      : [
          warns(
            'TRUST_UNREAD',
            `which roots ${unknown.length} of ${total} proxies of cluster ${name} trust is not known: ${first.pod} (${first.why})`,
          ),
        ]),
  ]
}

function gateway(status: ClusterStatus): Finding[] {
  const { name, gateway: entry } = status
  if (entry === undefined || entry.address !== undefined) return []
  const message = `the gateway ${entry.namespace}/${entry.service} of cluster ${name} has no pod, or no address by which others reach it`
  return [fails('ENTRY_UNREACHABLE', message, connectAgain(status))]
}

/** How many of them a note names. */
const NAMED = 3

function remoteSecrets({ name, context, istio, remoteSecrets: all }: ClusterStatus): Finding[] {
  if (all.length === 0) return []
  const more = all.length > NAMED ? ` and ${all.length - NAMED} more` : ''
  const message = `istiod of cluster ${name} has credentials of other clusters (${all.slice(0, NAMED).join(', ')}${more}), so it finds their pods itself, and Services of one name in both clusters are one service`
  const look = sh`kubectl --context ${context} -n ${istio.namespace} get secrets -l ${REMOTE}`
  return [notes('REMOTE_SECRETS', message, look)]
}
