/** Sends a bounded number of requests to something exposed, and reports what the mesh recorded of them. Changes nothing. */
import { nameOfService } from '../addons/service-name.ts'
import type { TraceSearch } from '../backends/count-traces.ts'
import type { Finding } from '../findings.ts'
import type { OpenSender, Sender } from '../probing/sender.ts'
import type { Timers } from '../time/timers.ts'
import { unlessAborted } from '../time/unless-aborted.ts'
import type { Dependencies } from '../world.ts'
import { type Counted, Counting, notCounted } from './counting.ts'
import type { Destination } from './foreign.ts'
import { kialiGraph } from './kiali-graph.ts'
import { findPods, PodSender } from './pods.ts'
import type { TrafficRequest } from './request.ts'
import { guardRefused, judged, type TrafficResult } from './result.ts'
import { type Progress, type RunOutcome, runTraffic } from './run.ts'
import { findTarget } from './target.ts'
import { readTraces } from './traces.ts'
import { requireForPods, requireNoPort } from './via.ts'

type Needs = Pick<Dependencies, 'cluster' | 'terminal' | 'authorities' | 'clock' | 'random'>

export interface TrafficEnvironment {
  open: OpenSender
  timers: Timers
  /** The signal that ends the run. Called when the first request is about to be sent. */
  ending(): AbortSignal
  progress?: ((state: Progress) => void) | undefined
}

/** Everything that is known before the first request. */
interface Prepared {
  target: TrafficResult['target']
  sender: Sender
  destination: Destination | undefined
  guarded: boolean
  /** The page of Kiali, if it is exposed. */
  kiali?: string | undefined
  findings: readonly Finding[]
}

/** @throws UserError before the first request; see `findTarget` and `findPods` */
export async function traffic(
  request: TrafficRequest,
  world: Needs,
  environment: TrafficEnvironment,
): Promise<TrafficResult> {
  const id = Buffer.from(world.random(6)).toString('hex')
  const userAgent = `kubectl-telemetry-traffic/${id}`
  const prepared = await (request.via === 'gateway'
    ? throughGateway(request, userAgent, world, environment)
    : throughApiServer(request, userAgent, world))
  const counting = await beginCounting(request, prepared.destination, world)
  const { concurrency, maxErrors, schedule } = request
  const signal = environment.ending()
  const run = { ...schedule, concurrency, maxErrors, paths: prepared.target.paths }
  const from = world.clock.now().getTime()
  const outcome = await runTraffic(run, {
    sender: prepared.sender,
    timers: environment.timers,
    signal,
    progress: environment.progress,
  })
  const to = world.clock.now().getTime()
  environment.progress?.({ ...outcome.last, isOver: true })
  const seen = await seenOf({ ...outcome, from, to, userAgent, counting }, prepared, signal, world)
  const end = signal.aborted ? 'interrupted' : outcome.end
  return resultOf({ ...outcome, end }, { request, prepared, id }, seen)
}

async function throughGateway(
  request: TrafficRequest,
  userAgent: string,
  world: Needs,
  { open }: TrafficEnvironment,
): Promise<Prepared> {
  requireNoPort(request)
  const { target, kiali, findings } = await findTarget(request, world)
  const { name, url, gateway, destination, guarded, to } = target
  const paths = request.paths.length === 0 ? [target.path] : request.paths
  return {
    target: { name, url, via: 'gateway', gateway, ...destination, paths },
    sender: open({ ...to, method: request.method, userAgent, connections: request.concurrency }),
    destination,
    guarded,
    kiali,
    findings,
  }
}

async function throughApiServer(request: TrafficRequest, userAgent: string, { cluster }: Needs): Promise<Prepared> {
  const { method } = request
  const service = requireForPods(request)
  const namespace = request.namespace ?? cluster.namespace
  const found = await findPods(service, namespace, cluster)
  const destination = { service: found.service, namespace }
  const paths = request.paths.length === 0 ? ['/'] : request.paths
  return {
    target: {
      name: `svc/${found.service}`,
      url: `http://${nameOfService({ name: found.service, namespace })}:${found.port}/`,
      via: 'api-server',
      ...destination,
      paths,
    },
    sender: new PodSender(found, { userAgent, method }, cluster),
    destination,
    guarded: false,
    findings: found.findings,
  }
}

async function beginCounting(
  { prometheus }: TrafficRequest,
  destination: Destination | undefined,
  { cluster }: Needs,
): Promise<Counting | Finding | undefined> {
  if (prometheus === 'none') return undefined
  if (destination === undefined) return notCounted('the Service behind the host is not known')
  return Counting.begin(destination, prometheus, cluster)
}

interface Seen {
  seen: TrafficResult['seen']
  findings: readonly Finding[]
}

/** What is known after the run. */
interface Ran extends RunOutcome {
  /** Milliseconds since 1970. */
  from: number
  to: number
  userAgent: string
  counting: Counting | Finding | undefined
}

/** After a signal nothing is waited for. */
async function seenOf(ran: Ran, prepared: Prepared, signal: AbortSignal, world: Needs): Promise<Seen> {
  const { tally, milliseconds } = ran
  const { destination, kiali, guarded, target } = prepared
  const refused = guarded ? (tally.statuses.get(401) ?? 0) + (tally.statuses.get(403) ?? 0) : 0
  const [counted, traced] = signal.aborted
    ? []
    : await Promise.all([
        unlessAborted(countedOf(ran, refused, signal, world), signal),
        unlessAborted(readTraces(searchOf(ran, target), world, signal), signal),
      ])
  return {
    seen: {
      ...(counted?.requests === undefined ? {} : { prometheus: counted.requests }),
      ...(traced?.traces === undefined ? {} : { traces: traced.traces }),
      ...(kiali === undefined || destination === undefined
        ? {}
        : { kiali: kialiGraph(kiali, destination.namespace, milliseconds) }),
    },
    findings: [
      ...(refused === 0 ? [] : [guardRefused(target.name, refused)]),
      ...(counted?.findings ?? []),
      ...(traced?.findings ?? []),
    ],
  }
}

/** @param refused requests that did not reach the Service */
async function countedOf(
  { counting, tally, sent }: Ran,
  refused: number,
  signal: AbortSignal,
  { clock }: Needs,
): Promise<Counted> {
  const expected = { answered: tally.answered - refused, sent: sent - refused }
  if (counting instanceof Counting) return counting.end(expected, clock, signal)
  return { findings: counting === undefined ? [] : [counting] }
}

/** Proxies report spans in the names of the gateway, or of the Service. */
function searchOf({ from, to, userAgent, tally }: Ran, { gateway, service }: TrafficResult['target']): TraceSearch {
  const services = [gateway?.split('/')[1], service].filter((name) => name !== undefined)
  return { userAgent, services, from, to, requests: tally.answered }
}

function resultOf(
  outcome: RunOutcome,
  { request, prepared, id }: { request: TrafficRequest; prepared: Prepared; id: string },
  { seen, findings }: Seen,
): TrafficResult {
  const { end, tally, sent, milliseconds } = outcome
  const { maxErrors, schedule } = request
  const latency = tally.latency()
  const byNumber = <Key extends string | number>(map: ReadonlyMap<Key, number>) =>
    [...map].sort(([, a], [, b]) => b - a)
  return {
    outcome: end,
    target: prepared.target,
    run: id,
    requests: schedule.requests,
    sent,
    rate: milliseconds === 0 ? 0 : Math.round((tally.done * 100_000) / milliseconds) / 100,
    milliseconds: Math.round(milliseconds),
    statuses: Object.fromEntries(
      [...tally.statuses].sort(([a], [b]) => a - b).map(([status, count]) => [String(status), count]),
    ),
    errors: byNumber(tally.errors).map(([code, count]) => ({ code, count })),
    ...(latency === undefined ? {} : { latency }),
    seen,
    warnings: [...judged(outcome, { requests: schedule.requests, maxErrors }), ...prepared.findings, ...findings],
  }
}
