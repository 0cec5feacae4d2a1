/** The status again and again, told when it is another one. */
import { UserError } from '../errors.ts'
import { unlessAborted } from '../time/unless-aborted.ts'
import type { Dependencies } from '../world.ts'
import { type StatusReport, type StatusRequest, status } from './status.ts'

/** Milliseconds between two looks, each of which asks every page once. */
const EVERY = 5_000

interface Showing {
  /** Again and again, until a signal. */
  watch: boolean
  ending(): AbortSignal
  show(report: StatusReport): void
}

/** Once, or again and again. @throws UserError when the first look fails */
export async function runStatus(request: StatusRequest, dependencies: Dependencies, showing: Showing): Promise<void> {
  if (showing.watch) await watchStatus(request, dependencies, showing.ending(), showing.show)
  else showing.show(await status(request, dependencies))
}

/**
 * @param signal ends it
 * @throws UserError when the first look fails; later it is told as a problem, and looked again
 */
export async function watchStatus(
  request: StatusRequest,
  dependencies: Dependencies,
  signal: AbortSignal,
  show: (report: StatusReport) => void,
): Promise<void> {
  let last: StatusReport | undefined
  while (!signal.aborted) {
    const report = await unlessAborted(look(request, dependencies, last), signal)
    if (report === undefined) return
    if (withoutTimes(report) !== withoutTimes(last)) show(report)
    last = report
    await dependencies.clock.sleep(EVERY, signal)
  }
}

async function look(
  request: StatusRequest,
  dependencies: Dependencies,
  last: StatusReport | undefined,
): Promise<StatusReport> {
  try {
    return await status(request, dependencies)
  } catch (error) {
    if (last === undefined || !(error instanceof UserError)) throw error
    const { code, message, suggestions } = error
    return { ...last, problems: [{ code, message, remedy: suggestions[0] ?? '' }] }
  }
}

/** How long a page took is different each time. */
function withoutTimes(report: StatusReport | undefined): string {
  return JSON.stringify(report, (key, value) => (key === 'milliseconds' ? undefined : value)) ?? ''
}
