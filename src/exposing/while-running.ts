/** An exposure for as long as the command runs: whatever ends it, what it made goes. */
import type { AddonChoice } from '../addons/catalog.ts'
import { type CleanupResult, cleanup } from '../cleaning/cleanup.ts'
import { interrupted, UserError } from '../errors.ts'
import type { Clock, Dependencies } from '../world.ts'
import { type ExposeRequest, expose } from './expose.ts'
import type { ExposeReport } from './result.ts'
import { type Inventory, takeInventory } from './undo/undo.ts'

export interface WhileRunning {
  /** Says that somebody wants it to end. Not asked for when it ends by itself. */
  ending(): AbortSignal
  show(report: ExposeReport): void
  showEnd(result: CleanupResult): void
}

/** The longest that a timer can take is 24 days. */
const LONGEST_SLEEP = 3_600_000

/** @throws UserError; as `expose`, and INTERRUPTED (exit 130) when it was ended before the pages were there */
export async function exposeWhile(
  request: ExposeRequest & { whileRunning: boolean },
  dependencies: Dependencies,
  { ending, show, showEnd }: WhileRunning,
): Promise<void> {
  if (!request.whileRunning) return show(await expose(request, dependencies))
  const signal = ending()
  const before = await takeInventory(dependencies.cluster)
  try {
    const report = await expose(request, interruptible(dependencies, signal))
    show(report)
    if (report.result.outcome !== 'applied') return
    dependencies.terminal.note('exposed until Ctrl-C')
    await untilEnd(request.terms.ttl, dependencies.clock, signal)
  } catch (error) {
    await takeBack(request.addons, before, dependencies)
    throw signal.aborted ? stopped() : error
  }
  showEnd(await takeBack(request.addons, before, dependencies))
}

/** What was there before stays, and so does what others expose meanwhile under other names. */
function takeBack({ names }: AddonChoice, since: Inventory, dependencies: Dependencies): Promise<CleanupResult> {
  return cleanup({ addons: { names, named: false }, since, yes: true, dryRun: 'none' }, dependencies)
}

async function untilEnd(ttl: number | 'never' | undefined, clock: Clock, signal: AbortSignal): Promise<void> {
  const end = typeof ttl === 'number' ? clock.now().getTime() + ttl : Number.POSITIVE_INFINITY
  for (let left = ttl; !signal.aborted; ) {
    left = end - clock.now().getTime()
    if (left <= 0) return
    await clock.sleep(Math.min(left, LONGEST_SLEEP), signal)
  }
}

/** The same world, which does nothing more once the signal is given. What has been sent to the cluster by then is waited for. */
function interruptible(world: Dependencies, signal: AbortSignal): Dependencies {
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(stopped()), { once: true })
  })
  aborted.catch(() => {})
  return {
    ...world,
    cluster: before(world.cluster, signal),
    terminal: {
      interactive: world.terminal.interactive,
      note: (line) => world.terminal.note(line),
      confirm: (...asked) => Promise.race([world.terminal.confirm(...asked), aborted]),
      select: (...asked) => Promise.race([world.terminal.select(...asked), aborted]),
      checkbox: (...asked) => Promise.race([world.terminal.checkbox(...asked), aborted]),
      input: (...asked) => Promise.race([world.terminal.input(...asked), aborted]),
    },
    prober: {
      probe: (target) => Promise.race([world.prober.probe(target), aborted]),
      servedCertificate: (target) => Promise.race([world.prober.servedCertificate(target), aborted]),
      // It takes two seconds at most, and is not always waited for.
      resolve: (hosts) => world.prober.resolve(hosts),
    },
    clock: { now: () => world.clock.now(), sleep: (time) => Promise.race([world.clock.sleep(time, signal), aborted]) },
  }
}

function stopped(): UserError {
  return new UserError('INTERRUPTED', 'interrupted; what had been made was taken back', {
    exitCode: interrupted().exitCode,
  })
}

/**
 * An object whose methods do nothing more after the signal. They refuse as promises do: one that threw among several calls would leave
 * the others' refusals to nobody, and those end the program.
 */
function before<T extends object>(target: T, signal: AbortSignal): T {
  return new Proxy(target, {
    get(_, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      return (...words: unknown[]) => (signal.aborted ? Promise.reject(stopped()) : value.apply(target, words))
    },
  })
}
