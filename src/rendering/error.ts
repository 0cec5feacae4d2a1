import type { UserError } from '../errors.ts'
import { type OutputFormat, page, renderData, renderDataLine } from './output.ts'

/**
 * Renders an error, and below it one suggestion a line.
 * @param oneLine whether `-o json` prints one object a line
 */
export function renderError(
  { code, message, suggestions, cluster }: UserError,
  format: OutputFormat | undefined,
  oneLine = false,
): string {
  const error = { code, message, suggestions, ...(cluster === undefined ? {} : { cluster }) }
  if (format === 'json' && oneLine) return renderDataLine({ error })
  if (format !== undefined) return renderData({ error }, format)
  return page([`error: ${message} (${code})`, ...suggestions.map((suggestion) => `  try: ${suggestion}`)])
}
