/** `multicluster connect`: one root of trust for all clusters, and a gateway by which each is entered. */
import { applyChanges } from '../changes/changes.ts'
import { type Finding, warns } from '../findings.ts'
import { type EntryAddress, type EntryPlan, entryAddress, type GatewayChoice, planEntry } from './entry-gateway.ts'
import { finishTrust } from './finish.ts'
import { inCluster, requireNames } from './members.ts'
import { requireTrustFiles, type TrustFiles } from './trust/choice.ts'
import { planTrust, targetOf, type TrustPlan, unionOf, unknownElsewhere } from './trust/connect-trust.ts'
import { lacks } from './trust/phases.ts'
import { type TrustReport, trustReport } from './trust/report.ts'
import { planCacerts } from './trust/steps.ts'
import { signingFor, type TrustChoice } from './trust/target.ts'
import { bothRoots, newSigner, type Open, renewed, type Traveller, type Way } from './trust/walk.ts'
import {
  type ClusterChanges,
  type ClusterObject,
  type ClusterReading,
  objectsOf,
  planRestarts,
  readClusters,
  runTrust,
  siteOf,
  type TrustRequest,
  type TrustRun,
  type TrustWorld,
  waitingFor,
} from './trust-run.ts'

export interface ConnectRequest extends TrustRequest {
  readonly gateways: ReadonlyMap<string, Required<GatewayChoice>['named']>
  readonly addresses: ReadonlyMap<string, NonNullable<GatewayChoice['address']>>
  readonly port?: number | undefined
  readonly files: TrustFiles
  /** Trust only the new root from now on. */
  readonly finish: boolean
}

/** What was read in a cluster, and what is planned for its gateway. */
interface Planned extends ClusterReading {
  readonly entry: EntryPlan
}

export interface ConnectResult {
  outcome: 'planned' | 'declined' | 'applied' | 'waiting'
  clusters: (TrustReport & { gateway: EntryReport })[]
  objects: ClusterObject[]
  warnings: Finding[]
}

export interface EntryReport extends Partial<EntryAddress> {
  namespace: string
  service: string
}

/** @throws UserError those of `planTrust`, `planEntry` and of the phases, CONSENT_REQUIRED */
export async function connect(request: ConnectRequest, world: TrustWorld): Promise<ConnectResult> {
  const { gateways, addresses, files } = request
  requireNames(world.members, { '--gateway': gateways, '--address': addresses, '--cacerts': files.cacerts })
  const choice = requireTrustFiles(files, world.clock.now())
  const all = await readAll(request, world)
  const { run, root } = request.finish ? await finishTrust(all, request, world) : await joining(all, choice, request, world)
  const done = await runTrust(run, request, world)
  if (typeof done === 'string') return report(done, all, { root, changes: run.changes, open: [] }, world)
  const outcome = done.length === 0 ? 'applied' : 'waiting'
  const after = await readAll(request, world)
  const now = request.finish ? root : (await planTrust(after, choice, world)).root
  return report(outcome, after, { root: now, changes: run.changes, open: done }, world)
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
): Promise<{ run: TrustRun; root: string | undefined }> {
  const trust = await planTrust(all, choice, world)
  const changes = await Promise.all(all.map((one) => inCluster(one, () => changesOf(one, all, trust, world))))
  const run: TrustRun = {
    changes,
    question: 'Connect these clusters?',
    undo: 'kubectl telemetry multicluster cleanup --trust   # to undo it',
    carryOut: async (progress) => {
      for (const { member, entry } of all)
        await inCluster(member, () => applyChanges(member.cluster, entry.changes, progress))
      if (trust.kind === 'shared') return []
      const target = await targetOf(trust, world)
      const site = (one: Planned) => siteOf(one, request, progress, world)
      const travellers = all
        .filter(({ name }) => trust.changing.includes(name))
        .map((one): Traveller => ({
          ...site(one),
          reading: one.reading,
          union: unionOf(one, all, trust.changing, target.root),
          next: () => signingFor(one, { target, machine: trust.machine }, choice, world),
        }))
      return walk({ ...request, root: target.root, travellers, sites: all.map(site) }, unknownElsewhere(all, trust.changing))
    },
  }
  return { run, root: trust.root }
}

/** @param strangers clusters whose former certificates another cluster does not trust */
async function walk(way: Way, strangers: readonly string[]): Promise<Open[]> {
  const open = await bothRoots(way)
  if (open.length > 0) return open
  await newSigner(way)
  return renewed(
    way,
    way.travellers.filter(({ member }) => strangers.includes(member.name)),
  )
}

/** What is written, as far as it is known before: the root may not be made yet. */
async function changesOf(
  one: Planned,
  all: readonly Planned[],
  { changing, root }: TrustPlan,
  world: TrustWorld,
): Promise<ClusterChanges> {
  const { member, mesh, reading, entry } = one
  const { files } = reading.signer
  if (!changing.includes(one.name) || files === undefined) return { member, list: entry.changes }
  const place = { mesh, needs: { ...world, cluster: member.cluster } }
  const lacking = root === undefined ? () => true : lacks(unionOf(one, all, changing, root))
  const when = world.clock.now().toISOString()
  const restarts = await planRestarts(one, reading.proxies.filter(lacking), when)
  const secret = await planCacerts(place, files, root ?? files.roots[0] ?? '')
  return { member, list: [...entry.changes, secret, ...restarts] }
}

async function report(
  outcome: ConnectResult['outcome'],
  all: readonly Planned[],
  { root, changes, open }: { root: string | undefined; changes: readonly ClusterChanges[]; open: readonly Open[] },
  { clock }: TrustWorld,
): Promise<ConnectResult> {
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
  return { outcome, clusters, objects: objectsOf(changes), warnings: [...waitingFor(open), ...addressless(clusters)] }
}

function addressless(clusters: ConnectResult['clusters']): Finding[] {
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
