/**
 * Applies a plan: writes its changes, repairs what another run undid, opens routes whose guard is proven, then sets Kiali's links. Never
 * changes the plan.
 */
import { areInPlace, isGuardKind, readGuards } from '../access/guard-plan.ts'
import { awaitIssued } from '../certifying/issued-certificate.ts'
import type { ProvidedSecret } from '../certifying/provided-secret.ts'
import { applyChanges, type Change, isOfSameObject, rehearse } from '../changes/changes.ts'
import { Progress } from '../changes/progress.ts'
import type { Cluster, KubeObject, ObjectName, Resource } from '../cluster/cluster.ts'
import type { Service } from '../cluster/objects.ts'
import { CERTIFICATES, gateways, SECRETS, SERVICES, virtualServices } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import type { Finding } from '../findings.ts'
import { isWhole, needingPorts } from '../gateways/exposed-routes.ts'
import { GATEWAY_NAME, TLS_SECRET_NAME } from '../manifests/names.ts'
import type { Dependencies } from '../world.ts'
import { recordUse } from './authority-use.ts'
import { type Opening, openProven, requireWidened } from './opening/open-routes.ts'
import { addonOf, isGateway, type Stages, stagesOf } from './opening/stages.ts'
import type { ExposePlan } from './plan.ts'
import { linksOf, newWarnings, preparePlan, surveyMesh, withNodePorts } from './prepare.ts'
import { type Exposure, exposuresOf, servesHttps } from './spec.ts'

/** The outcome of a plan. */
export interface ApplyResult extends Opening {
  changes: Change[]
  /** With the node ports that the API server chose. */
  exposures: readonly Exposure[]
  /** The TLS Secret in use, if kubectl telemetry does not create it. */
  providedSecret: ProvidedSecret | undefined
  /** In addition to those of the plan. */
  warnings: Finding[]
}

const UNDO = ['kubectl telemetry cleanup   # to undo it']

export async function applyPlan(plan: ExposePlan, world: Dependencies): Promise<ApplyResult> {
  const progress = new Progress()
  return progress.reportOnError(() => applyAll(plan, progress, world), UNDO)
}

async function applyAll(plan: ExposePlan, progress: Progress, world: Dependencies): Promise<ApplyResult> {
  const { cluster } = world
  const { spec } = plan
  const issued = await applyIssued(plan, progress, world)
  const rest = { ...plan, changes: plan.changes.filter((change) => !issued.changes.includes(change)) }
  const written = await withNodePorts(writeFirst(rest, progress, world))
  const settled = await settle(written, progress, world)
  const service = serviceAfter(settled.changes) ?? spec.gateway.service
  const exposures = exposuresOf(spec, service)
  const opening = await openProven({ ...settled, exposures, providedSecret: issued.providedSecret }, progress, world)
  const links = await linksOf(spec, service, cluster)
  const linked = await applyChanges(cluster, await rehearse(cluster, links.changes), progress)
  return {
    ...opening,
    changes: [...issued.changes, ...asPlanned(rest.changes, settled.changes, opening), ...linked],
    exposures,
    providedSecret: issued.providedSecret,
    warnings: newWarnings(plan.warnings, links.warnings),
  }
}

/** What a plan has written so far, and what is left. */
export interface Written {
  readonly plan: ExposePlan
  readonly stages: Stages
  /** Of the first stage, with the new objects. */
  readonly changes: readonly Change[]
}

async function writeFirst(plan: ExposePlan, progress: Progress, world: Dependencies): Promise<Written> {
  const stages = stagesOf(plan)
  const early = stages.first.filter((change) => !isGateway(change))
  const written = await applyChanges(world.cluster, early, progress)
  await requireWidened(plan, stages, world)
  const served = await applyChanges(world.cluster, stages.first.filter(isGateway), progress)
  return { plan, stages, changes: [...written, ...served] }
}

/** Each object of the plan once, in its order: routes that were not opened as they are. */
function asPlanned(planned: readonly Change[], first: readonly Change[], { closed, opened }: Opening): Change[] {
  return planned.map((change) => {
    const { kind } = change.manifest
    const isSame = (one: Change) => isOfSameObject(one, change)
    const last = opened.find(isSame) ?? first.find(isSame)
    if (last === undefined) return change
    const isClosed = kind === 'VirtualService' && closed.includes(addonOf(change))
    return { ...change, ...(isClosed ? { manifest: last.manifest } : {}), ...(last.after ? { after: last.after } : {}) }
  })
}

/** Waits for cert-manager's certificate before the Gateway refers to it. */
async function applyIssued(
  { request, spec, changes }: ExposePlan,
  progress: Progress,
  world: Dependencies,
): Promise<Pick<ApplyResult, 'changes' | 'providedSecret'>> {
  const { gateway, issuer, hosts, providedSecret } = spec
  if (issuer === undefined) return { changes: [], providedSecret }
  const certificates = changes.filter(({ resource }) => resource === CERTIFICATES)
  await applyChanges(world.cluster, certificates, progress)
  return { changes: certificates, providedSecret: await awaitIssued(gateway.namespace, hosts, request.timeout, world) }
}

function serviceAfter(changes: readonly Change[]): Service | undefined {
  return changes.find(({ resource }) => resource === SERVICES)?.after as Service | undefined
}

/**
 * Another run may have written between reading and writing. Then the Gateway lacks a host, the certificate lacks a name, or an object
 * is missing. The run that reads last sees that, and plans again.
 * @throws UserError UNSETTLED
 */
async function settle(first: Written, progress: Progress, world: Dependencies): Promise<Written> {
  const { cluster } = world
  const { request } = first.plan
  let written = first
  for (let attempt = 0; attempt < 5; attempt++) {
    if (await isSettled(written, cluster)) return written
    const survey = await surveyMesh(request, world, first.plan.spec)
    const again = await preparePlan(request, survey, world)
    await recordUse(again, world)
    written = await writeFirst({ ...again, changes: await rehearse(cluster, again.changes) }, progress, world)
  }
  throw new UserError('UNSETTLED', 'another run keeps changing the same objects; the exposure may be incomplete', {
    suggestions: ['wait for the other run, then run the command again'],
  })
}

async function isSettled({ plan: { spec }, stages, changes }: Written, cluster: Cluster): Promise<boolean> {
  const { istioVersion, gateway, layout, entries } = spec
  const { namespace, service } = gateway
  const wanted = guardsOf(stages)
  const ownSecret = servesHttps(spec) && spec.providedSecret === undefined
  const now = (resource: Resource, name: string) => asItIs(resource, { name, namespace }, changes, cluster)
  const [routes, entry, secret, guards = [], ports] = await Promise.all([
    cluster.list(virtualServices(istioVersion), { namespace }),
    now(gateways(istioVersion), GATEWAY_NAME),
    ownSecret ? now(SECRETS, TLS_SECRET_NAME) : undefined,
    wanted.length > 0 ? readGuards(cluster, istioVersion, namespace) : [],
    needingPorts(entries, layout).length > 0 ? cluster.get<Service>(SERVICES, service.metadata) : undefined,
  ])
  const whole =
    isWhole([...routes, ...(entry === undefined ? [] : [entry])], entries, layout, ports) &&
    (!ownSecret || secret !== undefined)
  const leaving = stages.last.filter(({ by }) => by === 'removing').map(({ manifest }) => manifest.metadata.uid)
  const staying = guards.filter(({ metadata }) => !leaving.includes(metadata.uid))
  return whole && areInPlace(wanted, [...new Set(wanted.map(addonOf))], staying)
}

/**
 * A Secret and a Gateway that this run created are as they were answered: they were written after the routes, so whoever removed or changed
 * them since has changed the routes, too, and these are read again. What existed before is read again as well.
 */
async function asItIs(
  resource: Resource,
  object: Required<ObjectName>,
  changes: readonly Change[],
  cluster: Cluster,
): Promise<KubeObject | undefined> {
  const own = changes.find((one) => one.resource.kind === resource.kind && one.manifest.metadata.name === object.name)
  return own?.action === 'created' && own.after !== undefined ? own.after : cluster.get(resource, object)
}

/** The guards of the first stage. */
function guardsOf({ first }: Stages): Change[] {
  return first.filter(({ resource, by }) => isGuardKind(resource) && by !== 'removing')
}
