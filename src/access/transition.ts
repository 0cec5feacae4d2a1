/** Pure: guards of add-ons that move, for the old and the new entry at the same time. */
import { isDeepStrictEqual } from 'node:util'
import type { Wanted } from '../changes/changes.ts'
import type { KubeObject } from '../cluster/cluster.ts'

/**
 * The wanted objects with all that the former ones do, and the former ones beside them: until the gateway no longer serves the old host,
 * its guard stays in force.
 */
export function withFormer(wanted: readonly Wanted[], former: readonly Wanted[]): Wanted[] {
  const isSame = (a: Wanted, b: Wanted) =>
    a.manifest.kind === b.manifest.kind && a.manifest.metadata.name === b.manifest.metadata.name
  const grown = wanted.map((one) => {
    const before = former.find((other) => isSame(one, other))
    return before === undefined ? one : { ...one, manifest: both(one.manifest, before.manifest) }
  })
  return [...grown, ...former.filter((one) => !wanted.some((other) => isSame(one, other)))]
}

/** Both lists of rules. Equal ones only once: a filter of the same name must not be inserted twice. */
function both(after: KubeObject, before: KubeObject): KubeObject {
  const spec = after.spec as Record<string, unknown>
  const former = before.spec as Record<string, unknown>
  const lists = ['rules', 'configPatches'].flatMap((name) => {
    const list = spec[name]
    if (!Array.isArray(list)) return []
    const more = ((former[name] ?? []) as unknown[]).filter(
      (one) => !list.some((other) => isDeepStrictEqual(one, other)),
    )
    return [[name, [...list, ...more]]]
  })
  return { ...after, spec: { ...spec, ...Object.fromEntries(lists) } }
}
