/** What is reported when something fails that is no UserError: a fault of kubectl telemetry itself. Pure. */
import { UserError } from './errors.ts'
import { withoutCredentials } from './text.ts'

/** @param error anything that was thrown */
export function bugError(error: unknown): UserError {
  const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  return new UserError('BUG', `kubectl telemetry failed by a fault of its own: ${what.split('\n')[0]}`, {
    suggestions: [
      '-v   # repeat the command with it to see where',
      'report it, with the output of -v, to the place where you got kubectl telemetry',
    ],
    cause: error,
  })
}

/** @returns whether the words of a command line have -v, also when its flags could not be parsed */
function isVerbose(words: readonly string[]): boolean {
  const end = words.indexOf('--')
  return (end < 0 ? words : words.slice(0, end)).some((word) => word === '-v' || word === '--verbose')
}

/** Where it was thrown, for the report; empty without -v. */
export function stackOf(error: unknown, words: readonly string[]): string {
  return isVerbose(words) && error instanceof Error && error.stack !== undefined ? withoutCredentials(error.stack) : ''
}
