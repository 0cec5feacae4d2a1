/** Puts new certificates into Secrets, in place: rehearse, confirm, apply, then look until the gateway serves them. */
import { factsOf } from '../certificates/facts.ts'
import { applyChanges, type Change, type ObjectOutcome, outcomeOf, planChanges, rehearse } from '../changes/changes.ts'
import { Progress } from '../changes/progress.ts'
import type { KubeObject } from '../cluster/cluster.ts'
import type { Secret } from '../cluster/objects.ts'
import { SECRETS } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import type { Dependencies, Warning } from '../world.ts'
import type { HttpsGateway } from './https-gateways.ts'
import { type CertificateReport, isSound, type Reporting, reportOn, secretOf } from './report.ts'
import { requireServable } from './serving-certificate.ts'

/** istiod hands a changed Secret to Envoy in about 100 ms, so asking more often gains nothing. */
const PAUSE = 100

/** A Secret, and what is to be in it. */
export interface NewCertificate {
  gateway: HttpsGateway
  manifest: KubeObject
}

export interface Changing {
  yes: boolean
  dryRun: 'none' | 'client' | 'server'
  /** Milliseconds to wait until the gateway serves what was written. */
  timeout: number
}

export interface CertificatesChanged {
  outcome: 'planned' | 'declined' | 'applied'
  /** As they are afterwards. */
  certificates: CertificateReport[]
  objects: ObjectOutcome[]
  warnings: Warning[]
}

export type ChangingNeeds = Reporting & Pick<Dependencies, 'cluster' | 'terminal'>

/**
 * @param what for the question: `Make a new certificate`
 * @param here what is done on this machine once there is leave: before the first write, and after the last one
 */
export async function changeCertificates(
  what: string,
  wanted: NewCertificate[],
  { yes, dryRun, timeout }: Changing,
  dependencies: ChangingNeeds,
  here: { before?: () => Promise<void>; after?: () => Promise<void> } = {},
): Promise<CertificatesChanged> {
  const { cluster, clock } = dependencies
  for (const { manifest } of wanted) requireServable(manifest as Secret, clock.now())
  const planned = planChanges(
    wanted.map(({ manifest }) => ({ resource: SECRETS, manifest })),
    wanted.flatMap(({ gateway }) => gateway.secret ?? []),
  )
  const changes = dryRun === 'client' ? planned : await rehearse(cluster, planned)
  const now = async (outcome: CertificatesChanged['outcome'], gateways: HttpsGateway[], done: Change[]) => {
    const reports = await Promise.all(gateways.map((gateway) => reportOn(gateway, dependencies)))
    return {
      outcome,
      certificates: reports.map(({ certificate }) => certificate),
      objects: done.map(outcomeOf),
      warnings: reports.flatMap(({ warnings }) => warnings),
    }
  }
  const present = wanted.map(({ gateway }) => gateway)
  if (dryRun !== 'none') return now('planned', present, changes)
  if (!(await confirmed(what, wanted, changes, yes, dependencies))) return now('declined', present, changes)
  await here.before?.()
  const progress = new Progress()
  const applied = await progress.telling(() => applyChanges(cluster, changes, progress))
  const after = present.map((gateway, index) => ({ ...gateway, secret: applied[index]?.after as Secret | undefined }))
  await Promise.all(after.map((gateway) => served(gateway, timeout, dependencies)))
  await here.after?.()
  return now('applied', after, applied)
}

async function confirmed(
  what: string,
  wanted: NewCertificate[],
  changes: Change[],
  yes: boolean,
  { terminal }: ChangingNeeds,
): Promise<boolean> {
  if (yes || changes.every(({ action }) => action === 'unchanged')) return true
  if (!terminal.interactive) {
    const message = `${wanted.length} Secret${wanted.length === 1 ? '' : 's'} would be changed, and there is no terminal to ask on`
    throw new UserError('CONSENT_REQUIRED', message, { suggestions: ['-y', '--dry-run=server   # shows what'] })
  }
  const names = wanted.map(({ gateway }) => `${secretOf(gateway)} (${gateway.hosts.join(', ')})`)
  return terminal.confirm(`${what} in ${names.join(' and ')}?`)
}

/** Until every host is served with what the Secret has, or the time is up; what then is served, the report says. */
async function served(
  { targets, secret }: HttpsGateway,
  timeout: number,
  { prober, clock, terminal }: ChangingNeeds,
): Promise<void> {
  const wanted = factsOf(decoded(secret), clock.now())?.fingerprint
  const started = clock.now().getTime()
  let told = false
  for (;;) {
    const found = await Promise.all(targets.map((target) => prober.servedCertificate(target)))
    if (found.every(({ fingerprint }) => fingerprint === wanted)) return
    const elapsed = clock.now().getTime() - started
    if (elapsed >= timeout) return
    if (!told && elapsed >= 3_000) {
      terminal.note(`waiting until the gateway serves the new certificate (up to ${Math.round(timeout / 1000)} s)`)
      told = true
    }
    await clock.sleep(PAUSE)
  }
}

function decoded(secret: Secret | undefined): string {
  return Buffer.from(secret?.data?.['tls.crt'] ?? '', 'base64').toString()
}

/** Whether the exit code is 0: nothing was declined, and what was written is served where that can be seen. */
export function succeeded({ outcome, warnings }: CertificatesChanged): boolean {
  return outcome !== 'declined' && (outcome === 'planned' || warnings.every(isSound))
}
