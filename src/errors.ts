import type { Code } from './codes.ts'
import { cut, withoutCredentials } from './text.ts'

/** The most characters of a message. */
const LONGEST = 4_000

/** A text of ours that may quote one of the cluster, of any length and with credentials in it. */
export function quoting(text: string): string {
  return withoutCredentials(cut(text, LONGEST))
}

/** Exit codes are a contract (DESIGN, promise 8): scripts branch on them. */
export const EXIT = { failed: 1, usage: 2, interrupted: 130 } as const

export interface UserErrorOptions {
  /** The next commands or flags to try, most likely first. */
  suggestions?: string[]
  exitCode?: number
  cause?: unknown
  /** Name of the cluster, where a command works in several. */
  cluster?: string | undefined
}

/**
 * An error that the user can fix. Every other thrown error is a bug of kubectl telemetry and keeps its stack.
 * `code` is stable and never reused; `message` says what and where; `suggestions` name the next command.
 */
export class UserError extends Error {
  readonly code: Code
  readonly suggestions: string[]
  readonly exitCode: number
  readonly cluster: string | undefined

  constructor(code: Code, message: string, options: UserErrorOptions = {}) {
    super(quoting(message), options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'UserError'
    this.code = code
    this.suggestions = (options.suggestions ?? []).map(quoting)
    this.exitCode = options.exitCode ?? EXIT.failed
    this.cluster = options.cluster
  }
}

/** A wrong flag, argument or value: exit code 2, and nothing was read or changed. */
export function usageError(code: Code, message: string, suggestions: string[] = []): UserError {
  return new UserError(code, message, { suggestions, exitCode: EXIT.usage })
}

/** The user pressed Ctrl-C. */
export function interrupted(message = 'interrupted; nothing was changed'): UserError {
  return new UserError('INTERRUPTED', message, { exitCode: EXIT.interrupted })
}

/** Whether an error is one of these. */
export function hasCode(error: unknown, ...codes: Code[]): error is UserError {
  return error instanceof UserError && codes.includes(error.code)
}

/** Whether a check finds nothing wrong. */
export function isAccepted(check: () => unknown): boolean {
  try {
    check()
    return true
  } catch (error) {
    if (error instanceof UserError) return false
    throw error
  }
}

/**
 * The error of a series of writes that failed in the middle. It reports what was changed before.
 * @param done the changes that were made; left out if `any` is false
 */
export function halfDone(error: unknown, done: string, any: boolean, suggestions: string[] = []): unknown {
  if (!(error instanceof UserError) || !any) return error
  return new UserError(error.code, `${error.message}; ${done}`, {
    suggestions: ['run the command again to complete it', ...suggestions, ...error.suggestions],
    exitCode: error.exitCode,
    cause: error,
    cluster: error.cluster,
  })
}
