/** `multicluster status`: the trust of each cluster, its gateway, the exported services, and what is wrong. */
import type { Pod, Service } from '../cluster/objects.ts'
import { readable } from '../cluster/reading.ts'
import { PODS, SERVICES } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import { asFinding, distinct, type Finding, noneFails } from '../findings.ts'
import { gatewayOf } from '../gateways/find.ts'
import type { AskDns } from '../world.ts'
import { type ClusterStatus, clusterProblems } from './cluster-problems.ts'
import { driftOf } from './drift.ts'
import { entryAddress } from './entry-gateway.ts'
import type { ExportedService } from './exported.ts'
import { exportedBetween } from './exporting/find.ts'
import { inCluster, type Member } from './members.ts'
import { findRecord } from './record.ts'
import { findRemoteSecrets } from './remote-secrets.ts'
import { trustReport } from './trust/report.ts'
import { knownRoot, sharedRoots } from './trust/target.ts'
import { type ClusterReading, readClusters, type TrustWorld } from './trust/trust-run.ts'
import type { Pods } from './verifying/pods.ts'
import type { VerifiedService } from './verifying/result.ts'
import { verifyFromAny } from './verifying/verify-from-any.ts'

export interface MulticlusterStatus {
  clusters: ClusterStatus[]
  services: ServiceStatus[]
  problems: Finding[]
}

export interface ServiceStatus {
  host: string
  service: string
  namespace: string
  in: string[]
  to: string
  ports: number[]
  address: string
  via?: string
  subsets: string[]
  identities: string[]
  dns: string
  /** Left out where nothing could call. */
  hops?: VerifiedService['hops']
}

type Needs = TrustWorld & { pods: Pods; askDns: AskDns }

/** @param needs.members of which each object should be read once: trust, gateways, exports and calls need the same ones */
export async function multiclusterStatus(needs: Needs): Promise<MulticlusterStatus> {
  const read = await Promise.all(needs.members.map((member) => readOne(member, needs)))
  const readings = read.flatMap((one) => ('reading' in one ? [one] : []))
  const unread = read.flatMap((one) => ('finding' in one ? [one.finding] : []))
  const members = readings.map(({ member }) => member)
  const { root, findings } = rootOf(readings)
  const now = needs.clock.now()
  const clusters = await Promise.all(
    readings.map(async ({ member, mesh, reading }) => {
      const [gateway, remoteSecrets] = await Promise.all([gatewayIn(member), findRemoteSecrets(mesh, member.cluster)])
      return { ...trustReport(member, mesh, reading, { root, now }), ...gateway, remoteSecrets }
    }),
  )
  const { services: exported, warnings } = await exportedBetween(members)
  const services = await Promise.all(exported.map((one) => serviceStatus(one, { ...needs, members })))
  const problems = [
    ...unread,
    ...findings,
    ...warnings,
    ...clusters.flatMap((one) => clusterProblems(one, { connected: root !== undefined })),
    ...services.flatMap((one) => one.problems),
  ]
  return { clusters, services: services.map(({ status }) => status), problems: distinct(problems) }
}

/** Whether the exit code is 0. */
export function succeeded({ problems }: MulticlusterStatus): boolean {
  return noneFails(problems)
}

async function readOne(member: Member, needs: Needs): Promise<ClusterReading | { finding: Finding }> {
  try {
    const [one] = await readClusters({ ...needs, members: [member] })
    return one as ClusterReading
  } catch (error) {
    if (error instanceof UserError) return { finding: asFinding(error, 'fails') }
    throw error
  }
}

/** Clusters of two meshes are a problem of the status, not an error. */
function rootOf(readings: readonly ClusterReading[]): { root: string | undefined; findings: Finding[] } {
  try {
    return { root: knownRoot(readings), findings: [] }
  } catch (error) {
    if (error instanceof UserError) return { root: sharedRoots(readings)[0], findings: [asFinding(error, 'fails')] }
    throw error
  }
}

async function gatewayIn(member: Member): Promise<Pick<ClusterStatus, 'gateway'>> {
  const recorded = (await findRecord(member.cluster))?.gateway
  if (recorded === undefined) return {}
  const { namespace, service: name } = recorded
  const place = { namespace, service: name }
  const [service, pods] = await inCluster(member, () =>
    Promise.all([
      readable(member.cluster.get<Service>(SERVICES, { name, namespace })),
      readable(member.cluster.list<Pod>(PODS, { namespace })),
    ]),
  )
  const gateway = service && gatewayOf(service, pods ?? [])
  const found = gateway && (await entryAddress(recorded, gateway, member.cluster))
  return { gateway: { ...place, ...found } }
}

async function serviceStatus(
  exported: ExportedService,
  needs: Needs & { members: readonly Member[] },
): Promise<{ status: ServiceStatus; problems: Finding[] }> {
  const [drift, called] = await Promise.all([driftOf(exported, needs), call(exported, needs)])
  const { service, via } = exported
  const status: ServiceStatus = {
    host: exported.host,
    service: service.name,
    namespace: service.namespace,
    in: exported.from.map(({ cluster }) => cluster),
    to: exported.to,
    ports: exported.ports.map(({ number }) => number),
    address: exported.address,
    ...(via === undefined ? {} : { via: `${via.namespace}/${via.name}` }),
    subsets: exported.subsets.map(({ name }) => name),
    identities: [...exported.identities],
    dns: exported.dns,
    ...(called.hops === undefined ? {} : { hops: called.hops }),
  }
  return { status, problems: [...drift, ...called.problems] }
}

async function call(
  exported: ExportedService,
  needs: Needs & { members: readonly Member[] },
): Promise<{ hops?: VerifiedService['hops']; problems: readonly Finding[] }> {
  try {
    const verified = await verifyFromAny(exported, needs)
    return verified === undefined ? { problems: [] } : { hops: verified.service.hops, problems: verified.problems }
  } catch (error) {
    if (error instanceof UserError) return { problems: [asFinding(error, 'warns')] }
    throw error
  }
}
