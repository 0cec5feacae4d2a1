/** Makes add-ons reachable from outside through the ingress gateway: gather, plan, rehearse, confirm, apply, settle, verify. */
import { changesGuards, isGuardedAsPlanned, readGuards } from '../access/guard-plan.ts'
import { generateCredentials } from '../access/htpasswd.ts'
import { planLinks } from '../addons/kiali-links.ts'
import type { BroughtPair } from '../certificates/user-authority.ts'
import { awaitIssued } from '../certifying/issued-certificate.ts'
import { type Certificates, isSecret, requireCertificates } from '../certifying/serving-certificate.ts'
import { applyChanges, type Change, planChanges, rehearse } from '../changes/changes.ts'
import { Progress } from '../changes/progress.ts'
import type { Service } from '../cluster/objects.ts'
import { CERTIFICATES, SERVICES } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import { isWhole } from '../gateways/exposed-routes.ts'
import { RememberingProber } from '../probing/remembering-prober.ts'
import type { Dependencies } from '../world.ts'
import { assumeMesh, isAbsence } from './assumed-mesh.ts'
import { type Consent, requireConsent } from './consent.ts'
import { enteredAs, type Gathered, type Gathering, gather, readPresent } from './gather.ts'
import { nodePortRefused } from './node-ports.ts'
import { type Exposure, type ExposureRequest, entriesOf, exposuresOf, hostsOf, planExposure, urlsOf } from './plan.ts'
import { type ExposeReport, type Planned, report } from './result.ts'
import { dated } from './terms.ts'
import { verifyExposures } from './verify.ts'

export interface ExposeRequest extends Gathering {
  yes: boolean
  dryRun: 'none' | 'client' | 'server'
  /** An authority of theirs to sign with. */
  brought?: BroughtPair | undefined
  /** Milliseconds to wait for the pages to answer. */
  timeout: number
}

/** Milliseconds in which a change of a guard is at the gateway (istiod waits 100 for more): a page that is still open shows none. */
const PUSH = 500

/** @throws UserError; see the codes in addons/survey.ts, gateways/survey.ts, changes/changes.ts and consent.ts */
export async function expose(asked: ExposeRequest, world: Dependencies): Promise<ExposeReport> {
  const generated = generateCredentials(world.random)
  const guard = { ...asked.guard, generated }
  const request = { ...asked, guard, terms: dated(asked.terms, world.clock.now()) }
  const dependencies = { ...world, prober: new RememberingProber(world.prober) }
  return exposeGathered(request, await gatherOrAssume(request, dependencies), dependencies)
}

async function exposeGathered(
  request: ExposeRequest,
  known: Gathered,
  dependencies: Dependencies,
): Promise<ExposeReport> {
  const { cluster, terminal } = dependencies
  const { planned, changes } = await planGathered(request, known, dependencies)
  if (request.dryRun === 'client') return report('planned', planned, changes)
  const { gathered, certificates } = planned
  const rehearsed = await withNodePorts(rehearse(cluster, changes))
  const links = await planLinksOf(planned, gathered.gateway.service, dependencies)
  const announced = [...rehearsed, ...(await rehearse(cluster, links))]
  if (request.dryRun === 'server') return report('planned', planned, announced)

  const consent = await requireConsent(gathered, planned.exposures, terminal)
  if (consent !== 'nothing to ask') {
    const said = withConsent(request, consent)
    return exposeGathered(said, await enteredAs(said, known, cluster), dependencies)
  }
  if (!(await confirmed(announced, planned.exposures, request.yes, dependencies)))
    return report('declined', planned, announced)

  if (certificates !== undefined) await keepAuthority(certificates, dependencies)
  const progress = new Progress()
  const { applied, exposures } = await progress.telling(
    () => apply(request, { ...planned, changes: rehearsed }, progress, dependencies),
    ['kubectl telemetry cleanup   # to undo it'],
  )
  const verified = await verify(request, { ...planned, exposures }, applied, dependencies)
  return report('applied', { ...planned, exposures }, applied, verified)
}

function withConsent(request: ExposeRequest, consent: Exclude<Consent, 'nothing to ask'>): ExposeRequest {
  return consent === 'as it is'
    ? { ...request, terms: { ...request.terms, allowAnonymous: true } }
    : { ...request, guard: { ...request.guard, ...consent.guard } }
}

async function verify(
  { timeout }: ExposeRequest,
  { gathered, exposures, certificates, generated }: Planned,
  applied: Change[],
  dependencies: Dependencies,
): Promise<Awaited<ReturnType<typeof verifyExposures>>> {
  if (changesGuards(applied)) await dependencies.clock.sleep(PUSH)
  const { address: ingress, brought } = gathered
  const verification = {
    ingress,
    authorityCertificate: brought?.chain ?? certificates?.authority.certificate,
    ...(brought === undefined ? {} : { trustPartialChain: true }),
    guards: gathered.guarding.guards,
    generated,
  }
  return verifyExposures(exposures, verification, timeout, dependencies)
}

/** All writes: the plan's, what another run makes necessary, and Kiali's links, for which the node ports have to be known. */
async function apply(
  request: ExposeRequest,
  planned: Planned & { changes: Change[] },
  progress: Progress,
  dependencies: Dependencies,
): Promise<{ applied: Change[]; exposures: Exposure[] }> {
  const { cluster } = dependencies
  const { gathered, changes } = planned
  const issued = await applyIssued(request, planned, progress, dependencies)
  const rest = changes.filter((change) => !issued.includes(change))
  const applied = [...issued, ...(await withNodePorts(applyChanges(cluster, rest, progress)))]
  await settle(request, gathered, progress, dependencies)
  const service = serviceAfter(applied) ?? gathered.gateway.service
  const links = await rehearse(cluster, await planLinksOf(planned, service, dependencies))
  const linked = await applyChanges(cluster, links, progress)
  return { applied: [...applied, ...linked], exposures: exposuresOf(gathered, service) }
}

/** What cert-manager is asked for, and has to make before anything is served with it. */
async function applyIssued(
  { timeout }: ExposeRequest,
  { gathered, changes }: Planned & { changes: Change[] },
  progress: Progress,
  dependencies: Dependencies,
): Promise<Change[]> {
  const { gateway, issuer } = gathered
  if (issuer === undefined) return []
  const asked = changes.filter(({ resource }) => resource === CERTIFICATES)
  await applyChanges(dependencies.cluster, asked, progress)
  gathered.brought = await awaitIssued(gateway.namespace, hostsOf(gathered), timeout, dependencies)
  return asked
}

/** Planned twice: before and after node ports are known. */
async function planLinksOf(
  { gathered, warnings }: Planned,
  service: Service,
  { cluster }: Dependencies,
): Promise<Change[]> {
  if (gathered.kiali === undefined) return []
  const links = await planLinks(gathered.kiali, urlsOf(gathered, service), cluster)
  warnings.push(...links.warnings.filter((one) => !warnings.some(({ message }) => message === one.message)))
  return links.changes
}

function withNodePorts(changing: Promise<Change[]>): Promise<Change[]> {
  return changing.catch((error: unknown) => Promise.reject(nodePortRefused(error)))
}

/** With the node ports that the API server chose. */
function serviceAfter(changes: Change[]): Service | undefined {
  return changes.find(({ resource }) => resource === SERVICES)?.after as Service | undefined
}

/**
 * Another run may have written between our reading and our writing: then the Gateway lacks a host, the certificate a name, or an
 * object is gone. Whoever looks last sees it, and plans again.
 * @throws UserError UNSETTLED
 */
async function settle(
  request: ExposeRequest,
  first: ExposureRequest,
  progress: Progress,
  dependencies: Dependencies,
): Promise<void> {
  let gathered = first
  for (let attempt = 0; attempt < 5; attempt++) {
    if (await isSettled(gathered, dependencies)) return
    const again = await plan({ ...request, knownGuards: gathered.guarding.guards }, dependencies)
    await applyChanges(dependencies.cluster, await rehearse(dependencies.cluster, again.changes), progress)
    gathered = again.planned.gathered
  }
  throw new UserError(
    'UNSETTLED',
    'another run changes the same objects all the time; what is served may be half of it',
    {
      suggestions: ['wait for the other run, then run the command again'],
    },
  )
}

async function isSettled(gathered: ExposureRequest, { cluster }: Dependencies): Promise<boolean> {
  const { istioVersion, gateway, layout, guarding } = gathered
  const { namespace, service } = gateway
  const guarded = Object.keys(guarding.guards).length > 0
  const ownSecret = layout.secure && gathered.brought === undefined
  const [present, guards = [], ports] = await Promise.all([
    readPresent(cluster, istioVersion, namespace, ownSecret),
    guarded ? readGuards(cluster, istioVersion, namespace) : [],
    layout.name === 'ports' ? cluster.get<Service>(SERVICES, service.metadata) : undefined,
  ])
  const beside = present.filter(({ metadata }) => metadata.namespace === namespace)
  const whole = isWhole(beside, entriesOf(gathered), layout, ports) && (!ownSecret || beside.some(isSecret))
  return whole && isGuardedAsPlanned(guarding, guards)
}

/** Everything up to the first write, which a dry run shows. */
async function plan(
  request: ExposeRequest,
  dependencies: Dependencies,
): Promise<{ planned: Planned; changes: Change[] }> {
  return planGathered(request, await gatherOrAssume(request, dependencies), dependencies)
}

async function planGathered(
  request: ExposeRequest,
  { gathered, present, warnings, unresolved }: Gathered,
  dependencies: Dependencies,
): Promise<{ planned: Planned; changes: Change[] }> {
  const { domain, secure } = gathered.layout
  const certificates =
    secure && gathered.brought === undefined
      ? await requireCertificates(domain, hostsOf(gathered), present.find(isSecret), dependencies, request.brought)
      : undefined
  const wanted = planExposure(gathered, certificates)
  const authorityPath = dependencies.authorities.certificatePath(domain)
  const exposures = exposuresOf(gathered, gathered.gateway.service)
  return {
    planned: {
      gathered,
      exposures,
      certificates,
      authorityPath,
      warnings,
      unresolved,
      generated: request.guard.generated,
    },
    changes: planChanges(wanted, present),
  }
}

/** A dry run on the client's side does without a cluster when there is none. */
async function gatherOrAssume(request: ExposeRequest, dependencies: Dependencies): Promise<Gathered> {
  try {
    return await gather(request, dependencies)
  } catch (error) {
    if (request.dryRun === 'client' && isAbsence(error)) return assumeMesh(request, error)
    throw error
  }
}

/** Nothing to change needs no leave. */
async function confirmed(
  changes: Change[],
  exposures: Exposure[],
  yes: boolean,
  { terminal }: Dependencies,
): Promise<boolean> {
  const open = changes.filter(({ action }) => action !== 'unchanged')
  if (open.length === 0 || yes) return true
  if (!terminal.interactive) {
    throw new UserError(
      'CONSENT_REQUIRED',
      `${open.length} objects would be changed, and there is no terminal to ask on`,
      {
        suggestions: ['-y', '--dry-run=server   # shows them'],
      },
    )
  }
  for (const { manifest, action, by, saying } of open) {
    const { namespace, name } = manifest.metadata
    const what =
      saying ??
      (action === 'deleted'
        ? 'delete'
        : action === 'created'
          ? 'create'
          : by === 'sharing'
            ? 'change our part of it'
            : 'change')
    terminal.note(`  ${manifest.kind} ${namespace}/${name}: ${what}`)
  }
  return terminal.confirm(`Expose ${exposures.map(({ url }) => url).join(', ')}?`)
}

async function keepAuthority({ authority, kept }: Certificates, { authorities }: Dependencies): Promise<void> {
  if (kept) return
  const winner = await authorities.keep(authority)
  if (winner.certificate === authority.certificate) return
  const message = `another run made the authority of ${authority.domain} at the same moment; nothing was changed in the cluster`
  throw new UserError('CONFLICT', message, { suggestions: ['run the command again'] })
}
