/** `tracing on`: plans, rehearses, asks, writes the provider and then the Telemetry, and proves that a trace arrives. */
import { canBeAsked } from '../backends/api.ts'
import { applyChanges, type Change, lineOf, rehearse } from '../changes/changes.ts'
import { confirm, counted } from '../changes/confirmation.ts'
import { applyEditAsGuest } from '../changes/object-edits.ts'
import { Progress } from '../changes/progress.ts'
import { readable } from '../cluster/reading.ts'
import { type Finding, notes } from '../findings.ts'
import type { AskInside, Dependencies } from '../world.ts'
import { planTracing, type TracingPlan, type TracingRequest } from './plan.ts'
import { whereLost } from './proving/hop.ts'
import { type ProofProgress, proveTrace } from './proving/proof.ts'
import { exposedTarget, targetOf } from './proving/target.ts'
import { changesIn, reportTracing, type TracingProof, type TracingReport } from './result.ts'

type Needs = Pick<Dependencies, 'cluster' | 'terminal' | 'authorities' | 'prober' | 'clock' | 'random'> & {
  askInside: AskInside
}

const UNDO = ['kubectl telemetry tracing off   # to undo it']

/** @throws UserError those of `planTracing`, CONSENT_REQUIRED, and the API server's answer to a write */
export async function tracingOn(
  request: TracingRequest,
  needs: Needs,
  show?: (progress: ProofProgress) => void,
): Promise<TracingReport> {
  const planned = await planTracing(request, needs)
  if (request.dryRun === 'client') return reportTracing('planned', planned)
  const plan = await rehearsed(planned, needs.cluster)
  if (request.dryRun === 'server') return reportTracing('planned', plan)
  if (!(await confirmed(plan, needs.terminal))) return reportTracing('declined', plan)
  const progress = new Progress()
  await progress.reportOnError(() => write(plan, progress, needs.cluster), UNDO)
  const { proof, finding } = await prove(plan, needs, show)
  return reportTracing('applied', plan, { proof, findings: finding === undefined ? [] : [finding] })
}

async function rehearsed(plan: TracingPlan, cluster: Needs['cluster']): Promise<TracingPlan> {
  const tried = async (change: Change) => (await rehearse(cluster, [change]))[0] as Change
  const [revisions, telemetry] = await Promise.all([
    Promise.all(
      plan.revisions.map(async (one) => (one.change === undefined ? one : { ...one, change: await tried(one.change) })),
    ),
    rehearse(cluster, plan.telemetry),
  ])
  return { ...plan, revisions, telemetry }
}

function openIn(plan: TracingPlan): Change[] {
  return changesIn(plan).filter(({ action }) => action !== 'unchanged')
}

async function confirmed(plan: TracingPlan, terminal: Needs['terminal']): Promise<boolean> {
  const changing = openIn(plan)
  if (changing.length === 0) return true
  const { backend, collectors } = plan.chosen
  const [{ service, namespace, port }] = collectors
  const to = backend === undefined ? '' : `${backend.title}, `
  const { namespace: traced, yes } = plan.request
  const whose = traced === undefined ? 'of the whole mesh' : `of namespace ${traced}`
  return confirm(
    {
      yes,
      effect: `change ${counted(changing.length, 'object')}`,
      remarks: [`Spans ${whose} go to ${to}Service ${namespace}/${service} port ${port}.`],
      lines: changing.map(lineOf),
      question: 'Switch tracing on?',
      preview: 'server',
    },
    terminal,
  )
}

async function write(plan: TracingPlan, progress: Progress, cluster: Needs['cluster']): Promise<void> {
  // One whose provider is there already may still have to be given back to its manager, after a run that was killed.
  for (const { edit } of plan.revisions) await applyEditAsGuest(cluster, edit, progress)
  await applyChanges(cluster, plan.telemetry, progress)
}

/** What the user learns about the way of a trace. */
interface Proved {
  proof?: TracingProof
  finding?: Finding
}

async function prove(plan: TracingPlan, needs: Needs, show?: (progress: ProofProgress) => void): Promise<Proved> {
  const { request, chosen, services, revisions } = plan
  const { backend } = chosen
  const place = { services, backend, url: request.probe }
  const exposed = await readable(exposedTarget(request.namespace, place, needs))
  const target = exposed ?? (request.probe && targetOf(request.probe))
  if (target === undefined) return { finding: unproven(nothingToRequest(request.namespace), ...TO_PROVE) }
  if (backend === undefined || !canBeAsked(backend)) {
    const who =
      backend === undefined
        ? 'no tracing backend is known behind the collector'
        : `${backend.title} cannot be asked for a trace`
    return { finding: unproven(who, `${target.url}   # open it, then look for its trace in the backend`) }
  }
  const { timeout } = request
  const changed = openIn(plan).length > 0
  const end = await readable(proveTrace(target, backend, { changed, timeout, progress: show }, needs))
  if (end === undefined)
    return {
      finding: unproven(`you may not ask ${backend.title}`, 'kubectl auth can-i get pods/proxy   # docs/rbac.md'),
    }
  if ('traceId' in end) return { proof: { ok: true, url: target.url, ...end } }
  const { hop, finding } = await whereLost(end, { target, backend, providers: revisions, waited: timeout }, needs)
  return { proof: { ok: false, url: target.url, hop }, finding }
}

function unproven(why: string, ...remedies: string[]): Finding {
  return notes('TRACE_UNPROVEN', `whether traces arrive was not tried: ${why}`, ...remedies)
}

function nothingToRequest(namespace: string | undefined): string {
  return namespace === undefined ? 'nothing is exposed' : `no Service of namespace ${namespace} is exposed`
}

const TO_PROVE = [
  'kubectl telemetry expose svc/NAME -n NAMESPACE   # then run the command again',
  '--probe URL   # a URL that leads through a gateway of the mesh',
]
