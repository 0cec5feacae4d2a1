/**
 * What `connect` records in a cluster: its short name, and the gateway by which other clusters reach it. It is in the namespace of istiod,
 * where only the owners of the mesh write; its shape is checked all the same.
 */
import type { Cluster, KubeObject } from '../cluster/cluster.ts'
import type { ConfigMap } from '../cluster/objects.ts'
import { CONNECTING, isOwnedBy, ownedLabels } from '../cluster/ownership.ts'
import { readable } from '../cluster/reading.ts'
import { CONFIG_MAPS, typeOf } from '../cluster/resources.ts'
import { isAddress } from '../gateways/names.ts'
import { jsonOf, mapOf, numberOf, textOf } from '../shapes.ts'
import { findMesh, type Mesh, meshToBe } from './mesh.ts'
import { isClusterName, MULTICLUSTER_NAME } from './names.ts'

export interface MemberRecord {
  readonly name: string
  readonly gateway?: RecordedGateway
}

export interface RecordedGateway {
  readonly namespace: string
  readonly service: string
  /** Of the Service, at which other clusters connect: 15443, or that of `--port`. */
  readonly port: number
  /** `--address`: how other clusters reach it, where that is not the address of the Service. */
  readonly address?: { readonly host: string; readonly port: number }
}

/**
 * Reads the record of a cluster; before Istio is installed, from the namespace in which `istioctl` installs istiod.
 * @returns undefined without a record, without the permission to read it, and for a record that is not one of ours
 */
export async function findRecord(cluster: Cluster): Promise<MemberRecord | undefined> {
  const mesh = await readable(findMesh(cluster))
  return recordIn(await readable(findRecordObject(mesh ?? meshToBe(), cluster)))
}

/** The ConfigMap that may be the record of a cluster. @param mesh of that cluster */
export function findRecordObject(
  { namespace }: Pick<Mesh, 'namespace'>,
  cluster: Cluster,
): Promise<ConfigMap | undefined> {
  return cluster.get<ConfigMap>(CONFIG_MAPS, { name: MULTICLUSTER_NAME, namespace })
}

/** @param namespace of istiod */
export function recordObject({ name, gateway }: MemberRecord, namespace: string): KubeObject {
  const data = { name, ...(gateway === undefined ? {} : { gateway: JSON.stringify(gateway) }) }
  const metadata = { name: MULTICLUSTER_NAME, namespace, labels: ownedLabels(CONNECTING) }
  return { ...typeOf(CONFIG_MAPS), metadata, data }
}

/** @returns undefined for what is not a record of ours */
export function recordIn(object: ConfigMap | undefined): MemberRecord | undefined {
  if (object === undefined || !isOwnedBy(object, CONNECTING)) return undefined
  const { data = {} } = object
  const name = textOf(data.name) ?? ''
  if (!isClusterName(name)) return undefined
  const gateway = gatewayIn(mapOf(jsonOf(textOf(data.gateway) ?? '')))
  return { name, ...(gateway === undefined ? {} : { gateway }) }
}

const LABEL = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/

function gatewayIn({ namespace, service, port, address }: Record<string, unknown>): RecordedGateway | undefined {
  const [space, name] = [textOf(namespace) ?? '', textOf(service) ?? '']
  if (!LABEL.test(space) || !LABEL.test(name) || !isPort(port)) return undefined
  const gateway = { namespace: space, service: name, port: numberOf(port) }
  const { host, port: outside } = mapOf(address)
  const reached = textOf(host) ?? ''
  return isAddress(reached) && isPort(outside)
    ? { ...gateway, address: { host: reached, port: numberOf(outside) } }
    : gateway
}

function isPort(value: unknown): boolean {
  const number = numberOf(value)
  return Number.isInteger(number) && number >= 1 && number <= 65_535
}
