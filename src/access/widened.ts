/** Pure: policies that become for more connections, and change in nothing else. */
import { isDeepStrictEqual } from 'node:util'
import type { Change } from '../changes/changes.ts'
import type { KubeObject } from '../cluster/cluster.ts'
import { isListProbe } from '../manifests/probe-paths.ts'
import { serverNamesIn } from './guard-reader.ts'

/**
 * Whether a change only adds server names to a policy: for all connections for which it was, it stays in force. The path by which it is
 * proven is made of its content, so it changes as well.
 */
export function onlyWidens({ present, manifest, by }: Pick<Change, 'present' | 'manifest' | 'by'>): boolean {
  if (present === undefined || by !== 'owning' || manifest.kind !== 'AuthorizationPolicy') return false
  const [before, after] = [serverNamesIn(present), serverNamesIn(manifest)]
  const isKept = before.every((name) => after.includes(name)) && before.length < after.length && before.length > 0
  return isKept && isDeepStrictEqual(withoutNames(present), withoutNames(manifest))
}

function withoutNames({ spec }: KubeObject): unknown {
  return JSON.parse(JSON.stringify(spec), (key, value: unknown) => {
    if (key === 'when' && Array.isArray(value))
      return value.map((one) => (one.key === 'connection.sni' ? { ...one, values: [] } : one))
    return typeof value === 'string' && isListProbe(value) ? '' : value
  })
}
