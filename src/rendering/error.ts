import type { UserError } from '../errors.ts'
import { type OutputFormat, renderData } from './output.ts'

/** What went wrong, then what to do about it, one suggestion a line. */
/** @param oneLine for commands whose answer is one JSON object a line */
export function renderError(
  { code, message, suggestions }: UserError,
  format: OutputFormat | undefined,
  oneLine = false,
): string {
  if (format === 'json' && oneLine) return JSON.stringify({ error: { code, message, suggestions } })
  if (format !== undefined) return renderData({ error: { code, message, suggestions } }, format)
  return [`error: ${message} (${code})`, ...suggestions.map((suggestion) => `  try: ${suggestion}`)].join('\n')
}
