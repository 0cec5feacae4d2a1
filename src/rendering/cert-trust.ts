import type { CertTrustResult, StoreOutcome } from '../certifying/trust.ts'
import { type OutputFormat, renderData } from './output.ts'

const ACTIONS: Record<StoreOutcome['action'], string> = {
  trusted: 'trusted',
  forgotten: 'forgotten',
  unchanged: 'unchanged',
  'by-hand': 'NOT DONE',
  failed: 'FAILED',
}

export function renderCertTrust(result: CertTrustResult, format: OutputFormat | undefined): string {
  if (format !== undefined) return renderData(result, format)
  const { outcome, stores } = result
  if (outcome === 'declined') return 'nothing was changed'
  return stores.map((store) => lines(store, outcome).join('\n')).join('\n')
}

function lines({ store, action, commands, message }: StoreOutcome, outcome: CertTrustResult['outcome']): string[] {
  const why = message === undefined ? '' : `: ${message.replaceAll('\n', '; ')}`
  // What was done need not be told in commands.
  const shown = outcome === 'planned' || action === 'by-hand' || action === 'failed' ? commands : []
  const mark = outcome === 'planned' ? ' (dry run)' : ''
  return [`${store} ${ACTIONS[action]}${why}${mark}`, ...shown.map((command) => `  ${command}`)]
}
