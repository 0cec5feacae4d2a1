/** Records which fields of which objects the code reads: a cluster whose objects are proxies. The list of fields is complete by construction. */
import type { Cluster, KubeObject } from '../../src/cluster/cluster.ts'

/** A step into an object: the name of a field, or the index of an item. */
export type Step = string | number

/** A field that was read, and of which object. */
export interface ReadField {
  kind: string
  namespace: string | undefined
  name: string
  path: Step[]
}

export class FieldReads {
  /** By object and path. */
  readonly fields = new Map<string, ReadField>()
  readonly #originals = new WeakMap<object, object>()

  /** @returns the value as a proxy, if it has fields */
  watched<T>(value: T, object: KubeObject, path: Step[] = []): T {
    if (typeof value !== 'object' || value === null) return value
    const proxy = new Proxy(value, {
      get: (target, field, receiver) => this.#read(target, field, receiver, { object, path }),
      has: (target, field) => {
        this.#note(target, field, { object, path })
        return Reflect.has(target, field)
      },
    })
    this.#originals.set(proxy, value)
    return proxy
  }

  /** The value without proxies in it. */
  plain<T>(value: T): T {
    if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value
    const original = this.#originals.get(value)
    if (original !== undefined) return original as T
    if (Array.isArray(value)) return value.map((item) => this.plain(item)) as T
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, this.plain(inner)])) as T
  }

  #read(target: object, field: string | symbol, receiver: unknown, { object, path }: Place): unknown {
    this.#note(target, field, { object, path })
    const value = Reflect.get(target, field, receiver) as unknown
    return typeof field === 'symbol' || typeof value === 'function'
      ? value
      : this.watched(value, object, [...path, stepOf(target, field)])
  }

  #note(target: object, field: string | symbol, { object, path }: Place): void {
    if (typeof field === 'symbol' || (Array.isArray(target) && !/^\d+$/.test(field))) return
    if (field in Object.prototype || field === 'toJSON' || field === 'then') return
    const { kind, metadata } = object
    const read = { kind, namespace: metadata.namespace, name: metadata.name, path: [...path, stepOf(target, field)] }
    this.fields.set(JSON.stringify(read), read)
  }
}

interface Place {
  object: KubeObject
  path: Step[]
}

function stepOf(target: object, field: string): Step {
  return Array.isArray(target) ? Number(field) : field
}

/** The cluster with proxies for all objects that it returns; what is written has none. */
export function recording<T extends Cluster>(cluster: T, reads: FieldReads): T {
  const out = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(out)
    const isObject = typeof value === 'object' && value !== null && 'metadata' in value
    return isObject ? reads.watched(value as KubeObject, value as KubeObject) : value
  }
  return new Proxy(cluster, {
    get(target, name) {
      const value = Reflect.get(target, name, target) as unknown
      if (typeof value !== 'function') return value
      return (...given: unknown[]) => {
        const result: unknown = value.apply(
          target,
          given.map((one) => reads.plain(one)),
        )
        return result instanceof Promise ? result.then(out) : result
      }
    },
  })
}
