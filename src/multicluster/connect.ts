/** `multicluster connect`: one root of trust for all clusters, and a gateway by which each is entered. */
import type { Change, Comparison } from '../changes/changes.ts'
import { SERVICES } from '../cluster/resources.ts'
import { type Finding, warns } from '../findings.ts'
import {
  type EntryAddress,
  type EntryAddressChoice,
  type EntryPlan,
  entryAddress,
  type GatewayChoice,
  planEntry,
  requireOutside,
} from './entry-gateway.ts'
import { type ClusterObject, inCluster, requireNames } from './members.ts'
import { changeRoot } from './trust/change-root.ts'
import { requireTrustFiles, type TrustFiles } from './trust/choice.ts'
import { planTrust } from './trust/connect-trust.ts'
import { finishTrust } from './trust/finish.ts'
import { type TrustReport, trustReport } from './trust/report.ts'
import { knownRoot, type TrustChoice } from './trust/target.ts'
import {
  type ClusterReading,
  comparisonsOf,
  hasWritten,
  objectsOf,
  readClusters,
  runTrust,
  type TrustEnd,
  type TrustRequest,
  type TrustRun,
  type TrustWorld,
} from './trust/trust-run.ts'

export interface ConnectRequest extends TrustRequest {
  readonly gateways: ReadonlyMap<string, Required<GatewayChoice>['named']>
  readonly addresses: ReadonlyMap<string, EntryAddressChoice>
  readonly port?: number | undefined
  readonly files: TrustFiles
  /** Trust only the new root from now on. */
  readonly finish: boolean
}

/** What was read in a cluster, and what is planned for its gateway. */
interface Planned extends ClusterReading {
  readonly entry: EntryPlan
}

interface ConnectedCluster extends TrustReport {
  /** Left out with `--certificates-only`. */
  gateway?: EntryReport
  /** The command that installs Istio, where there is none yet. */
  install?: string
}

export interface ConnectResult {
  outcome: TrustEnd['outcome']
  clusters: ConnectedCluster[]
  objects: ClusterObject[]
  problems: Finding[]
}

export interface ConnectReport {
  result: ConnectResult
  /** For `--diff`. */
  comparisons: Comparison[]
}

export interface EntryReport extends Partial<EntryAddress> {
  namespace: string
  service: string
}

/** @throws UserError those of `requireOutside`, `planTrust`, `planEntry` and of the phases, CONSENT_REQUIRED */
export async function connect(request: ConnectRequest, world: TrustWorld): Promise<ConnectReport> {
  const { gateways, addresses, files } = request
  requireNames(world.members, { '--gateway': gateways, '--address': addresses, '--cacerts': files.cacerts })
  const choice = requireTrustFiles(files, world.clock.now())
  await requireOutside(addresses, world.members)
  const all = await readAll(request, world)
  const { run, root } = request.finish
    ? await finishTrust(all, request, world)
    : await joining(all, choice, request, world)
  const end = await runTrust(run, request, world)
  if (!hasWritten(end.outcome)) return report(end, all, root, world)
  const after = await readAll(request, world)
  return report(end, after, knownRoot(after), world)
}

async function readAll({ gateways, addresses, port }: ConnectRequest, world: TrustWorld): Promise<Planned[]> {
  const all = await readClusters(world)
  return Promise.all(
    all.map((one) =>
      inCluster(one, async () => {
        const choice = { named: gateways.get(one.name), address: addresses.get(one.name), port }
        return { ...one, entry: await planEntry(one.member, one.mesh, choice, world.terminal) }
      }),
    ),
  )
}

async function joining(
  all: readonly Planned[],
  choice: TrustChoice,
  request: ConnectRequest,
  world: TrustWorld,
): Promise<{ run: TrustRun; root: string }> {
  const trust = await planTrust(all, choice, world)
  const first = new Map(all.map(({ name, entry }) => [name, entry.changes]))
  const run = await changeRoot({ all, trust, choice, first, question: 'Connect these clusters?' }, request, world)
  return { run, root: trust.root }
}

async function report(
  { outcome, problems: ended, changes }: TrustEnd,
  all: readonly Planned[],
  root: string | undefined,
  { clock }: TrustWorld,
): Promise<ConnectReport> {
  const clusters = await Promise.all(
    all.map(async ({ member, mesh, reading, entry }) => {
      const { namespace, service } = entry.record.gateway
      const address = await entryAddress(entry.record.gateway, entry.gateway, member.cluster)
      return {
        ...trustReport(member, mesh, reading, { root, now: clock.now() }),
        gateway: { namespace, service, ...address },
      }
    }),
  )
  // Before the port is in the Service, nothing is known of its address.
  const isKnown = (index: number) => hasWritten(outcome) || !all[index]?.entry.changes.some(addsPort)
  const problems = [...ended, ...addressless(clusters.filter((_, index) => isKnown(index)))]
  return { result: { outcome, clusters, objects: objectsOf(changes), problems }, comparisons: comparisonsOf(changes) }
}

function addsPort({ resource }: Change): boolean {
  return resource === SERVICES
}

function addressless(clusters: readonly { name: string; gateway: EntryReport }[]): Finding[] {
  return clusters
    .filter(({ gateway }) => gateway.address === undefined)
    .map(({ name, gateway }) =>
      warns(
        'ENTRY_WITHOUT_ADDRESS',
        `cluster ${name}: the gateway ${gateway.namespace}/${gateway.service} has no address by which other clusters reach it`,
        `--address ${name}=HOST:PORT`,
      ),
    )
}

/** Whether the exit code is 0. */
export function succeeded({ outcome }: Pick<ConnectResult, 'outcome'>): boolean {
  return outcome === 'applied' || outcome === 'planned'
}
