/** Results as JSON or YAML: the contract for scripts. Objects come as kubectl prints them, so that kubectl can read them. */
// YAML 1.1, because that is what kubectl reads: it takes a bare `no` or `on` for a boolean.
import { Document, stringify, visit } from 'yaml'
import type { KubeObject } from '../cluster/cluster.ts'
import { escapedForData, oneLine, shown, visible } from '../text.ts'

export type OutputFormat = 'json' | 'yaml'

const YAML = { version: '1.1', aliasDuplicateObjects: false } as const
const AS_TEXT = { lineWidth: 0, doubleQuotedMinMultiLineLength: Number.MAX_SAFE_INTEGER }

/** A page for people. Each line stays one line, whatever the values in it contain. */
export function page(lines: readonly string[]): string {
  return lines.map(oneLine).join('\n')
}

/** Characters that are not seen are escaped, as both formats allow in quotes. */
export function renderData(data: unknown, format: OutputFormat): string {
  return format === 'json' ? escapedForData(JSON.stringify(data, null, 2)) : renderYaml(data)
}

/** One JSON object on one line, for a series of them. */
export function renderDataLine(data: unknown): string {
  return escapedForData(JSON.stringify(data))
}

function renderYaml(data: unknown): string {
  const text = stringify(data, { ...YAML, ...AS_TEXT }).trimEnd()
  if (visible(text) === text) return text
  // Only quotes can contain escapes.
  const document = new Document(data, YAML)
  visit(document, {
    Scalar: (_, node) => {
      if (typeof node.value === 'string' && visible(node.value) !== node.value) node.type = 'QUOTE_DOUBLE'
    },
  })
  return escapedForData(document.toString(AS_TEXT)).trimEnd()
}

/** Manifests for `kubectl apply -f -`. */
export function renderManifests(manifests: KubeObject[], format: OutputFormat): string {
  if (format === 'json') return renderData({ apiVersion: 'v1', kind: 'List', items: manifests }, 'json')
  return manifests.map((manifest) => renderData(manifest, 'yaml')).join('\n---\n')
}

/** Lines with columns two spaces apart, as kubectl sets them. */
export function tableLines(cells: string[][]): string[] {
  const rows = cells.map((row) => row.map(shown))
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd((widths[column] ?? 0) + 2))
      .join('')
      .trimEnd(),
  )
}

/** `gateway.networking.istio.io/kubectl-telemetry created`, as kubectl prints it. */
export function renderObject(
  { kind, group, name }: { kind: string; group: string; name: string },
  what: string,
): string {
  return `${kind.toLowerCase()}${group === '' ? '' : `.${group}`}/${name} ${what}`
}

/** kubectl's mark for changes that were not made. */
export function dryRunMark(dryRun: 'none' | 'client' | 'server'): string {
  return { none: '', client: ' (dry run)', server: ' (server dry run)' }[dryRun]
}
