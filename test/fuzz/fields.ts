/** What the API server allows at a field, and copies of objects with another value there. */
import type { KubeObject } from '../../src/cluster/cluster.ts'
import type { ReadField, Step } from './recording.ts'

/**
 * `string`: also labels, annotations, texts. `base64`: the values of a Secret. `any`: no schema. `number`, `boolean`: in the range of the
 * schema. `list`, `map`: can be empty, or missing. `required`: cannot be changed, because the API server makes it or demands it as it is.
 */
export type Shape = 'string' | 'base64' | 'any' | 'number' | 'boolean' | 'list' | 'map' | 'missing' | 'required'

/** Names, and what the API server itself writes. */
const GIVEN = /^(apiVersion|kind|metadata|metadata\.(name|namespace|uid|resourceVersion|generation|creationTimestamp))$/

/** Places without a schema, where anybody who may write the object writes anything. */
const FREE: [kind: RegExp, path: RegExp][] = [
  [/./, /^metadata\.managedFields\.\d+\.fieldsV1\b/],
  [/^EnvoyFilter$/, /\.patch\.value\b/],
  [/^(Gateway|VirtualService|AuthorizationPolicy|EnvoyFilter|Sidecar|PeerAuthentication|ServiceEntry)$/, /^status\b/],
]

/** Fields that Istio's and Kubernetes' schemas demand: they are never missing. */
const DEMANDED: [kind: RegExp, path: RegExp][] = [
  [/^(Pod|Service|Deployment|StatefulSet|DaemonSet|Prometheus)$/, /^spec$/],
  [/^(Deployment|StatefulSet|DaemonSet)$/, /^spec\.(template|template\.metadata|template\.spec|selector)$/],
  [/./, /(^|\.)containers(\.\d+(\.name)?)?$/],
  [
    /./,
    /\.(initContainers|env|volumes|volumeMounts|ports|endpoints|conditions|addresses|servers|route|ingress|egress)\.\d+$/,
  ],
  [/./, /\.(env|volumes|volumeMounts|initContainers)\.\d+\.name$/],
  [/./, /\.volumeMounts\.\d+\.mountPath$/],
  [/./, /\.containers\.\d+\.ports\.\d+\.containerPort$/],
  [/^Service$/, /^spec\.ports\.\d+\.port$/],
  [/^Node$/, /^status\.(addresses|conditions)\.\d+\.\w+$/],
  [/^Pod$/, /^status\.conditions\.\d+\.(type|status)$/],
  [/^Gateway$/, /^spec\.servers\.\d+\.(hosts|port|port\.(number|name|protocol))$/],
  [/^VirtualService$/, /^spec\.http\.\d+\.route\.\d+\.destination(\.host)?$/],
  [/^Sidecar$/, /^spec\.(egress\.\d+\.hosts|ingress\.\d+\.port)$/],
  [/^ServiceEntry$/, /^spec(\.hosts|\.ports\.\d+\.(number|name))?$/],
  [/^MutatingWebhookConfiguration$/, /^webhooks\.\d+(\.name)?$/],
  [/./, /^metadata\.ownerReferences\.\d+(\.(kind|name|uid|apiVersion))?$/],
  [/./, /\.matchExpressions\.\d+(\.(key|operator))?$/],
]

/** Absent fields whose type the name tells. All others are left absent: the schemas would have to say what fits. */
const MAPS =
  /(^|\.)(labels|annotations|data|matchLabels)\.[^.]+$|\.(labels|annotations|data|matchLabels|selector)\.[^.]*\.[^.]*/

export function nameOf({ kind, namespace, name, path }: ReadField): string {
  return `${kind} ${namespace ?? ''}/${name} ${path.join('.')}`
}

/** @param value the present one */
export function shapeOf({ kind, path }: ReadField, value: unknown): Shape {
  const text = path.join('.')
  const fits = ([kinds, paths]: [RegExp, RegExp]) => kinds.test(kind) && paths.test(text)
  if (GIVEN.test(text)) return 'required'
  if (FREE.some(fits)) return 'any'
  if (kind === 'Secret' && path[0] === 'data' && path.length === 2) return 'base64'
  if (value === undefined) return MAPS.test(text) ? 'string' : 'missing'
  if (Array.isArray(value)) return DEMANDED.some(fits) ? 'required' : 'list'
  if (typeof value === 'object') return DEMANDED.some(fits) ? 'required' : 'map'
  return typeof value as Shape
}

/** Whether the field may be left out. */
export function isOptional({ kind, path }: ReadField): boolean {
  const text = path.join('.')
  const last = path.at(-1)
  if (typeof last === 'number') return false
  return !GIVEN.test(text) && !DEMANDED.some(([kinds, paths]) => kinds.test(kind) && paths.test(text))
}

export function valueAt(object: unknown, path: readonly Step[]): unknown {
  let value = object
  for (const step of path) value = (value as Record<Step, unknown> | undefined | null)?.[step]
  return value
}

/** The object with another value in the field; `undefined` leaves the field out. Maps on the way are created. */
export function withValue(object: KubeObject, path: readonly Step[], value: unknown): KubeObject {
  const copy = structuredClone(object)
  let place = copy as Record<Step, unknown>
  for (const [index, step] of path.slice(0, -1).entries()) {
    if (typeof place[step] !== 'object' || place[step] === null)
      place[step] = typeof path[index + 1] === 'number' ? [] : {}
    place = place[step] as Record<Step, unknown>
  }
  const last = path.at(-1) ?? ''
  if (value === undefined) delete place[last]
  // Not by assignment: `__proto__` is a field like any other in JSON.
  else Object.defineProperty(place, last, { value, writable: true, enumerable: true, configurable: true })
  return copy
}
