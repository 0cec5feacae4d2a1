/** Server-side apply as the API server was seen to do it: fields belong to managers, lists of ports are keyed, what is left out goes. */
import type { KubeObject } from '../../src/cluster/cluster.ts'
import type { FieldSet } from '../../src/cluster/ownership.ts'
import { appliedFields, MANAGER, withoutApplied } from '../../src/cluster/ownership.ts'

/** Lists whose items are told apart by keys; every other list is one value. */
const KEYS: Record<string, string[]> = { ports: ['port', 'protocol'] }

/** What becomes of an object when we apply a manifest to it: earlier fields of ours go, those of the manifest come. */
export function applied(present: KubeObject, manifest: KubeObject, by = MANAGER): KubeObject {
  const { apiVersion: _a, kind: _k, metadata, ...rest } = manifest
  const { name: _n, namespace: _ns, ...ownMetadata } = metadata
  const own = { metadata: ownMetadata, ...rest }
  const others = ((present.metadata.managedFields ?? []) as { manager: string }[]).filter(
    ({ manager }) => manager !== by,
  )
  const after = withDefaults(merge(withoutApplied(present, by), own) as KubeObject, appliedFields(present, by), present)
  const fieldsV1 = fieldsOf(own)
  const entry = Object.keys(fieldsV1).length === 0 ? [] : [{ manager: by, operation: 'Apply', fieldsV1 }]
  return { ...after, metadata: { ...after.metadata, managedFields: [...others, ...entry] } }
}

function fieldsOf(value: object): FieldSet {
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, inner]) => {
      const keys = KEYS[name]
      if (Array.isArray(inner) && keys !== undefined) return [[`f:${name}`, itemsOf(inner, keys)]]
      if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return [[`f:${name}`, {}]]
      const fields = fieldsOf(inner)
      return Object.keys(fields).length === 0 ? [] : [[`f:${name}`, fields]]
    }),
  )
}

function itemsOf(items: Record<string, unknown>[], keys: string[]): FieldSet {
  return Object.fromEntries(
    items.map((item) => {
      const key = Object.fromEntries(keys.map((name) => [name, item[name]]))
      return [`k:${JSON.stringify(key)}`, { '.': {}, ...fieldsOf(item) }]
    }),
  )
}

function merge(present: unknown, own: unknown, name = ''): unknown {
  const keys = KEYS[name]
  if (Array.isArray(own) && Array.isArray(present) && keys !== undefined) {
    const isSame = (a: Record<string, unknown>, b: Record<string, unknown>) => keys.every((key) => a[key] === b[key])
    const left = present.filter((item) => !own.some((one) => isSame(item, one)))
    return [...left, ...own]
  }
  if (typeof own !== 'object' || own === null || Array.isArray(own)) return structuredClone(own)
  const whole = (typeof present === 'object' && present !== null ? present : {}) as Record<string, unknown>
  const merged = Object.entries(own).map(([field, value]) => [field, merge(whole[field], value, field)])
  return { ...whole, ...Object.fromEntries(merged) }
}

/** A Service's ports get node ports that the API server chooses; one that was there before stays. */
function withDefaults(after: KubeObject, before: FieldSet | undefined, present: KubeObject): KubeObject {
  const { spec } = after as { spec?: { type?: string; ports?: Port[] } }
  if (after.kind !== 'Service' || spec?.type === 'ClusterIP' || spec?.ports === undefined) return after
  const earlier = before === undefined ? [] : ((present.spec as { ports?: Port[] }).ports ?? [])
  const taken = spec.ports.map(({ nodePort }) => nodePort)
  const ports = spec.ports.map((port) => {
    if (port.nodePort !== undefined) return port
    const nodePort = earlier.find((one) => one.port === port.port)?.nodePort ?? free(taken)
    taken.push(nodePort)
    return { ...port, nodePort }
  })
  return { ...after, spec: { ...spec, ports } }
}

interface Port {
  port: number
  nodePort?: number
}

function free(taken: (number | undefined)[]): number {
  let port = 30000
  while (taken.includes(port)) port++
  return port
}
