/** What a command has found out beside its answer: warnings of commands, problems of `status`, results of checks. */
import type { Code } from './codes.ts'
import { quoting, type UserError } from './errors.ts'

/** `fails`: something does not work, and a command that looks for it ends with exit code 1. `warns` and `notes` do not fail it. */
export type Severity = 'fails' | 'warns' | 'notes'

export interface Finding {
  /** Stable and never reused. */
  code: Code
  severity: Severity
  /** What, and where. */
  message: string
  /** The next commands or flags to try, most likely first. */
  remedies: string[]
}

export function fails(code: Code, message: string, ...remedies: string[]): Finding {
  return found(code, 'fails', message, remedies)
}

export function warns(code: Code, message: string, ...remedies: string[]): Finding {
  return found(code, 'warns', message, remedies)
}

export function notes(code: Code, message: string, ...remedies: string[]): Finding {
  return found(code, 'notes', message, remedies)
}

function found(code: Code, severity: Severity, message: string, remedies: string[]): Finding {
  return { code, severity, message: quoting(message), remedies: remedies.map(quoting) }
}

/** An error that does not end the command. */
export function asFinding({ code, message, suggestions }: UserError, severity: Severity): Finding {
  return { code, severity, message, remedies: suggestions }
}

/** Each finding once, where several reads say the same about one object. */
export function distinct(findings: readonly Finding[]): Finding[] {
  return [...new Map(findings.map((one) => [JSON.stringify(one), one])).values()]
}

/** The one rule for success. What else a command's exit code follows from (it was declined, say) is part of its own outcome. */
export function noneFails(findings: readonly Finding[]): boolean {
  return findings.every(({ severity }) => severity !== 'fails')
}
