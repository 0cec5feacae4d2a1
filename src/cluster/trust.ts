/**
 * Which objects are believed to be what they say they are. Labels, annotations and managedFields help to find objects and permit nothing:
 * in a shared cluster any of them may have been written by somebody who wants to misuse the rights of the user. Pure.
 */
import { type Finding, warns } from '../findings.ts'
import { shellCommand } from '../shell.ts'
import type { KubeObject } from './cluster.ts'
import { appliedFields, type Part } from './ownership.ts'

/** @param why a clause: `no ingress gateway runs in its namespace` */
export function notTrusted(object: KubeObject, why: string): Finding {
  const { name, namespace } = object.metadata
  const place = namespace === undefined ? name : `${namespace}/${name}`
  const message = `${object.kind} ${place} is not trusted, because ${why}; it was left unchanged`
  return warns('OBJECT_NOT_TRUSTED', message, `${commandFor(object)}   # look at it`)
}

/** Does not print the data of a Secret. */
function commandFor({ apiVersion, kind, metadata: { name, namespace } }: KubeObject): string {
  const [group, version] = apiVersion.split('/')
  const type = version === undefined ? kind.toLowerCase() : `${kind.toLowerCase()}.${group}`
  const place = namespace === undefined ? [] : ['-n', namespace]
  const look = kind === 'Secret' ? ['describe', 'secret', name] : ['get', type, name, '-o', 'yaml']
  return shellCommand(['kubectl', ...place, ...look])
}

/**
 * Whether only others wrote the object: a copy has our labels, but our field manager did not apply it. The opposite proves nothing, since
 * anybody can use the name of our manager.
 */
export function isWrittenByOthers(object: KubeObject, part: Part): boolean {
  const { managedFields = [] } = object.metadata
  return managedFields.length > 0 && appliedFields(object, part) === undefined
}
