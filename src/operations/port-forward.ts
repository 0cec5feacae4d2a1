/** Local ports that lead to add-ons or any Service, and stay when pods go and come. */
import type { Socket } from 'node:net'
import type { AddonChoice } from '../addons/catalog.ts'
import type { Cluster, ObjectName } from '../cluster/cluster.ts'
import type { Service } from '../cluster/objects.ts'
import { SERVICES } from '../cluster/resources.ts'
import { interrupted, UserError } from '../errors.ts'
import { carry } from '../forwarding/connection.ts'
import type { Listener, Listening } from '../forwarding/listener.ts'
import { PodRoute, type RouteEvent } from '../forwarding/pod-route.ts'
import { reset } from '../forwarding/reset.ts'
import { Session } from '../forwarding/session.ts'
import { pause, type Timers } from '../forwarding/timers.ts'
import type { Dependencies, Warning } from './dependencies.ts'
import { type Followed, followEndpoints } from './follow-endpoints.ts'
import { listenNear, portAskedFor } from './local-ports.ts'
import type { PortChoice } from './port-choice.ts'
import { readServices } from './reading.ts'
import { type SurveyedAddon, surveyAddons } from './survey-addons.ts'

export interface PortForwardRequest {
  /** Ignored when a Service is named. */
  addons: AddonChoice
  service?: { name: string; port?: number | undefined } | undefined
  namespace?: string | undefined
  ports: PortChoice
  addresses: string[]
  /** Milliseconds that a connection waits for a Ready pod. */
  wait: number
  /** Milliseconds after which it ends by itself. */
  duration?: number | undefined
  exitOnLoss: boolean
}

/** One line of `-o json`. */
export interface ForwardEvent {
  event: 'listening' | 'connected' | 'waiting' | 'lost' | 'closed'
  addon: string
  url: string
  pod?: string
  reason?: string
}

export interface Forwarding {
  listener: Listener
  timers: Timers
  /** Ends it: Ctrl-C, a closed terminal. */
  signal: AbortSignal
  tell(event: ForwardEvent): void
  /** Before anything is forwarded. */
  warn(warnings: Warning[]): void
}

export interface PortForwardResult {
  outcome: 'ended' | 'interrupted' | 'lost'
}

/** What one local port leads to. */
interface Forward extends Followed {
  name: string
  usualPort: number
  path: string
}

type Needs = Pick<Dependencies, 'cluster' | 'terminal' | 'random'>

/** Often enough for load balancers that cut what is idle for a minute. */
const BEAT = 20_000

/** @throws UserError; see the codes in survey-addons.ts and local-ports.ts, and SERVICE_NOT_FOUND, PORT_MISSING, FORBIDDEN */
export async function portForward(
  request: PortForwardRequest,
  dependencies: Needs,
  forwarding: Forwarding,
): Promise<PortForwardResult> {
  const { signal } = forwarding
  const gathered = await Promise.race([gather(request, dependencies), aborted(signal)])
  if (gathered === undefined) throw interrupted()
  const { forwards, warnings } = gathered
  forwarding.warn(warnings)
  const ending = new AbortController()
  const stop = (outcome: Ending) => ending.abort(outcome)
  const interrupt = () => stop('interrupted')
  signal.addEventListener('abort', interrupt)
  let hasServed = false
  const tell = (event: ForwardEvent) => {
    hasServed ||= event.event === 'connected'
    forwarding.tell(event)
  }
  const running: Running[] = []
  try {
    await startAll(forwards, running, request, dependencies, { ...forwarding, tell, signal: ending.signal }, stop)
    if (request.duration !== undefined) void endAfter(request.duration, forwarding.timers, ending)
    await Promise.race([Promise.all(running.map(({ following }) => following)), aborted(ending.signal)])
    const outcome: Ending = ending.signal.reason ?? 'ended'
    if (outcome instanceof Error) throw outcome
    if (outcome === 'interrupted' && !hasServed) throw interrupted()
    return { outcome }
  } finally {
    signal.removeEventListener('abort', interrupt)
    ending.abort('ended')
    for (const { close } of running) close()
  }
}

/** Why it ends: an error is the answer then. */
type Ending = PortForwardResult['outcome'] | UserError

async function endAfter(duration: number, timers: Timers, ending: AbortController): Promise<void> {
  const until = timers.now() + duration
  while (timers.now() < until && !ending.signal.aborted) await pause(timers, until - timers.now(), ending.signal)
  ending.abort('ended')
}

/** Whether the exit code is 0. */
export function succeeded({ outcome }: PortForwardResult): boolean {
  return outcome !== 'lost'
}

async function gather(
  request: PortForwardRequest,
  asking: Needs,
): Promise<{ forwards: Forward[]; warnings: Warning[] }> {
  const { service, namespace } = request
  void asking.cluster.expectForward()
  if (service !== undefined) return { forwards: [await namedForward(service, namespace, asking.cluster)], warnings: [] }
  const services = await readServices(asking.cluster)
  const wanting = isLoopback(request.addresses) ? 'path' : 'access and path'
  const { addons, warnings } = await surveyAddons(request.addons, services, namespace, asking, wanting)
  const forwards = addons.map(({ found, path }) => ({
    name: found.addon.name,
    namespace: found.namespace,
    service: found.service.metadata.name,
    portName: portNameOf(found.service, found.port),
    usualPort: found.addon.ports.numbers[0] ?? found.port,
    path,
  }))
  return { forwards, warnings: [...warnings, ...openWarnings(addons, request.addresses)] }
}

/** A port for the whole network leads whoever finds it to an add-on that lets anyone in. */
function openWarnings(addons: SurveyedAddon[], addresses: string[]): Warning[] {
  if (isLoopback(addresses)) return []
  return addons.flatMap(({ found: { addon }, access }) => {
    if (access.kind === 'login') return []
    const who = access.kind === 'anonymous' ? `lets anyone in as ${access.role}` : 'may let anyone in'
    const message = `${addon.title} ${who}, and ${addresses.join(', ')} is reached from the network`
    return [{ code: 'ADDRESS_OPEN', message, remedy: 'leave --address out: then only this machine reaches it' }]
  })
}

async function namedForward(
  { name, port }: { name: string; port?: number | undefined },
  named: string | undefined,
  cluster: Cluster,
): Promise<Forward> {
  const namespace = named ?? cluster.namespace
  const service = await cluster.get<Service>(SERVICES, { name, namespace })
  if (service === undefined) {
    throw new UserError('SERVICE_NOT_FOUND', `there is no Service ${name} in namespace ${namespace}`, {
      suggestions: ['-n NAMESPACE', `kubectl get services -A | grep ${name}`],
    })
  }
  const known = service.spec.ports?.map(({ port: number }) => number) ?? []
  const chosen = port ?? known[0]
  if (chosen === undefined || !known.includes(chosen)) {
    throw new UserError(
      'PORT_MISSING',
      `Service ${namespace}/${name} has no port${port === undefined ? 's' : ` ${port}; it has ${known.join(', ') || 'none'}`}`,
      {
        suggestions: known.map((number) => `svc/${name}:${number}`),
      },
    )
  }
  return { name, namespace, service: name, portName: portNameOf(service, chosen), usualPort: chosen, path: '/' }
}

function portNameOf({ spec }: Service, number: number): string {
  return spec.ports?.find(({ port }) => port === number)?.name ?? ''
}

/** @param running gets each as soon as it runs: whoever asks ends them, also when a later one cannot be started */
async function startAll(
  forwards: Forward[],
  running: Running[],
  request: PortForwardRequest,
  dependencies: Needs,
  forwarding: Forwarding,
  stop: (outcome: Ending) => void,
): Promise<void> {
  const names = forwards.map(({ name }) => name)
  for (const forward of forwards) {
    const asked = portAskedFor(request.ports, forward.name, names)
    const one = await start(forward, asked, request, dependencies, forwarding, stop)
    // Its failure is waited for once all have been started.
    one.following.catch(() => {})
    running.push(one)
  }
}

interface Running {
  following: Promise<void>
  close(): void
}

async function start(
  forward: Forward,
  asked: number | undefined,
  request: PortForwardRequest,
  { cluster, random }: Needs,
  { listener, timers, signal, tell }: Forwarding,
  stop: (outcome: Ending) => void,
): Promise<Running> {
  let url = ''
  let hasServed = false
  const say = (event: Omit<ForwardEvent, 'addon' | 'url'>) => tell({ ...event, addon: forward.name, url })
  const lost = (reason: string) => {
    say({ event: 'lost', reason })
    if (request.exitOnLoss) stop('lost')
  }
  const chance = () => (random(1)[0] ?? 0) / 256
  const route = new PodRoute({
    timers,
    chance,
    tell: (event: RouteEvent) => {
      hasServed ||= event.event === 'connected'
      if (event.event !== 'lost') say(event)
      // What is not allowed at the beginning will not be in a second.
      else if (!hasServed && event.cause instanceof UserError && event.cause.code === 'FORBIDDEN') stop(event.cause)
      else lost(event.reason)
    },
    dial: async ({ pod, port }, closed) => {
      const upgraded = await cluster.portForward(podName(forward, pod))
      return new Session(upgraded, port, timers, closed)
    },
  })
  const sockets = new Set<Socket>()
  const options = { wait: request.wait, localHostsOnly: isLoopback(request.addresses), title: forward.name, timers }
  const take = (socket: Socket) => {
    sockets.add(socket)
    void carry(socket, route, options).then(() => sockets.delete(socket))
  }
  const listening = await listenNear(listener, request.addresses, { asked, usual: forward.usualPort }, take)
  url = urlOf(request.addresses, listening, forward.path)
  say({ event: 'listening' })
  const beating = beat(route, timers)
  return {
    following: followEndpoints(forward, route, { cluster, timers, signal, chance, lost }),
    close: () => {
      beating()
      listening.close()
      route.close()
      // An end would look like all there is.
      for (const socket of sockets) reset(socket)
      say({ event: 'closed' })
    },
  }
}

function podName({ namespace }: Forward, name: string): Required<ObjectName> {
  return { namespace, name }
}

function beat(route: PodRoute, timers: Timers): () => void {
  let callOff = () => {}
  const again = () => {
    route.beat()
    callOff = timers.after(BEAT, again)
  }
  callOff = timers.after(BEAT, again)
  return () => callOff()
}

function isLoopback(addresses: string[]): boolean {
  return addresses.every((address) => address === '::1' || address === 'localhost' || address.startsWith('127.'))
}

const EVERYWHERE = ['127.0.0.1', '::1', '0.0.0.0', '::']

/** `localhost` leads to 127.0.0.1 and ::1 alone. */
function urlOf(addresses: string[], { port }: Listening, path: string): string {
  const [first = 'localhost'] = addresses
  const host = addresses.some((address) => EVERYWHERE.includes(address)) ? 'localhost' : first
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}${path}`
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined)
    else signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })
}
