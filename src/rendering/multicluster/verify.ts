import type { HopResult, VerifiedService, VerifyResult } from '../../multicluster/verifying/result.ts'
import { type OutputFormat, page, renderData, tableLines } from '../output.ts'

export function renderVerified(result: VerifyResult, format: OutputFormat | undefined): string {
  if (format !== undefined) return renderData(result, format)
  return page(result.services.flatMap((one, index) => [...(index === 0 ? [] : ['']), ...verifiedLines(one)]))
}

function verifiedLines({ host, in: serving, to, from, ports, hops }: VerifiedService): string[] {
  const title = `${host}  ${to} -> ${serving.join(', ')}, from ${from}`
  return [title, ...hopLines(ports, hops)]
}

/** A table of the hops of each port. */
export function hopLines(ports: readonly number[], hops: readonly Hop[]): string[] {
  const rows = ports.flatMap((port) => hops.filter((one) => one.port === port).map(hopRow))
  return tableLines([['PORT', 'HOP', '', 'MS', ''], ...rows]).map((line) => `  ${line}`)
}

type Hop = Omit<HopResult, 'hop'> & { readonly hop: string }

/** The message of a hop that failed is below. */
function hopRow({ port, hop, ok, milliseconds, text }: Hop): string[] {
  return [String(port), hop, ok ? 'ok' : 'FAILED', milliseconds.toFixed(0), ok ? text : '']
}
