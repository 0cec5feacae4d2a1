/** Opens local ports to add-ons or any Service, which stay open when pods are replaced. */

import type { PortChoice } from '../addons/port-choice.ts'
import { interrupted, type UserError } from '../errors.ts'
import { type Finding, notes } from '../findings.ts'
import type { Browser } from '../terminal/browser.ts'
import { every, pause, type Timers } from '../time/timers.ts'
import { unlessAborted } from '../time/unless-aborted.ts'
import type { Dependencies } from '../world.ts'
import type { ForwardEvent } from './event-reporter.ts'
import { type Forward, type ForwardChoice, findForwards } from './forwards.ts'
import type { Listener } from './listener.ts'
import { type LocalForward, type LocalForwardOptions, startForward } from './local-forward.ts'
import { requestedPort } from './local-ports.ts'
import { type ConnectionReport, TrafficCounter, type TrafficReport } from './traffic-counter.ts'

export interface PortForwardRequest extends ForwardChoice {
  ports: PortChoice
  /** Milliseconds that a connection waits for a Ready pod. */
  wait: number
  /** Milliseconds after which the command ends. */
  duration?: number | undefined
  exitOnLoss: boolean
  /** Whether to open each page in the browser as soon as it has a pod. */
  open: boolean
}

/** Adapters of this machine, and the end of the run. */
export interface ForwardEnvironment {
  listener: Listener
  timers: Timers
  browser: Browser
  /** Aborted by Ctrl-C or a closed terminal. */
  signal: AbortSignal
}

/** Receives events, warnings and reports. */
export interface ForwardAudience {
  tell(event: ForwardEvent): void
  warn(warnings: Finding[]): void
  /** Called when a connection has ended. */
  tellConnection(report: ConnectionReport): void
  /** Called about once a second, when the numbers have changed. */
  tellTraffic?: ((report: TrafficReport) => void) | undefined
}

export interface PortForwardResult {
  outcome: 'ended' | 'interrupted' | 'lost'
}

type Needs = Pick<Dependencies, 'cluster' | 'terminal' | 'random'>

const TRAFFIC_BEAT = 1_000

/** @throws UserError; see the codes in forwards.ts and local-ports.ts, and FORBIDDEN */
export async function portForward(
  request: PortForwardRequest,
  dependencies: Needs,
  environment: ForwardEnvironment,
  audience: ForwardAudience,
): Promise<PortForwardResult> {
  const { signal, timers } = environment
  const found = await unlessAborted(findForwards(request, dependencies), signal)
  if (found === undefined) throw interrupted()
  audience.warn(found.warnings)
  // A failed reading ends the run by its path.
  found.pathWarnings.then((warnings) => audience.warn(warnings)).catch(() => {})
  const traffic = new TrafficCounter()
  const ending = new AbortController()
  const interrupt = () => ending.abort('interrupted')
  signal.addEventListener('abort', interrupt)
  const served = new Set<string>()
  const openPage = pageOpener(environment.browser, audience)
  const options = localOptions(request, { ...environment, signal: ending.signal }, audience, {
    traffic,
    connected: ({ addon, url }) => {
      if (request.open && !served.has(addon)) void openPage(url)
      served.add(addon)
    },
    stop: (outcome) => ending.abort(outcome),
  })
  const running: LocalForward[] = []
  const { tellTraffic } = audience
  const stopWatching = tellTraffic && watchTraffic(traffic, timers, tellTraffic)
  try {
    for await (const one of startAll(found.forwards, request, dependencies, options)) running.push(one)
    if (request.duration !== undefined) void endAfter(request.duration, timers, ending)
    await unlessAborted(Promise.all(running.map(({ following }) => following)), ending.signal)
    const outcome: Ending = ending.signal.reason ?? 'ended'
    if (outcome instanceof Error) throw outcome
    if (outcome === 'interrupted' && served.size === 0) throw interrupted()
    return { outcome }
  } finally {
    stopWatching?.()
    signal.removeEventListener('abort', interrupt)
    ending.abort('ended')
    for (const { close } of running) close()
  }
}

/** Why the run ends; an error is thrown to the user. */
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

/** What the ports change in the state of the run. */
interface RunState {
  traffic: TrafficCounter
  connected(event: ForwardEvent): void
  stop(outcome: Ending): void
}

function localOptions(
  { addresses, wait, exitOnLoss }: PortForwardRequest,
  { listener, timers, signal }: ForwardEnvironment,
  { tell, warn, tellConnection }: ForwardAudience,
  { traffic, connected, stop }: RunState,
): LocalForwardOptions {
  return {
    ...{ addresses, wait, listener, timers, signal, traffic, warn, tellConnection },
    tell: (event) => {
      tell(event)
      if (event.event !== 'connected') return
      traffic.connected(event.addon)
      connected(event)
    },
    lost: () => {
      if (exitOnLoss) stop('lost')
    },
    fail: stop,
  }
}

/** Yields each port as soon as it is open, so that the caller can close the open ones when a later one fails. */
async function* startAll(
  forwards: Forward[],
  { ports }: PortForwardRequest,
  dependencies: Needs,
  options: LocalForwardOptions,
): AsyncGenerator<LocalForward> {
  const names = forwards.map(({ name }) => name)
  for (const forward of forwards)
    yield await startForward(forward, requestedPort(ports, forward.name, names), dependencies, options)
}

function watchTraffic(traffic: TrafficCounter, timers: Timers, tell: (report: TrafficReport) => void): () => void {
  let last = ''
  return every(TRAFFIC_BEAT, timers, () => {
    const report = traffic.report()
    const now = Object.values(report).join()
    if (now !== last) tell(report)
    last = now
  })
}

/** @returns a function that opens a page, and warns once when the browser cannot be started */
function pageOpener(browser: Browser, { warn }: ForwardAudience): (url: string) => Promise<void> {
  let hasWarned = false
  return async (url) => {
    const why = await browser.open(url)
    if (why === undefined || hasWarned) return
    hasWarned = true
    const { host } = new URL(url)
    const remedy = `open ${url} yourself; on another machine first run: ssh -L ${host.split(':').pop()}:${host} THIS_MACHINE`
    warn([notes('BROWSER_NOT_OPENED', `could not open the browser: ${why}`, remedy)])
  }
}
