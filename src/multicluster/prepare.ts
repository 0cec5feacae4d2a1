/** `multicluster connect --certificates-only`: clusters without Istio get their CA first, so that istiod signs under the shared root from its start. */
import { type Change, planChanges } from '../changes/changes.ts'
import { planNamespace } from '../changes/namespaces.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { CONNECTING, ownedLabels } from '../cluster/ownership.ts'
import { CONFIG_MAPS } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import { sh } from '../shell.ts'
import { type ConnectReport, type ConnectRequest, connect } from './connect.ts'
import { inCluster, requireNames } from './members.ts'
import { isInstalled, meshToBe } from './mesh.ts'
import { findRecordObject, recordIn, recordObject } from './record.ts'
import { requireTrustFiles } from './trust/choice.ts'
import { planTrust, type TrustPlan } from './trust/connect-trust.ts'
import { trustReport } from './trust/report.ts'
import { keepRoot, requireKey, signingFor, type TrustChoice } from './trust/target.ts'
import {
  applyIn,
  type ClusterChanges,
  type ClusterReading,
  comparisonsOf,
  hasWritten,
  objectsOf,
  planSecret,
  readAnyClusters,
  runTrust,
  type TrustRun,
  type TrustWorld,
} from './trust/trust-run.ts'

export interface WholeConnectRequest extends ConnectRequest {
  readonly certificatesOnly: boolean
}

/** @throws UserError those of `connect` and of `prepareClusters` */
export function connectClusters(request: WholeConnectRequest, world: TrustWorld): Promise<ConnectReport> {
  return request.certificatesOnly ? prepareClusters(request, world) : connect(request, world)
}

/** @throws UserError ISTIO_INSTALLED, NAMESPACE_ENDING, NOT_OURS, MESH_ROOT_ELSEWHERE, CONSENT_REQUIRED, and those of `planTrust` */
async function prepareClusters(request: ConnectRequest, world: TrustWorld): Promise<ConnectReport> {
  const { files } = request
  requireNames(world.members, { '--cacerts': files.cacerts })
  const choice = requireTrustFiles(files, world.clock.now())
  const all = await readAnyClusters(world)
  if (all.every(({ mesh }) => isInstalled(mesh))) throw installedAlready(all, all)
  const trust = await planTrust(all, choice, world)
  const others = all.filter(({ name, mesh }) => isInstalled(mesh) && trust.changing.includes(name))
  if (others.length > 0) throw installedAlready(others, all)
  const run = await planPreparation(all, { trust, choice }, world)
  const end = await runTrust(run, request, world)
  const { outcome, changes, problems } = end
  const after = hasWritten(outcome) ? await readAnyClusters(world) : all
  const result = {
    outcome,
    clusters: after.map((one) => preparedReport(one, trust.root, world)),
    objects: objectsOf(changes),
    problems: [...problems],
  }
  return { result, comparisons: comparisonsOf(changes) }
}

/** @param wrong clusters that have Istio, under no shared root */
function installedAlready(wrong: readonly ClusterReading[], all: readonly ClusterReading[]): UserError {
  const names = wrong.map(({ name }) => name).join(', ')
  const isAll = wrong.length === all.length
  const root = isAll ? '' : ', with a root of its own'
  const message = `cluster ${names} has Istio already${root}; --certificates-only is for clusters without Istio; nothing was changed`
  const missing = all.find(({ mesh }) => !isInstalled(mesh))
  return new UserError('ISTIO_INSTALLED', message, {
    suggestions: [
      ...(missing === undefined ? [] : [`${installCommand(missing)}   # first`]),
      `${connectCommand(all)}   # without --certificates-only: it changes the root in phases`,
    ],
  })
}

async function planPreparation(
  all: readonly ClusterReading[],
  { trust, choice }: { trust: TrustPlan; choice: TrustChoice },
  world: TrustWorld,
): Promise<TrustRun> {
  const { root, key, machine } = trust
  for (const name of trust.changing) requireKey(trust, { name, machine }, choice)
  const changes = await Promise.all(all.map((one) => inCluster(one, () => changesOf(one, { trust, choice }, world))))
  return {
    changes,
    makes: trust.changing.some((name) => !choice.files.has(name)),
    question: 'Give these clusters their CAs?',
    undo: 'kubectl telemetry multicluster cleanup --trust   # to undo it',
    carryOut: async (progress) => {
      if (trust.isNew && key !== undefined) await keepRoot({ root, key }, world.meshRoots)
      for (const one of changes) await applyIn(one, progress)
      return []
    },
  }
}

/** The record comes before the Secret: it has the name that is in the certificate. */
async function changesOf(
  one: ClusterReading,
  { trust, choice }: { trust: TrustPlan; choice: TrustChoice },
  world: TrustWorld,
): Promise<ClusterChanges> {
  const { name, member, mesh, reading } = one
  if (isInstalled(mesh)) return { member, list: [] }
  const { cluster } = member
  const { namespace } = mesh
  const place = { part: CONNECTING, labels: ownedLabels(CONNECTING) }
  const [created, record] = await Promise.all([
    planNamespace(namespace, place, cluster),
    planRecord({ name, namespace }, cluster),
  ])
  const { files } = reading.signer
  const { root, machine } = trust
  const isSigned = !trust.changing.includes(name) && files !== undefined
  const signing = isSigned
    ? files
    : { ...(await signingFor(one, { target: trust, machine }, choice, world)), roots: [root] }
  return {
    member,
    list: [...(created === undefined ? [] : [created]), record, await planSecret(one, signing, root, world)],
  }
}

/** What a former run has recorded of a gateway stays. */
async function planRecord({ name, namespace }: { name: string; namespace: string }, cluster: Cluster): Promise<Change> {
  const present = await findRecordObject({ namespace }, cluster)
  const manifest = recordObject({ ...recordIn(present), name }, namespace)
  const all = present === undefined ? [] : [present]
  return planChanges([{ resource: CONFIG_MAPS, manifest }], all, CONNECTING)[0] as Change
}

function preparedReport(
  one: ClusterReading,
  root: string,
  { clock }: TrustWorld,
): ConnectReport['result']['clusters'][number] {
  const { member, mesh, reading } = one
  const { phase, ...report } = trustReport(member, mesh, reading, { root, now: clock.now() })
  const isSigned = reading.signer.files !== undefined
  return {
    ...report,
    ...(phase === undefined || !isSigned ? {} : { phase }),
    ...(isInstalled(mesh) ? {} : { install: installCommand(one) }),
  }
}

/** istiod takes its CA from `cacerts` by itself; only another trust domain than Istio's own has to be said. */
function installCommand({ member, mesh: { trustDomain } }: ClusterReading): string {
  const usual = meshToBe().trustDomain
  const setting = trustDomain === usual ? '' : sh` --set ${`meshConfig.trustDomain=${trustDomain}`}`
  return sh`istioctl install --context ${member.cluster.context}` + setting
}

function connectCommand(all: readonly ClusterReading[]): string {
  const contexts = all.map(({ name, member }) => sh`--context ${`${name}=${member.cluster.context}`}`)
  return ['kubectl telemetry multicluster connect', ...contexts].join(' ')
}
