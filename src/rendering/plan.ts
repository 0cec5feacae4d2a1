/** The output for `--diff` and `-o`, the same for every command that plans. */

import type { Comparison } from '../changes/changes.ts'
import type { KubeObject } from '../cluster/cluster.ts'
import { renderDiff } from './diff.ts'
import { type OutputFormat, renderData, renderManifests } from './output.ts'

export interface Planned {
  result: object
  manifests: KubeObject[]
  comparisons: Comparison[]
}

/** @returns the result or, in a dry run, the manifests for kubectl; undefined without `-o` and `--diff` */
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
