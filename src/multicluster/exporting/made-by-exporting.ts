/**
 * Which objects are believed to be of an export: their labels only help to find them, and anybody may write some. Deleting one, and reading a
 * service from one, is only right for what our own plan would have made there. Pure.
 */
import type { KubeObject } from '../../cluster/cluster.ts'
import { MULTICLUSTER } from '../../cluster/ownership.ts'
import { isWrittenByOthers } from '../../cluster/trust.ts'
import { passedHost } from '../../manifests/names.ts'
import { isMap, listOf, mapOf, textOf, textsOf } from '../../shapes.ts'
import { MULTICLUSTER_NAME } from '../names.ts'
import { behindEgress, egressName, entryName, servedRuleName, serviceOf } from './names.ts'

export interface Places {
  /** The root namespace of the mesh: its entries are for all namespaces. */
  readonly root: string
  /** Namespaces of gateways of multicluster. */
  readonly gateways: readonly string[]
}

/** @returns a clause for a finding */
export function whyNotExported(object: KubeObject, places: Places): string | undefined {
  const why = JUDGES[object.kind]?.(object, places)
  if (why !== undefined) return `it has the labels of kubectl telemetry, ${why}`
  if (isWrittenByOthers(object, MULTICLUSTER))
    return 'it has the labels of kubectl telemetry, but something else created it (metadata.managedFields): it may be a copy'
  return undefined
}

type Judge = (object: KubeObject, places: Places) => string | undefined

const CONTENT = 'which makes no object with that content'
const ELSEWHERE = 'which makes none of that name in its namespace'

const JUDGES: Record<string, Judge> = {
  ServiceEntry: (object, places) => {
    const { metadata, spec } = object
    const { hosts, location, exportTo } = mapOf(spec)
    const [host = '', ...more] = textsOf(hosts)
    const isBehind = isAtEgress(object)
    const isNamed = isBehind ? behindEgress(passedHost(object) ?? '') === host : metadata.name === entryName(host)
    if (!isNamed || more.length > 0 || !has(spec, ENTRY)) return CONTENT
    if (location !== (isBehind ? 'MESH_EXTERNAL' : 'MESH_INTERNAL')) return CONTENT
    return isOwnPlace(exportTo, metadata, places) ? undefined : ELSEWHERE
  },
  DestinationRule: ({ metadata, spec }, places) => {
    const { host, exportTo } = mapOf(spec)
    const name = textOf(host) ?? ''
    const service = serviceOf(name)
    if (service !== undefined && metadata.name === servedRuleName(service)) {
      const isPlain = has(spec, ['host', 'exportTo', 'subsets']) && textsOf(exportTo).join() === '.'
      const isPlace = places.gateways.includes(metadata.namespace ?? '')
      return isPlain ? (isPlace ? undefined : ELSEWHERE) : CONTENT
    }
    if (metadata.name !== entryName(name) || !has(spec, ['host', 'exportTo', 'trafficPolicy', 'subsets']))
      return CONTENT
    return isOwnPlace(exportTo, metadata, places) ? undefined : ELSEWHERE
  },
  VirtualService: (object) => {
    const { metadata, spec } = object
    const isOurs = isAtEgress(object) && has(spec, ['hosts', 'gateways', 'exportTo', 'tls'])
    return isOurs && textsOf(mapOf(spec).gateways).join() === metadata.name ? undefined : CONTENT
  },
  Gateway: (object, places) => {
    const { metadata, spec } = object
    const { servers } = mapOf(spec)
    const [server, ...more] = listOf(servers).map(mapOf)
    const mode = textOf(mapOf(server?.tls).mode)
    if (!has(spec, ['selector', 'servers']) || more.length > 0) return CONTENT
    if (metadata.name !== MULTICLUSTER_NAME) return isAtEgress(object) && mode === 'PASSTHROUGH' ? undefined : CONTENT
    const isPlain = mode === 'AUTO_PASSTHROUGH' && textsOf(server?.hosts).every((host) => serviceOf(host) !== undefined)
    if (!isPlain) return CONTENT
    return places.gateways.includes(metadata.namespace ?? '') ? undefined : ELSEWHERE
  },
}

/** Whether its name follows from the host that it says it is for. */
function isAtEgress(object: KubeObject): boolean {
  const host = passedHost(object)
  return host !== undefined && object.metadata.name === egressName(host)
}

const ENTRY = ['hosts', 'addresses', 'exportTo', 'location', 'resolution', 'ports', 'endpoints']

function has(spec: unknown, fields: readonly string[]): boolean {
  return isMap(spec) && Object.keys(spec).every((field) => fields.includes(field))
}

/** For all namespaces only in the root namespace, where only owners of the mesh write; elsewhere only for its own. */
function isOwnPlace(exportTo: unknown, { namespace }: KubeObject['metadata'], { root }: Places): boolean {
  const places = textsOf(exportTo)
  return namespace === root ? places.length === 0 || places.join() === '.' : places.join() === '.'
}
