import { hasCode, UserError } from '../errors.ts'

/** The command that undoes everything, for errors after the first write. */
export const UNDO = 'kubectl telemetry cleanup --scraping   # undoes everything'

/**
 * An error that ends a run while changes are in place, also those of an earlier run: it names the way back.
 * @param isInPlace whether an object has a change of scraping
 */
export function namingUndo(error: unknown, isInPlace: boolean): unknown {
  if (!isInPlace || !hasCode(error, 'ROLLOUT_FAILED', 'PROMETHEUS_UNREACHABLE', 'PROMETHEUS_PROTECTED')) return error
  const { code, message, suggestions, exitCode } = error
  if (suggestions.includes(UNDO)) return error
  return new UserError(code, message, { suggestions: [...suggestions, UNDO], exitCode, cause: error })
}
