/** Runs the program and handles its errors. */
import { handle } from '@oclif/core'
import { bugError, stackOf } from './bug.ts'
import { UserError } from './errors.ts'
import { unknownCommand } from './flags/parse-errors.ts'
import { surviveFailedOutput, whyNotWritten, writeAside } from './terminal/console-streams.ts'
import { oneLine } from './text.ts'

/** @param run runs the command; oclif shows its errors, and a bug is reported as one error with a code */
export async function guarded(run: () => Promise<unknown>): Promise<void> {
  surviveFailedOutput()
  // Errors of callbacks and of promises that no code waits for.
  process.on('uncaughtException', endByBug)
  try {
    await run()
    await requireWritten()
  } catch (error) {
    if ((error as { oclif?: unknown }).oclif === undefined) return endByBug(error)
    // Help ends by such an error.
    await requireWritten()
    const unknown = unknownCommand(error as Error)
    if (unknown !== undefined) return end(unknown)
    await handle(error as Error)
  }
}

async function requireWritten(): Promise<void> {
  const why = await whyNotWritten()
  if (why !== undefined) end(new UserError('OUTPUT_FAILED', `the answer could not be written to stdout: ${why}`))
}

function endByBug(error: unknown): never {
  const stack = stackOf(error, process.argv.slice(2))
  if (stack !== '') writeAside(stack)
  end(bugError(error))
}

function end({ message, code, suggestions, exitCode }: UserError): never {
  const lines = [`error: ${message} (${code})`, ...suggestions.map((suggestion) => `  try: ${suggestion}`)]
  writeAside(lines.map(oneLine).join('\n'))
  process.exit(exitCode)
}
