/** One local port that leads to the pods of one Service. */
import type { Socket } from 'node:net'
import type { ObjectName } from '../cluster/cluster.ts'
import { UserError } from '../errors.ts'
import { every, type Timers } from '../time/timers.ts'
import type { Dependencies } from '../world.ts'
import { carry } from './connection.ts'
import { followEndpoints } from './follow-endpoints.ts'
import { type Forward, isLoopback } from './forwards.ts'
import type { Listener, Listening } from './listener.ts'
import { listenNear } from './local-ports.ts'
import { PodRoute, type RouteEvent } from './pod-route.ts'
import { reset } from './reset.ts'
import type { ConnectionReport, Traffic } from './traffic-counter.ts'
import { Session } from './tunnel/session.ts'

/** One line of `-o json`. */
export interface ForwardEvent {
  event: 'listening' | 'connected' | 'waiting' | 'lost' | 'closed'
  addon: string
  url: string
  pod?: string
  reason?: string
}

/** How all of a run's ports behave, and what they tell. */
export interface LocalForwarding {
  addresses: string[]
  /** Milliseconds that a connection waits for a Ready pod. */
  wait: number
  listener: Listener
  timers: Timers
  signal: AbortSignal
  traffic: Traffic
  tell(event: ForwardEvent): void
  tellConnection(report: ConnectionReport): void
  /** The cluster is lost, for now. */
  lost(): void
  /** It makes no sense to go on. */
  fail(error: UserError): void
}

/** A port that is open. */
export interface LocalForward {
  /** Settles when it has come to an end by itself. */
  following: Promise<void>
  close(): void
}

/** Often enough for load balancers that cut what is idle for a minute. */
const BEAT = 20_000

/**
 * @param asked the port, if there is no choice
 * @throws UserError; see the codes in local-ports.ts
 */
export async function startForward(
  forward: Forward,
  asked: number | undefined,
  { cluster, random }: Pick<Dependencies, 'cluster' | 'random'>,
  forwarding: LocalForwarding,
): Promise<LocalForward> {
  const { addresses, listener, timers, signal } = forwarding
  let hasServed = false
  const { say, listens } = saying(forward, forwarding)
  const lost = (reason: string) => {
    say({ event: 'lost', reason })
    forwarding.lost()
  }
  const chance = () => (random(1)[0] ?? 0) / 256
  const route = new PodRoute({
    timers,
    chance,
    tell: (event: RouteEvent) => {
      hasServed ||= event.event === 'connected'
      if (event.event !== 'lost') say(event)
      // What is not allowed at the beginning will not be in a second.
      else if (!hasServed && event.cause instanceof UserError && event.cause.code === 'FORBIDDEN')
        forwarding.fail(event.cause)
      else lost(event.reason)
    },
    dial: async ({ pod, port }, closed) => {
      const upgraded = await cluster.portForward(podName(forward, pod))
      return new Session(upgraded, port, timers, closed)
    },
  })
  const sockets = new Set<Socket>()
  const take = (socket: Socket) => {
    sockets.add(socket)
    void serve(socket, route, forward.name, forwarding).then(() => sockets.delete(socket))
  }
  // Beside the listening, which takes as long as the first answer of the watch.
  const following = followEndpoints(forward, route, { cluster, timers, signal, chance, lost })
  // Its failure is waited for once all have been started.
  following.catch(() => {})
  const listening = await listenNear(listener, addresses, { asked, usual: forward.usualPort }, take).catch((error) => {
    route.close()
    throw error
  })
  forward.path.then((path) => listens(urlOf(addresses, listening, path)), forwarding.fail)
  const stopBeating = every(BEAT, timers, () => route.beat())
  return {
    following,
    close: () => {
      stopBeating()
      listening.close()
      route.close()
      // An end would look like all there is.
      for (const socket of sockets) reset(socket)
      say({ event: 'closed' })
    },
  }
}

type Said = Omit<ForwardEvent, 'addon' | 'url'>

/** What is said before the port's URL is known is told after it. */
function saying(
  { name: addon }: Forward,
  { tell }: LocalForwarding,
): { say(event: Said): void; listens(url: string): void } {
  const early: Said[] = []
  let say = (event: Said): void => {
    early.push(event)
  }
  return {
    say: (event) => say(event),
    listens: (url) => {
      say = (event) => tell({ ...event, addon, url })
      for (const event of [{ event: 'listening' as const }, ...early]) say(event)
    },
  }
}

async function serve(
  socket: Socket,
  route: PodRoute,
  addon: string,
  { addresses, wait, timers, traffic, tellConnection }: LocalForwarding,
): Promise<void> {
  const started = timers.now()
  const carried = traffic.begin()
  await carry(socket, route, { wait, localHostsOnly: isLoopback(addresses), title: addon, timers }, carried)
  traffic.end(carried)
  tellConnection({ ...carried, addon, milliseconds: timers.now() - started })
}

function podName({ namespace }: Forward, name: string): Required<ObjectName> {
  return { namespace, name }
}

const EVERYWHERE = ['127.0.0.1', '::1', '0.0.0.0', '::']

/** `localhost` leads to 127.0.0.1 and ::1 alone. */
function urlOf(addresses: string[], { port }: Listening, path: string): string {
  const [first = 'localhost'] = addresses
  const host = addresses.some((address) => EVERYWHERE.includes(address)) ? 'localhost' : first
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}${path}`
}
