/** Exit codes are a contract (DESIGN, promise 8): scripts branch on them. */
export const EXIT = { failed: 1, usage: 2, interrupted: 130 } as const

export interface UserErrorOptions {
  /** The next commands or flags to try, most likely first. */
  suggestions?: string[]
  exitCode?: number
  cause?: unknown
}

/**
 * Something the person who typed the command can mend. Everything else that is thrown is a bug of ours and keeps its stack.
 * `code` is stable and never reused; `message` says what and where; `suggestions` name the next command.
 */
export class UserError extends Error {
  readonly code: string
  readonly suggestions: string[]
  readonly exitCode: number

  constructor(code: string, message: string, options: UserErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'UserError'
    this.code = code
    this.suggestions = options.suggestions ?? []
    this.exitCode = options.exitCode ?? EXIT.failed
  }
}

/** A flag, an argument or one of their values is wrong: exit code 2, nothing was read or changed. */
export function usageError(code: string, message: string, suggestions: string[] = []): UserError {
  return new UserError(code, message, { suggestions, exitCode: EXIT.usage })
}

/** The person pressed Ctrl-C at a question. */
export function interrupted(): UserError {
  return new UserError('INTERRUPTED', 'interrupted; nothing was changed', { exitCode: EXIT.interrupted })
}

/**
 * The error of a series of writes that failed in the middle: nothing is half-changed without saying so.
 * @param done what had been done by then; left out when `any` is false
 */
export function halfDone(error: unknown, done: string, any: boolean, suggestions: string[] = []): unknown {
  if (!(error instanceof UserError) || !any) return error
  return new UserError(error.code, `${error.message}; ${done}`, {
    suggestions: ['run the command again to complete it', ...suggestions, ...error.suggestions],
    exitCode: error.exitCode,
    cause: error,
  })
}
