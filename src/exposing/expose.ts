/** Makes add-ons reachable from outside through the ingress gateway: gather, plan, rehearse, consent, confirm, apply, verify. */
import { changesGuards } from '../access/guard-plan.ts'
import { generateCredentials } from '../access/htpasswd.ts'
import { serviceNamed } from '../addons/service-name.ts'
import type { SurveyedAddon } from '../addons/survey.ts'
import { aboutIt, type Change } from '../changes/changes.ts'
import { type Confirmation, confirm, counted } from '../changes/confirmation.ts'
import { RememberingCluster } from '../cluster/remembering-cluster.ts'
import { UserError } from '../errors.ts'
import type { Probe } from '../probing/prober.ts'
import { RememberingProber } from '../probing/remembering-prober.ts'
import type { Dependencies } from '../world.ts'
import { type ApplyResult, applyPlan } from './apply.ts'
import { recordUse } from './authority-use.ts'
import { requestAfter, requireConsent } from './consent.ts'
import { type Survey, withAccess } from './gather.ts'
import { awaitGateway } from './opening/await-gateway.ts'
import { askingOf, closeAgain, proofsOf } from './opening/open-routes.ts'
import { unproven, type Verdict } from './opening/prove-guards.ts'
import { addonOf } from './opening/stages.ts'
import type { ExposePlan } from './plan.ts'
import { preparePlan, rehearsePlan, surveyMesh } from './prepare.ts'
import type { ExposeRequest } from './request.ts'
import { type ExposeReport, report } from './result.ts'
import type { Exposure } from './spec.ts'
import { type ProbeReport, verifyExposures } from './verify.ts'

/** Milliseconds until a changed guard is active at the gateway (istiod collects changes for 100). An earlier check would see the old guard. */
const GUARD_DELAY = 500

/** @throws UserError; see the codes in addons/survey.ts, gateways/survey.ts, changes.ts, consent.ts and gather.ts */
export async function expose(asked: ExposeRequest, outside: Dependencies): Promise<ExposeReport> {
  const world = { ...outside, prober: new RememberingProber(outside.prober) }
  const started = withPassword(asked, world)

  const survey = await surveyMesh(started, world)
  const request = { ...started, terms: survey.terms }
  const planned = await preparePlan(request, survey, world)
  if (request.dryRun === 'client') return report('planned', planned)

  const rehearsed = await rehearsePlan(planned, world)
  if (request.dryRun === 'server') return report('planned', rehearsed)

  noteOtherAddresses(rehearsed, world)
  const plan = await withConsent(rehearsed, survey, world)
  if (!(await confirmed(plan, world))) return report('declined', plan)

  await keepAuthority(plan, world)
  await recordUse(plan, world)
  const applied = await applyPlan(plan, world)
  return report('applied', plan, { ...applied, verified: await verify(plan, applied, world) })
}

/** The password, like the time of expiry, is chosen once, so planning twice in a run gives the same plan. */
function withPassword(asked: ExposeRequest, { random }: Dependencies): ExposeRequest {
  return { ...asked, guard: { ...asked.guard, generated: generateCredentials(random) } }
}

/** Before the first question: where else the pages would answer. The answer of the command says it again. */
function noteOtherAddresses({ request, warnings }: ExposePlan, { terminal }: Dependencies): void {
  if (request.yes || !terminal.interactive) return
  for (const { code, message } of warnings) if (code === 'GATEWAY_ALSO_AT') terminal.note(message)
}

/** Asks who may enter add-ons that let anyone in. The answer becomes part of the request, so the plan is made and rehearsed again. */
async function withConsent(plan: ExposePlan, survey: Survey, world: Dependencies): Promise<ExposePlan> {
  const consent = await requireConsent(plan.spec, plan.exposures, world.terminal)
  if (consent === 'nothing to ask') return plan
  const request = requestAfter(plan.request, consent)
  const again = await withAccess(request, survey, world.cluster)
  return rehearsePlan(await preparePlan(request, again, world), world)
}

async function confirmed(
  { request, spec, exposures, changes, links }: ExposePlan,
  world: Dependencies,
): Promise<boolean> {
  const open = [...changes, ...links].filter(({ action }) => action !== 'unchanged')
  if (open.length === 0) return true
  const confirmation: Confirmation = {
    yes: request.yes,
    effect: `change ${counted(open.length, 'object')}`,
    remarks: spec.addons.map(placeOf),
    lines: open.map(lineOf),
    question: `Expose ${exposures.map(({ url }) => url).join(', ')}?`,
    preview: 'server',
  }
  return confirm(confirmation, world.terminal)
}

/** Anybody may give a Service the labels of an add-on, so the user sees which one it is. */
function placeOf({ found: { addon, namespace, service, marked } }: SurveyedAddon): string {
  if (serviceNamed(addon.name) !== undefined) return `${addon.title} is Service ${namespace}/${service.metadata.name}`
  const by = marked ? ', only by its annotation' : ''
  return `${addon.name} is Service ${namespace}/${service.metadata.name} (${addon.title}${by})`
}

function lineOf(change: Change): string {
  const { manifest, action, by, restarts } = change
  const { namespace, name } = manifest.metadata
  const write = action === 'created' ? 'create' : by === 'sharing' ? 'change some of its fields' : 'change'
  return `${manifest.kind} ${namespace}/${name}: ${restarts ? 'restart' : action === 'deleted' ? 'delete' : write}${aboutIt(change)}`
}

/** Stores a new CA on this machine before the cluster gets a certificate that it signed. */
async function keepAuthority({ certificates }: ExposePlan, { authorities }: Dependencies): Promise<void> {
  if (certificates === undefined || certificates.kept) return
  const { authority } = certificates
  const winner = await authorities.keep(authority)
  if (winner.certificate === authority.certificate) return
  const message = `another run created the CA of ${authority.domain} at the same moment; nothing was changed in the cluster`
  throw new UserError('CA_CONFLICT', message, { suggestions: ['run the command again'] })
}

async function verify(plan: ExposePlan, applied: ApplyResult, world: Dependencies): Promise<ProbeReport> {
  const { request, spec } = plan
  const { changes, exposures, providedSecret, closed, opened } = applied
  if (changesGuards(changes)) await world.clock.sleep(GUARD_DELAY)
  const asking = askingOf(plan, providedSecret, request.timeout)
  const { to, timeout } = asking
  await awaitGateway(plan, { exposures, opened: opened.map(addonOf) }, asking, world)
  const proofs = proofsOf(plan, exposures)
  const isOpen = ({ name }: Exposure) => !closed.includes(name) && spec.closed[name] === undefined
  const verification = {
    ...to,
    ingress: spec.address,
    guards: spec.guarding.guards,
    generated: request.guard.generated,
    listPaths: Object.fromEntries(proofs.map(({ exposure, listPath }) => [exposure.name, listPath])),
    proven: opened.map(addonOf),
    mesh: { gateway: spec.gateway, cluster: new RememberingCluster(world.cluster) },
  }
  const open = exposures.filter(isOpen)
  const verified = await verifyExposures(open, verification, timeout, world)
  await closeAgain(
    verified.passed.map(({ proof }) => proof.exposure.name),
    plan,
    world,
  )
  const probes = exposures.map((one) => verified.probes[open.indexOf(one)] ?? closedProbe(applied.verdicts[one.name]))
  const again = verified.passed.map(({ proof, verdict }) => unproven(proof, verdict))
  return { ...verified, probes, warnings: [...verified.warnings, ...again] }
}

function closedProbe(verdict: Verdict | undefined): Probe {
  const { milliseconds = 0 } = verdict?.probe ?? {}
  return { ok: false, hop: 'access', milliseconds, message: 'the route is closed' }
}
