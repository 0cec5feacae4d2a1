import type { Finding, Severity } from '../findings.ts'
import { page } from './output.ts'

const LABELS: Record<Severity, string> = { fails: 'error', warns: 'warning', notes: 'note' }

/** One line a finding, then one line a remedy; empty without findings. */
export function renderFindings(findings: Finding[]): string {
  return page(findingLines(findings))
}

export function findingLines(findings: Finding[]): string[] {
  return findings.flatMap(({ code, severity, message, remedies }) => [
    `${LABELS[severity]}: ${message} (${code})`,
    ...remedies.map((remedy) => `  try: ${remedy}`),
  ])
}
