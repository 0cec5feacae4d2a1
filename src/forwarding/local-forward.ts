/** Opens one local port to the pods of one Service. */
import type { Socket } from 'node:net'
import type { ObjectName } from '../cluster/cluster.ts'
import { hasCode, type UserError } from '../errors.ts'
import { every, type Timers } from '../time/timers.ts'
import type { Dependencies } from '../world.ts'
import { carry } from './connection.ts'
import { followEndpoints } from './follow-endpoints.ts'
import { type Forward, isLoopback } from './forwards.ts'
import type { Listener, Listening } from './listener.ts'
import { listenNear } from './local-ports.ts'
import { PodRoute, type RouteEvent } from './pod-route.ts'
import { reset } from './reset.ts'
import type { ConnectionReport, TrafficCounter } from './traffic-counter.ts'
import { Session } from './tunnel/session.ts'

/** One line of `-o json`. */
export interface ForwardEvent {
  event: 'listening' | 'connected' | 'waiting' | 'lost' | 'closed'
  addon: string
  /** The Service. */
  namespace: string
  service: string
  url: string
  pod?: string
  reason?: string
}

/** Settings and callbacks that all ports of a run share. */
export interface LocalForwardOptions {
  addresses: string[]
  /** Milliseconds that a connection waits for a Ready pod. */
  wait: number
  listener: Listener
  timers: Timers
  signal: AbortSignal
  traffic: TrafficCounter
  tell(event: ForwardEvent): void
  tellConnection(report: ConnectionReport): void
  /** Called when the cluster cannot be reached for now. */
  lost(): void
  /** Called when retrying is useless. */
  fail(error: UserError): void
}

/** An open local port. */
export interface LocalForward {
  /** Settles when the watch of the pods ends. */
  following: Promise<void>
  close(): void
}

/** Milliseconds. Load balancers often close connections that are idle for a minute. */
const BEAT = 20_000

type Needs = Pick<Dependencies, 'cluster' | 'random'>

/**
 * @param requested the only acceptable port, if -p names one
 * @throws UserError; see the codes in local-ports.ts
 */
export async function startForward(
  forward: Forward,
  requested: number | undefined,
  { cluster, random }: Needs,
  options: LocalForwardOptions,
): Promise<LocalForward> {
  const { addresses, listener, timers, signal } = options
  let hasServed = false
  const { report, setUrl } = eventReporter(forward, options)
  const lost = (reason: string) => {
    report({ event: 'lost', reason })
    options.lost()
  }
  const chance = () => (random(1)[0] ?? 0) / 256
  const route = new PodRoute({
    timers,
    chance,
    tell: (event: RouteEvent) => {
      hasServed ||= event.event === 'connected'
      if (event.event !== 'lost') report(event)
      // A permission that is missing at the start will still be missing in a second.
      else if (!hasServed && hasCode(event.cause, 'FORBIDDEN')) options.fail(event.cause)
      else lost(event.reason)
    },
    dial: async ({ pod, port }, closed) => {
      const upgraded = await cluster.portForward(podName(forward, pod))
      return new Session(upgraded, port, timers, closed)
    },
  })
  const sockets = new Set<Socket>()
  const accept = (socket: Socket) => {
    sockets.add(socket)
    void serve(socket, route, forward.name, options).then(() => sockets.delete(socket))
  }
  // Started before listening, so that both run at the same time.
  const following = followEndpoints(forward, route, { cluster, timers, signal, chance, lost })
  // The caller awaits it after all ports are open; this only prevents an unhandled rejection.
  following.catch(() => {})
  const listening = await listenNear(listener, addresses, { requested, usual: forward.usualPort }, accept).catch(
    (error) => {
      route.close()
      throw error
    },
  )
  forward.path.then(
    (path) => setUrl(urlOf(addresses, listening, { secure: forward.secure ?? false, path })),
    options.fail,
  )
  const stopBeating = every(BEAT, timers, () => route.beat())
  return {
    following,
    close: () => {
      stopBeating()
      listening.close()
      route.close()
      // With a normal end a client would take a partial answer for a complete one.
      for (const socket of sockets) reset(socket)
      report({ event: 'closed' })
    },
  }
}

type EventDetails = Omit<ForwardEvent, 'addon' | 'namespace' | 'service' | 'url'>

/** Holds events back until the port's URL is known. */
function eventReporter(
  { name: addon, namespace, service }: Forward,
  { tell }: LocalForwardOptions,
): { report(event: EventDetails): void; setUrl(url: string): void } {
  const held: EventDetails[] = []
  let report = (event: EventDetails): void => {
    held.push(event)
  }
  return {
    report: (event) => report(event),
    setUrl: (url) => {
      report = (event) => tell({ ...event, addon, namespace, service, url })
      for (const event of [{ event: 'listening' as const }, ...held]) report(event)
    },
  }
}

async function serve(
  socket: Socket,
  route: PodRoute,
  addon: string,
  { addresses, wait, timers, traffic, tellConnection }: LocalForwardOptions,
): Promise<void> {
  const started = timers.now()
  const counts = traffic.begin()
  await carry(socket, route, { wait, localHostsOnly: isLoopback(addresses), title: addon, timers }, counts)
  traffic.end(counts)
  tellConnection({ ...counts, addon, milliseconds: timers.now() - started })
}

function podName({ namespace }: Forward, name: string): Required<ObjectName> {
  return { namespace, name }
}

const EVERYWHERE = ['127.0.0.1', '::1', '0.0.0.0', '::']

/** `localhost` resolves only to 127.0.0.1 and ::1. */
function urlOf(addresses: string[], { port }: Listening, { secure, path }: { secure: boolean; path: string }): string {
  const [first = 'localhost'] = addresses
  const host = addresses.some((address) => EVERYWHERE.includes(address)) ? 'localhost' : first
  const { pathname } = new URL(path, 'http://localhost')
  return `${secure ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}${pathname}`
}
