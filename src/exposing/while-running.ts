/** Exposes add-ons while the command runs, and removes the exposure however the command ends. */
import { namesChosen } from '../addons/service-survey.ts'
import { type UndoResult, undo } from '../changes/undo.ts'
import { interrupted, type UserError } from '../errors.ts'
import type { Clock } from '../time/clock.ts'
import { untilTime } from '../time/until.ts'
import type { Dependencies } from '../world.ts'
import { expose } from './expose.ts'
import type { ExposeRequest } from './request.ts'
import type { ExposeReport } from './result.ts'
import { type Inventory, takeInventory } from './undo/find.ts'
import { undoExposures } from './undo/undo.ts'

export interface WhileRunning {
  /** The signal that ends the exposure. Called only with --while-running. */
  ending(): AbortSignal
  show(report: ExposeReport): void
  showEnd(result: UndoResult): void
}

/** @throws UserError; as `expose`, and INTERRUPTED (exit 130) when it was interrupted before the pages answered */
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
    await untilTime(endOf(request, dependencies.clock), dependencies.clock, signal)
  } catch (error) {
    await undoSince(before, request, dependencies)
    throw signal.aborted ? stopped() : error
  }
  showEnd(await undoSince(before, request, dependencies))
}

/** Earlier exposures stay, and so do those of other add-ons that another run creates at the same time. */
function undoSince(
  since: Inventory,
  { addons, services, namespace }: ExposeRequest,
  dependencies: Dependencies,
): Promise<UndoResult> {
  const names = namesChosen(addons.names, services, namespace ?? dependencies.cluster.namespace)
  const exposures = undoExposures({ addons: { names, named: false }, since }, dependencies)
  return undo(exposures, { yes: true, dryRun: 'none' }, dependencies)
}

function endOf({ terms: { ttl } }: ExposeRequest, clock: Clock): Date | undefined {
  return typeof ttl === 'number' ? new Date(clock.now().getTime() + ttl) : undefined
}

/** The same world, which starts nothing new after the signal. Requests that were sent before complete. */
function interruptible(world: Dependencies, signal: AbortSignal): Dependencies {
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(stopped()), { once: true })
  })
  aborted.catch(() => {})
  return {
    ...world,
    cluster: unlessStopped(world.cluster, signal),
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
      // Not interrupted: it takes two seconds at most, and some callers do not wait for it.
      resolve: (hosts) => world.prober.resolve(hosts),
    },
    clock: { now: () => world.clock.now(), sleep: (time) => Promise.race([world.clock.sleep(time, signal), aborted]) },
  }
}

function stopped(): UserError {
  return interrupted('interrupted; everything that this run created was removed')
}

/**
 * An object whose methods reject after the signal. They return rejected promises instead of throwing: if one of several calls threw,
 * nothing would handle the rejections of the others, and those end the program.
 */
function unlessStopped<T extends object>(target: T, signal: AbortSignal): T {
  return new Proxy(target, {
    get(_, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      return (...words: unknown[]) => (signal.aborted ? Promise.reject(stopped()) : value.apply(target, words))
    },
  })
}
