/** The only file that writes to stdout and stderr. It shows what a terminal would obey, so that no text from the cluster controls it. */
import { visible } from '../text.ts'

/** Moves to the top of the screen and clears it (ECMA-48, CUP and ED). */
const CLEAR = '\u001b[H\u001b[2J'

/** Writes lines to stdout: the answer. */
export function writeAnswer(lines: string): void {
  process.stdout.write(`${visible(lines)}\n`)
}

/** Writes lines to stderr: the conversation. */
export function writeAside(lines: string): void {
  process.stderr.write(`${visible(lines)}\n`)
}

export function clearScreen(): void {
  process.stdout.write(CLEAR)
}

/** stderr for a line that is overwritten: its own control characters are kept. */
export const STATUS_SCREEN = {
  get columns(): number | undefined {
    return process.stderr.columns
  },
  write: (text: string): unknown => process.stderr.write(text),
}

/** Whether the user sees both streams. */
export function isSeen(): { answer: boolean; all: boolean } {
  const answer = process.stdout.isTTY === true
  return { answer, all: answer && process.stderr.isTTY === true }
}

let failure: NodeJS.ErrnoException | undefined

/**
 * From now on no failed output ends the process: a reader that goes away (`| head`, a closed terminal) must not stop a run between two
 * writes to the cluster. oclif's own handler would throw.
 */
export function surviveFailedOutput(): void {
  process.stdout.removeAllListeners('error').on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' && error.code !== 'ERR_STREAM_DESTROYED') failure ??= error
  })
  process.stderr.removeAllListeners('error').on('error', () => {})
}

/**
 * Waits until the answer is written. @returns why it could not be; undefined if it was, or if its reader no longer wanted it
 */
export async function whyNotWritten(): Promise<string | undefined> {
  // Not 'drain', which a stream that failed never emits.
  await new Promise<void>((resolve) => process.stdout.write('', () => resolve()))
  return failure?.message
}

/** Calls back once when nobody reads the answer any more. */
export function onReaderGone(act: () => void): void {
  process.stdout.once('error', act)
}
