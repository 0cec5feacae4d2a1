import type { CleanupResult, RemovedObject } from '../operations/cleanup.ts'
import { dryRunMark, type OutputFormat, renderData, renderObject } from './output.ts'

export function renderCleanup(
  result: CleanupResult,
  dryRun: 'none' | 'client' | 'server',
  format: OutputFormat | undefined,
): string {
  if (format !== undefined) return renderData(result, format)
  if (result.outcome === 'declined') return 'nothing was changed'
  if (result.deleted.length === 0 && result.remaining.length === 0) return 'nothing of ours is in the cluster'
  return [
    ...result.changed.map((object) => renderObject(object, `${object.action}${dryRunMark(dryRun)}`)),
    ...result.deleted.map((object) => `${removed(object)}${dryRunMark(dryRun)}`),
    ...result.remaining.map((object) => `STILL THERE: ${fullName(object)} in namespace ${object.namespace}`),
  ].join('\n')
}

/** `secret "x" deleted from istio-system namespace`: kubectl's words. */
function removed(object: RemovedObject): string {
  return `${fullName(object, ' "')}" deleted from ${object.namespace} namespace`
}

function fullName({ kind, group, name }: RemovedObject, between = '/'): string {
  return `${kind.toLowerCase()}${group === '' ? '' : `.${group}`}${between}${name}`
}
