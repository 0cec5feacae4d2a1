import type { Warning } from '../world.ts'

/** One line a warning, then what to do about it; empty without warnings. */
export function renderWarnings(warnings: Warning[]): string {
  return warnings.map(({ code, message, remedy }) => `warning: ${message} (${code})\n  try: ${remedy}`).join('\n')
}
