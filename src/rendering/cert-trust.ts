import type { OfferedAuthority } from '../certifying/offered.ts'
import type { CertTrustResult, StoreOutcome } from '../certifying/trust.ts'
import { type OutputFormat, page, renderData } from './output.ts'

const ACTIONS: Record<StoreOutcome['action'], string> = {
  trusted: 'trusted',
  forgotten: 'removed',
  unchanged: 'unchanged',
  'by-hand': 'NOT DONE',
  failed: 'FAILED',
}

export function renderCertTrust(result: CertTrustResult, format: OutputFormat | undefined): string {
  if (format !== undefined) return renderData(result, format)
  const { outcome, stores, details } = result
  if (outcome === 'declined') return 'nothing was changed'
  return page([...details.flatMap(authorityLines), ...stores.flatMap((store) => lines(store, outcome))])
}

/** A CA as people compare it. */
export function authorityLines({ subject, limits, fingerprint, source }: OfferedAuthority): string[] {
  return [`CA ${subject}`, `  vouches for  ${limits}`, `  fingerprint  ${fingerprint}`, `  from         ${source}`]
}

function lines({ store, action, commands, message }: StoreOutcome, outcome: CertTrustResult['outcome']): string[] {
  const why = message === undefined ? '' : `: ${message.replaceAll('\n', '; ')}`
  // Commands that ran already are not shown.
  const shown = outcome === 'planned' || action === 'by-hand' || action === 'failed' ? commands : []
  const mark = outcome === 'planned' ? ' (dry run)' : ''
  return [`${store} ${ACTIONS[action]}${why}${mark}`, ...shown.map((command) => `  ${command}`)]
}
