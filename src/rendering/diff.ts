/** What would change, as `kubectl diff` shows it. */
import { createTwoFilesPatch } from 'diff'
import type { Comparison } from '../changes/changes.ts'
import type { KubeObject } from '../cluster/cluster.ts'
import { renderData } from './output.ts'

/** Unified diffs, one for each object that changes; a line that says so when none does. */
export function renderDiff(comparisons: Comparison[]): string {
  const patches = comparisons.map(patch).filter((text) => text !== '')
  return patches.length === 0 ? 'no differences' : patches.join('\n')
}

function patch({ name, before, after }: Comparison): string {
  const masked = mask(before, after)
  const texts = [masked.before, masked.after].map((object) =>
    object === undefined ? '' : `${renderData(substance(object), 'yaml')}\n`,
  )
  const [old = '', planned = ''] = texts
  if (old === planned) return ''
  const header = { headerOptions: { includeIndex: false, includeUnderline: false, includeFileHeaders: true } }
  const [there, then] = [before, after].map((object) => object === undefined)
  return createTwoFilesPatch(name, name, old, planned, there ? 'not there' : 'as it is', then ? 'gone' : 'as planned', {
    context: 3,
    ...header,
  }).trimEnd()
}

/** Values of Secrets are not shown, only whether they change. */
function mask(
  before: KubeObject | undefined,
  after: KubeObject | undefined,
): { before: KubeObject | undefined; after: KubeObject | undefined } {
  if (after?.kind !== 'Secret') return { before, after }
  const [old, planned] = [before, after].map((object) => (object?.data ?? {}) as Record<string, string>)
  const hide = (data: Record<string, string> = {}, mark: string) =>
    Object.fromEntries(
      Object.keys(data).map((key) => [
        key,
        before === undefined || old?.[key] === planned?.[key] ? '***' : `*** (${mark})`,
      ]),
    )
  return {
    before: before && { ...before, data: hide(old, 'before') },
    after: { ...after, data: hide(planned, 'after') },
  }
}

/** Less what the API server keeps for itself. */
function substance({ status: _, apiVersion, kind, ...object }: KubeObject): object {
  const {
    managedFields: _m,
    resourceVersion: _r,
    uid: _u,
    generation: _g,
    creationTimestamp: _c,
    ...metadata
  } = object.metadata
  return { apiVersion, kind, ...object, metadata }
}
