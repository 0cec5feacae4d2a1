/** Local ports that lead to add-ons or any Service, and stay when pods go and come. */
import type { PortChoice } from '../addons/port-choice.ts'
import { interrupted, type UserError } from '../errors.ts'
import type { Browser } from '../terminal/browser.ts'
import { every, pause, type Timers } from '../time/timers.ts'
import { unlessAborted } from '../time/unless-aborted.ts'
import type { Dependencies, Warning } from '../world.ts'
import { type Forward, type ForwardChoice, findForwards } from './forwards.ts'
import type { Listener } from './listener.ts'
import { type ForwardEvent, type LocalForward, type LocalForwarding, startForward } from './local-forward.ts'
import { portAskedFor } from './local-ports.ts'
import { type ConnectionReport, Traffic, type TrafficReport } from './traffic-counter.ts'

export interface PortForwardRequest extends ForwardChoice {
  ports: PortChoice
  /** Milliseconds that a connection waits for a Ready pod. */
  wait: number
  /** Milliseconds after which it ends by itself. */
  duration?: number | undefined
  exitOnLoss: boolean
  /** Whether pages are opened in the browser as soon as there is a pod. */
  open: boolean
}

export interface Forwarding {
  listener: Listener
  timers: Timers
  browser: Browser
  /** Ends it: Ctrl-C, a closed terminal. */
  signal: AbortSignal
}

/** Who hears of it. */
export interface ForwardAudience {
  tell(event: ForwardEvent): void
  warn(warnings: Warning[]): void
  /** Of each connection when it is over. */
  tellConnection(report: ConnectionReport): void
  /** About once a second, when something is different. */
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
  forwarding: Forwarding,
  audience: ForwardAudience,
): Promise<PortForwardResult> {
  const { signal, timers } = forwarding
  const found = await unlessAborted(findForwards(request, dependencies), signal)
  if (found === undefined) throw interrupted()
  audience.warn(found.warnings)
  const traffic = new Traffic()
  const ending = new AbortController()
  const interrupt = () => ending.abort('interrupted')
  signal.addEventListener('abort', interrupt)
  const served = new Set<string>()
  const openPage = pageOpener(forwarding.browser, audience)
  const local = localForwarding(request, { ...forwarding, signal: ending.signal }, audience, {
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
    await startAll(found.forwards, running, request, dependencies, local)
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

interface Course {
  traffic: Traffic
  connected(event: ForwardEvent): void
  stop(outcome: Ending): void
}

function localForwarding(
  { addresses, wait, exitOnLoss }: PortForwardRequest,
  { listener, timers, signal }: Forwarding,
  { tell, tellConnection }: ForwardAudience,
  { traffic, connected, stop }: Course,
): LocalForwarding {
  return {
    ...{ addresses, wait, listener, timers, signal, traffic, tellConnection },
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

/** @param running gets each as soon as it runs: whoever asks ends them, also when a later one cannot be started */
async function startAll(
  forwards: Forward[],
  running: LocalForward[],
  { ports }: PortForwardRequest,
  dependencies: Needs,
  local: LocalForwarding,
): Promise<void> {
  const names = forwards.map(({ name }) => name)
  for (const forward of forwards) {
    const one = await startForward(forward, portAskedFor(ports, forward.name, names), dependencies, local)
    running.push(one)
  }
}

function watchTraffic(traffic: Traffic, timers: Timers, tell: (report: TrafficReport) => void): () => void {
  let last = ''
  return every(TRAFFIC_BEAT, timers, () => {
    const report = traffic.report()
    const now = Object.values(report).join()
    if (now !== last) tell(report)
    last = now
  })
}

/** @returns what opens a page; says once why none can be opened */
function pageOpener(browser: Browser, { warn }: ForwardAudience): (url: string) => Promise<void> {
  let hasWarned = false
  return async (url) => {
    const why = await browser.open(url)
    if (why === undefined || hasWarned) return
    hasWarned = true
    const { host } = new URL(url)
    const remedy = `open ${url} yourself; from another machine after: ssh -L ${host.split(':').pop()}:${host} THIS_MACHINE`
    warn([{ code: 'BROWSER_NOT_OPENED', message: `no page was opened: ${why}`, remedy }])
  }
}
