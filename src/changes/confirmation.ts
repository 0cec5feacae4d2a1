/** The only place that asks "do it?". Without a terminal, the flag `-y` has to answer. */
import { UserError } from '../errors.ts'
import type { Terminal } from '../terminal/terminal.ts'

export interface Confirmation {
  /** `-y`: the user has confirmed already. */
  yes: boolean
  /** What the command would do, after "to": `change 2 workloads and restart 5 pods`. */
  effect: string
  /** Printed before the lines, not indented: what the user should know before the answer. */
  remarks?: string[]
  /** One line for each change: `Secret istio-system/web-tls: create`. */
  lines: string[]
  question: string
  /** The kind of dry run that shows the same changes. */
  preview: 'client' | 'server'
}

/**
 * Call it only when something would change: a run that changes nothing needs no answer.
 * @returns false when the user says no
 * @throws UserError CONSENT_REQUIRED without `-y` and without a terminal
 */
export async function confirm(
  { yes, effect, remarks = [], lines, question, preview }: Confirmation,
  terminal: Terminal,
): Promise<boolean> {
  if (yes) return true
  if (!terminal.interactive) {
    const message = `confirmation is required to ${effect}, and there is no terminal to ask on`
    throw new UserError('CONSENT_REQUIRED', message, {
      suggestions: ['-y', `--dry-run=${preview}   # shows what would change`],
    })
  }
  for (const remark of remarks) terminal.note(remark)
  for (const line of lines) terminal.note(`  ${line}`)
  return terminal.confirm(question)
}

/** `1 object`, `2 objects`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
