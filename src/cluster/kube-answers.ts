/** What the API server may answer: an aggregated API or a proxy can send anything, and nothing else of the code looks again. Pure. */
import type { KubeObject, Resource } from './cluster.ts'

/** Whether an answer has the shape that the code relies on. */
export type Shape = (answer: unknown) => boolean

/** `APIGroup` (meta/v1). */
export const isGroup: Shape = (answer) => {
  const { versions } = fieldsOf(answer)
  return Array.isArray(versions) && versions.every((one) => typeof fieldsOf(one).version === 'string')
}

/** An object with a name. */
export const isObject: Shape = (answer) => typeof fieldsOf(fieldsOf(answer).metadata).name === 'string'

/** A list of a kind; Go writes `null` for one without items. */
export const isList: Shape = (answer) => {
  const { items, metadata } = fieldsOf(answer)
  return isRecord(metadata) && (items === null || (Array.isArray(items) && items.every(isObject)))
}

/** `SubjectAccessReview` (authorization.k8s.io/v1). */
export const isReview: Shape = (answer) => typeof fieldsOf(fieldsOf(answer).status).allowed === 'boolean'

function fieldsOf(value: unknown): Record<string, unknown> {
  return isRecord(value) ? value : {}
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

/** Kinds of which there are many, and whose field managers nobody reads: these can be most of an object. */
const MANY = ['pods', 'namespaces', 'nodes', 'endpointslices', 'replicasets']

/** An object without what nobody reads. */
export function slim(item: KubeObject, { plural }: Resource): KubeObject {
  if (!MANY.includes(plural)) return item
  const { managedFields: _, ...metadata } = item.metadata
  return { ...item, metadata }
}
