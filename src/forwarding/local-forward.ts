/** Opens one local port to the pods of one Service. */
import type { Socket } from 'node:net'
import type { ObjectName } from '../cluster/cluster.ts'
import { hasCode, type UserError } from '../errors.ts'
import { type Finding, notes } from '../findings.ts'
import { every, type Timers } from '../time/timers.ts'
import type { Dependencies } from '../world.ts'
import { carry } from './connection.ts'
import { EventReporter, type ForwardEvent } from './event-reporter.ts'
import { followEndpoints } from './follow-endpoints.ts'
import { type Forward, type ForwardedPage, isLoopback } from './forwards.ts'
import type { Listener, Listening } from './listener.ts'
import { listenNear } from './local-ports.ts'
import { PodRoute, type RouteEvent } from './pod-route.ts'
import { reset } from './reset.ts'
import type { ConnectionReport, TrafficCounter } from './traffic-counter.ts'
import { Session } from './tunnel/session.ts'
import { wantsHttps } from './wants-https.ts'

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
  warn(warnings: Finding[]): void
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
  let listening: Listening | undefined
  let newest: Session | undefined
  const urlOf = (page: ForwardedPage) => localUrl(addresses, listening?.port, page)
  const reporter = new EventReporter({ forward, urlOf, tell: options.tell })
  const lost = (reason: string) => {
    reporter.report({ event: 'lost', reason })
    options.lost()
  }
  const chance = () => (random(1)[0] ?? 0) / 256
  const route = new PodRoute({
    timers,
    chance,
    tell: (event: RouteEvent) => {
      if (event.event === 'connected' && !hasServed && forward.isAddon && newest !== undefined)
        void reporter.waitFor(speaksHttps(forward, newest, timers))
      hasServed ||= event.event === 'connected'
      if (event.event !== 'lost') reporter.report(event)
      // A permission that is missing at the start will still be missing in a second.
      else if (!hasServed && hasCode(event.cause, 'FORBIDDEN')) options.fail(event.cause)
      else lost(event.reason)
    },
    dial: async ({ pod, port }, closed) => {
      const upgraded = await cluster.portForward(podName(forward, pod))
      newest = new Session(upgraded, port, timers, closed)
      return newest
    },
  })
  const sockets = new Set<Socket>()
  const learn = () => {
    if (!reporter.isSecure) options.warn(servedByHttps(forward, reporter.setSecure()))
  }
  const accept = (socket: Socket) => {
    sockets.add(socket)
    void serve(socket, route, { title: forward.name, tellHttps: learn }, options).then(() => sockets.delete(socket))
  }
  // Started before listening, so that both run at the same time.
  const following = followEndpoints(forward, route, { cluster, timers, signal, chance, lost })
  // The caller awaits it after all ports are open; this only prevents an unhandled rejection.
  following.catch(() => {})
  const opened = await listenNear(listener, addresses, { requested, usual: forward.usualPort }, accept).catch(
    (error) => {
      route.close()
      throw error
    },
  )
  listening = opened
  forward.page.then((page) => reporter.setPage(page), options.fail)
  const stopBeating = every(BEAT, timers, () => route.beat())
  return {
    following,
    close: () => {
      stopBeating()
      opened.close()
      route.close()
      // With a normal end a client would take a partial answer for a complete one.
      for (const socket of sockets) reset(socket)
      reporter.close()
    },
  }
}

async function serve(
  socket: Socket,
  route: PodRoute,
  { title, tellHttps }: { title: string; tellHttps(): void },
  { addresses, wait, timers, traffic, tellConnection }: LocalForwardOptions,
): Promise<void> {
  const started = timers.now()
  const counts = traffic.begin()
  await carry(socket, route, { wait, localHostsOnly: isLoopback(addresses), title, timers, tellHttps }, counts)
  traffic.end(counts)
  tellConnection({ ...counts, addon: title, milliseconds: timers.now() - started })
}

function podName({ namespace }: Forward, name: string): Required<ObjectName> {
  return { namespace, name }
}

const EVERYWHERE = ['127.0.0.1', '::1', '0.0.0.0', '::']

/** `localhost` resolves only to 127.0.0.1 and ::1. */
function localUrl(addresses: string[], port: number | undefined, { secure, path }: ForwardedPage): string {
  const [first = 'localhost'] = addresses
  const host = addresses.some((address) => EVERYWHERE.includes(address)) ? 'localhost' : first
  const { pathname } = new URL(path, 'http://localhost')
  return `${secure ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}${pathname}`
}

/** As its Service and its configuration say; where they do not, as its first pod answers. A page that cannot be read ends the run elsewhere. */
async function speaksHttps({ page }: Forward, session: Session, timers: Timers): Promise<boolean> {
  const known = await page.catch(() => undefined)
  return known?.secure === true || (known !== undefined && wantsHttps(session, timers))
}

function servedByHttps({ name, namespace, service }: Forward, url: string | undefined): Finding[] {
  const message = `Service ${namespace}/${service} speaks HTTPS: it refused a request for plain HTTP`
  return [notes('HTTPS_WANTED', message, url === undefined ? `https:// for ${name}` : `open ${url}`)]
}
