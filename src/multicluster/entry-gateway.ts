/** The gateway by which other clusters enter a cluster: chosen, given its port, and recorded by `connect`. */

import { isIP } from 'node:net'
import { type Change, planChanges } from '../changes/changes.ts'
import type { Cluster, ObjectName } from '../cluster/cluster.ts'
import type { ConfigMap, Service } from '../cluster/objects.ts'
import { appliedFields, CONNECTING, isOwnedBy, MULTICLUSTER } from '../cluster/ownership.ts'
import { findIstioVersion } from '../cluster/reading.ts'
import { RememberingCluster } from '../cluster/remembering-cluster.ts'
import { CONFIG_MAPS, gateways, SERVICES } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import { outsidePort } from '../gateways/address.ts'
import { type IngressGateway, portNumbered } from '../gateways/find.ts'
import { findIngressAddress, requireGateway } from '../gateways/survey.ts'
import { servicePorts } from '../manifests/service-ports.ts'
import { sh } from '../shell.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { inCluster, type Member } from './members.ts'
import type { Mesh } from './mesh.ts'
import { MULTICLUSTER_NAME } from './names.ts'
import { whyInCluster } from './ranges.ts'
import { findRecordObject, type MemberRecord, type RecordedGateway, recordIn, recordObject } from './record.ts'

/** `auto` is the address of the gateway's Service, also where a former run has recorded another one. */
export type EntryAddressChoice = { readonly host: string; readonly port: number | undefined } | 'auto'

/** What the flags say about the gateway of one cluster. */
export interface GatewayChoice {
  /** `--gateway NAME=NAMESPACE/SERVICE`. */
  readonly named?: Required<ObjectName> | undefined
  /** `--port`. */
  readonly port?: number | undefined
  /** `--address NAME=HOST[:PORT]`. */
  readonly address?: EntryAddressChoice | undefined
}

export interface EntryPlan {
  readonly record: MemberRecord & { readonly gateway: RecordedGateway }
  readonly gateway: IngressGateway
  /** The record first: cleanup finds by it what a run that was cut off has changed. */
  readonly changes: readonly Change[]
}

/** The port that Istio uses for this purpose everywhere. */
const PORT = 15_443
const PORT_NAME = 'tls-multicluster'

/**
 * An address inside of any of the clusters leads its callers to a pod of their own. Host names are not looked up: each cluster may know
 * another address for one.
 * @throws UserError ENTRY_ADDRESS_INSIDE
 */
export async function requireOutside(
  addresses: ReadonlyMap<string, EntryAddressChoice>,
  members: readonly Member[],
): Promise<void> {
  const given = [...addresses].flatMap(([name, address]) =>
    address === 'auto' || isIP(address.host) === 0 ? [] : [{ name, host: address.host }],
  )
  const inside = await Promise.all(
    members.map((member) => {
      const cluster = new RememberingCluster(member.cluster)
      return inCluster(member, () => Promise.all(given.map(({ host }) => whyInCluster(host, cluster))))
    }),
  )
  for (const [at, { name, host }] of given.entries()) {
    const where = members.findIndex((_, index) => inside[index]?.[at] !== undefined)
    if (where < 0) continue
    const cluster = members[where]?.name
    const message = `--address ${name}=${host}: it is ${inside[where]?.[at]} of cluster ${cluster}, so no other cluster reaches the gateway of ${name} there; nothing was changed`
    throw new UserError('ENTRY_ADDRESS_INSIDE', message, {
      suggestions: [
        `--address ${name}=HOST:PORT   # how the other clusters reach it, from outside`,
        `--address ${name}=auto   # the address of the gateway's Service`,
      ],
    })
  }
}

/** @throws UserError GATEWAY_NOT_FOUND, GATEWAY_AMBIGUOUS, GATEWAY_API_GATEWAY, GATEWAY_PORT_MISSING, EXPORTED_ELSEWHERE */
export async function planEntry(
  { name, cluster }: Member,
  mesh: Mesh,
  choice: GatewayChoice,
  terminal: Terminal,
): Promise<EntryPlan> {
  const [present, services] = await Promise.all([findRecordObject(mesh, cluster), cluster.list<Service>(SERVICES)])
  const recorded = recordIn(present)?.gateway
  const named = choice.named ?? (recorded && { namespace: recorded.namespace, name: recorded.service })
  const gateway = await requireGateway(services, named, { cluster, terminal })
  const port = choice.port ?? recorded?.port ?? PORT
  const wanted: RecordedGateway = {
    namespace: gateway.namespace,
    service: gateway.service.metadata.name,
    port,
    ...addressFor(choice, recorded, port),
  }
  if (recorded !== undefined) await requireUnused(cluster, recorded, wanted)
  const record = { name, gateway: wanted }
  return { record, gateway, changes: changesFor(record, gateway, mesh, present) }
}

function addressFor(
  { address }: GatewayChoice,
  recorded: RecordedGateway | undefined,
  port: number,
): Pick<RecordedGateway, 'address'> {
  if (address === 'auto') return {}
  if (address !== undefined) return { address: { host: address.host, port: address.port ?? port } }
  return recorded?.address === undefined ? {} : { address: recorded.address }
}

function changesFor(
  record: EntryPlan['record'],
  { service }: IngressGateway,
  { namespace }: Mesh,
  present: ConfigMap | undefined,
): Change[] {
  const { port } = record.gateway
  const ours = isPortOurs(service)
  if (port !== PORT && portNumbered(service, port) === undefined) throw portMissing(record.gateway)
  const needsPort = port === PORT && (ours || portNumbered(service, PORT) === undefined)
  const { name, namespace: place = '' } = service.metadata
  const added = { name: PORT_NAME, port: PORT, protocol: 'TCP', targetPort: PORT }
  const manifest = servicePorts({ name, namespace: place }, needsPort ? [added] : [])
  const wanted = [{ resource: CONFIG_MAPS, manifest: recordObject(record, namespace) }]
  const ports =
    needsPort || ours ? [{ resource: SERVICES, manifest, by: 'sharing' as const, about: `port ${port}` }] : []
  return planChanges([...wanted, ...ports], [...(present === undefined ? [] : [present]), service], CONNECTING)
}

/** Whether the Service has a port that `connect` added. */
export function isPortOurs(service: Service): boolean {
  return appliedFields(service, CONNECTING)?.['f:spec']?.['f:ports'] !== undefined
}

/** What is exported at one gateway would be out of reach at another. */
async function requireUnused(cluster: Cluster, recorded: RecordedGateway, wanted: RecordedGateway): Promise<void> {
  const keys = ['namespace', 'service', 'port'] as const
  if (keys.every((key) => recorded[key] === wanted[key])) return
  const version = await findIstioVersion(cluster)
  const place = { name: MULTICLUSTER_NAME, namespace: recorded.namespace }
  const own = version === undefined ? undefined : await cluster.get(gateways(version), place)
  if (own === undefined || !isOwnedBy(own, MULTICLUSTER)) return
  const { namespace, service, port } = recorded
  const message = `services are exported at port ${port} of the gateway ${namespace}/${service}; another gateway or port would cut their callers off`
  throw new UserError('EXPORTED_ELSEWHERE', message, {
    suggestions: [
      'kubectl telemetry multicluster cleanup   # then connect and export again',
      sh`--gateway ${`NAME=${namespace}/${service}`}`,
    ],
  })
}

function portMissing({ namespace, service, port }: RecordedGateway): UserError {
  const message = `Service ${namespace}/${service} has no port ${port}`
  return new UserError('MULTICLUSTER_PORT_MISSING', message, {
    suggestions: [
      '--port 15443   # is added to the Service',
      sh`kubectl -n ${namespace} get service ${service} -o yaml`,
    ],
  })
}

/** How other clusters reach a gateway. */
export interface EntryAddress {
  readonly address: string
  readonly port: number
  readonly via: string
}

/** @returns undefined where nothing outside of the cluster leads to the port */
export async function entryAddress(
  { port, address }: RecordedGateway,
  gateway: IngressGateway,
  cluster: Cluster,
): Promise<EntryAddress | undefined> {
  if (address !== undefined) return { address: address.host, port: address.port, via: 'flag' }
  const { address: found } = await findIngressAddress(gateway, undefined, cluster)
  const outside = found && outsidePort(found, gateway.service, port)
  return found === undefined || outside === undefined
    ? undefined
    : { address: found.address, port: outside, via: found.via }
}
