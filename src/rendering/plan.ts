/** What every command that plans prints for `--diff` and `-o`. */
import type { Comparison } from '../changes/changes.ts'
import type { KubeObject } from '../cluster/cluster.ts'
import { renderDiff } from './diff.ts'
import { type OutputFormat, renderData, renderManifests } from './output.ts'

export interface Planned {
  result: object
  manifests: KubeObject[]
  comparisons: Comparison[]
}

/** @returns the answer, in a dry run with `-o` the manifests, for kubectl; nothing where text is wanted */
export function renderPlan(
  { result, manifests, comparisons }: Planned,
  dryRun: 'none' | 'client' | 'server',
  format: OutputFormat | undefined,
  diff: boolean,
): string | undefined {
  if (diff) return renderDiff(comparisons)
  if (format === undefined) return undefined
  return dryRun === 'none' ? renderData(result, format) : renderManifests(manifests, format)
}
