/** Reads the status repeatedly, and shows it when it has changed. */

import { UserError } from '../errors.ts'
import { asFinding } from '../findings.ts'
import { unlessAborted } from '../time/unless-aborted.ts'
import type { Dependencies } from '../world.ts'
import type { StatusReport } from './report.ts'
import { type StatusRequest, status } from './status.ts'

/** Milliseconds between two reads, each of which requests every page once. */
const EVERY = 5_000

interface Showing {
  /** Repeat until a signal. */
  watch: boolean
  ending(): AbortSignal
  show(report: StatusReport): void
}

/** Shows the status once, or repeatedly. @throws UserError when the first read fails */
export async function runStatus(request: StatusRequest, dependencies: Dependencies, showing: Showing): Promise<void> {
  if (showing.watch) await watchStatus(request, dependencies, showing.ending(), showing.show)
  else showing.show(await status(request, dependencies))
}

/**
 * @param signal ends the loop
 * @throws UserError when the first read fails; later failures are problems in the report
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
    return { ...last, problems: [asFinding(error, 'fails')] }
  }
}

/** Response times differ each time, so they are not compared. */
function withoutTimes(report: StatusReport | undefined): string {
  return JSON.stringify(report, (key, value) => (key === 'milliseconds' ? undefined : value)) ?? ''
}
