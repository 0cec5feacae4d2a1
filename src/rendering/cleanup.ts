import type { CleanupResult, RemovedObject } from '../cleaning/cleanup.ts'
import { dryRunMark, type OutputFormat, renderData, renderObject } from './output.ts'

/** @param partial something of ours may stay, whatever was found */
export function renderCleanup(
  result: CleanupResult,
  dryRun: 'none' | 'client' | 'server',
  format: OutputFormat | undefined,
  partial = false,
): string {
  if (format !== undefined) return renderData(result, format)
  if (result.outcome === 'declined') return 'nothing was changed'
  const { changed, restored, deleted, authorities, remaining } = result
  if ([...restored, ...deleted, ...authorities, ...remaining].length === 0)
    return partial || result.warnings.some(({ code }) => code === 'NOT_EXPOSED')
      ? 'nothing to remove'
      : 'nothing of ours is in the cluster'
  return [
    ...restored.map((object) => `${fullName(object)} restored${dryRunMark(dryRun)}`),
    ...changed.map((object) => renderObject(object, `${object.action}${dryRunMark(dryRun)}`)),
    ...deleted.map((object) => `${removed(object)}${dryRunMark(dryRun)}`),
    ...authorities.map((directory) => `authority "${directory}" deleted from this machine${dryRunMark(dryRun)}`),
    ...remaining.map((object) => `STILL THERE: ${fullName(object)} in namespace ${object.namespace}`),
  ].join('\n')
}

/** `secret "x" deleted from istio-system namespace`: kubectl's words. */
function removed(object: RemovedObject): string {
  return `${fullName(object, ' "')}" deleted from ${object.namespace} namespace`
}

function fullName({ kind, group, name }: RemovedObject, between = '/'): string {
  return `${kind.toLowerCase()}${group === '' ? '' : `.${group}`}${between}${name}`
}
