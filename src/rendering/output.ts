/** Results as JSON or YAML: the contract for scripts. Objects come as kubectl prints them, so that kubectl can read them. */
// YAML 1.1, because that is what kubectl reads: it takes a bare `no` or `on` for a boolean.
import { stringify } from 'yaml'
import type { KubeObject } from '../cluster/cluster.ts'

export type OutputFormat = 'json' | 'yaml'

export function renderData(data: unknown, format: OutputFormat): string {
  return format === 'json'
    ? JSON.stringify(data, null, 2)
    : stringify(data, { lineWidth: 0, version: '1.1', aliasDuplicateObjects: false }).trimEnd()
}

/** Manifests for `kubectl apply -f -`. */
export function renderManifests(manifests: KubeObject[], format: OutputFormat): string {
  if (format === 'json') return renderData({ apiVersion: 'v1', kind: 'List', items: manifests }, 'json')
  return manifests.map((manifest) => renderData(manifest, 'yaml')).join('\n---\n')
}

/** Columns two spaces apart, as kubectl sets them. */
export function renderTable(rows: string[][]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd((widths[column] ?? 0) + 2))
        .join('')
        .trimEnd(),
    )
    .join('\n')
}

/** `gateway.networking.istio.io/kubectl-telemetry created`, as kubectl says it. */
export function renderObject(
  { kind, group, name }: { kind: string; group: string; name: string },
  what: string,
): string {
  return `${kind.toLowerCase()}${group === '' ? '' : `.${group}`}/${name} ${what}`
}

/** How kubectl marks what did not really happen. */
export function dryRunMark(dryRun: 'none' | 'client' | 'server'): string {
  return { none: '', client: ' (dry run)', server: ' (server dry run)' }[dryRun]
}
