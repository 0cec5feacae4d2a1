import type { RemovedObject, UndoResult } from '../changes/undo.ts'
import { dryRunMark, type OutputFormat, page, renderData, renderObject } from './output.ts'

/** @param partial whether only some objects were searched, so others may exist */
export function renderCleanup(
  result: UndoResult & { authorities?: string[] },
  dryRun: 'none' | 'client' | 'server',
  format: OutputFormat | undefined,
  partial = false,
): string {
  if (format !== undefined) return renderData(result, format)
  if (result.outcome === 'declined') return 'nothing was changed'
  const { changed, restored, deleted, authorities = [], remaining } = result
  if ([...changed, ...restored, ...deleted, ...authorities, ...remaining].length === 0)
    return partial ? 'nothing to remove' : 'nothing to remove: the cluster has no exposure of kubectl telemetry'
  return page([
    ...restored.map((object) => `${fullName(object)} restored${dryRunMark(dryRun)}`),
    ...changed.map((object) => renderObject(object, `${object.action}${dryRunMark(dryRun)}`)),
    ...deleted.map((object) => `${removed(object)}${dryRunMark(dryRun)}`),
    ...authorities.map((directory) => `CA "${directory}" deleted from this machine${dryRunMark(dryRun)}`),
    ...remaining.map(
      (object) =>
        `NOT REMOVED: ${fullName(object)}${object.namespace === '' ? '' : ` in namespace ${object.namespace}`}`,
    ),
  ])
}

/** `secret "x" deleted from istio-system namespace`, `clusterrole.rbac.authorization.k8s.io "x" deleted`: kubectl's words. */
function removed(object: RemovedObject): string {
  const from = object.namespace === '' ? '' : ` from ${object.namespace} namespace`
  return `${fullName(object, ' "')}" deleted${from}`
}

function fullName({ kind, group, name }: RemovedObject, between = '/'): string {
  return `${kind.toLowerCase()}${group === '' ? '' : `.${group}`}${between}${name}`
}
