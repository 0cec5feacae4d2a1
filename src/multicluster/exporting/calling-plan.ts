/** Plans what a calling cluster has of an exported service: its address, its name, its entry. */
import { type Change, planChanges, type Wanted } from '../../changes/changes.ts'
import type { KubeObject } from '../../cluster/cluster.ts'
import { isStaying } from '../../cluster/objects.ts'
import { isOwnedBy, MULTICLUSTER } from '../../cluster/ownership.ts'
import { gateways, serviceEntries, virtualServices } from '../../cluster/resources.ts'
import { UserError } from '../../errors.ts'
import { passedHost } from '../../manifests/names.ts'
import { entryNotesOf } from '../../manifests/service-entry.ts'
import { listOf, mapOf, textOf, textsOf } from '../../shapes.ts'
import { sh } from '../../shell.ts'
import type { ExportedService, ExportedSubset } from '../exported.ts'
import { whyInCluster } from '../ranges.ts'
import { freeAddress, isAmong } from './addresses.ts'
import { callingObjects, clusterSubsets, exportedBy, UNKNOWN } from './calling.ts'
import { type NamesPlan, planNames } from './dns/plan.ts'
import { readEgress } from './egress.ts'
import { egressName, entryName, sniOf } from './names.ts'
import { entryPortName } from './ports.ts'
import type { ExportRequest } from './request.ts'
import type { Served } from './served.ts'
import type { Site } from './site.ts'

export interface CallingPlan {
  readonly service: ExportedService
  readonly changes: readonly Change[]
  readonly names: NamesPlan
}

/** @throws UserError EXPORT_HOST_TAKEN, EXPORT_ADDRESS_TAKEN, EXPORT_ADDRESSES_USED_UP, EGRESS_UNUSABLE, NOT_OURS, and those of `planNames` */
export async function planCalling(site: Site, served: readonly Served[], request: ExportRequest): Promise<CallingPlan> {
  const { cluster, version, mesh } = site
  const host = hostOf(request)
  const entry = { name: entryName(host), namespace: request.into ?? mesh.root }
  const entries = (await cluster.list(serviceEntries(version))).filter(isStaying)
  const ours = entries.find((one) => isOurs(one, entry))
  requireFreeHost(host, entries, request, site)
  const address = await chooseAddress(request, { entries, ours }, site)
  const [names, egress] = await Promise.all([
    planNames({ host, address }, request, site),
    request.via === undefined ? undefined : readEgress(request.via, site),
  ])
  const service: ExportedService = {
    ...calledBy(served, request, site),
    host,
    address,
    dns: names.dns,
    entry,
    ...(request.into === undefined ? {} : { into: request.into }),
    ...(request.via === undefined ? {} : { via: request.via }),
  }
  const domain = served[0]?.site.mesh.domain ?? ''
  const localities = Object.fromEntries(served.map((one) => [one.site.name, one.entrance.locality]))
  const wanted = [
    ...callingObjects(service, { version, domain, localities, egress }),
    ...(await formerEgress(ours, service, site)),
  ]
  const present = await presentOf(wanted, site)
  await requireSameService(ours, present, service, site)
  return { service, names, changes: planChanges(wanted, present, MULTICLUSTER) }
}

/** `httpbin.bar.global` */
function hostOf({ host, service, suffix }: Pick<ExportRequest, 'host' | 'service' | 'suffix'>): string {
  return host ?? `${service.name}.${service.namespace}.${suffix}`
}

/** What follows from the serving clusters. Its own pods reach a cluster's gateway without the load balancer. */
function calledBy(
  served: readonly Served[],
  { service, via }: ExportRequest,
  site: Site,
): Pick<ExportedService, 'service' | 'ports' | 'to' | 'from' | 'identities' | 'subsets'> {
  const [first] = served as [Served]
  const from = served.map(({ site: { name }, entrance }) => ({
    cluster: name,
    ...(name === site.name ? entrance.inside : entrance.outside),
  }))
  const versions = [...new Set(served.flatMap(({ subsets }) => Object.keys(subsets)))].sort()
  const subsets: ExportedSubset[] = [
    ...versions.map((name) => ({ name, labels: {} })),
    // Behind an egress gateway all clusters are one endpoint.
    ...(via === undefined ? clusterSubsets(from) : []),
  ]
  return {
    service,
    ports: first.ports.map((port) => ({
      number: port.number,
      name: entryPortName(port),
      protocol: port.protocol ?? UNKNOWN,
      sni: sniOf(port.number, first.host),
    })),
    to: site.name,
    from,
    identities: [...new Set(served.flatMap(({ identities }) => identities))].sort(),
    subsets,
  }
}

function isOurs(one: KubeObject, { name, namespace }: { name: string; namespace: string }): boolean {
  return one.metadata.name === name && one.metadata.namespace === namespace && isOwnedBy(one, MULTICLUSTER)
}

/** An entry that callers can see: one of the mesh, or of the only namespace that may call. @throws UserError EXPORT_HOST_TAKEN */
function requireFreeHost(host: string, entries: readonly KubeObject[], { into }: ExportRequest, site: Site): void {
  const place = into ?? site.mesh.root
  const taken = entries.find(({ metadata, spec, ...rest }) => {
    const { hosts, exportTo } = mapOf(spec)
    const places = textsOf(exportTo)
    const isSeen = places.length === 0 || places.includes('*') || places.includes(place) || metadata.namespace === place
    return (
      isSeen &&
      textsOf(hosts).includes(host) &&
      !isOurs({ metadata, ...rest }, { name: entryName(host), namespace: place })
    )
  })
  if (taken === undefined) return
  const { namespace, name } = taken.metadata
  const isExport = isOwnedBy(taken, MULTICLUSTER) && name === entryName(host)
  const message = `ServiceEntry ${namespace}/${name} of cluster ${site.name} has the host ${host} already`
  throw hostTaken(message, [
    isExport
      ? sh`kubectl telemetry multicluster cleanup ${host}   # beside the contexts`
      : sh`kubectl --context ${site.cluster.context} -n ${namespace} get serviceentries.networking.istio.io ${name} -o yaml`,
    '--host OTHER.HOST',
  ])
}

function hostTaken(message: string, suggestions: string[]): UserError {
  return new UserError('EXPORT_HOST_TAKEN', message, { suggestions })
}

/** The same host may not become that of another service by accident. @throws UserError EXPORT_HOST_TAKEN */
async function requireSameService(
  ours: KubeObject | undefined,
  present: readonly KubeObject[],
  { host, service }: ExportedService,
  site: Site,
): Promise<void> {
  const rule = present.find(({ kind, metadata }) => kind === 'DestinationRule' && metadata.name === ours?.metadata.name)
  const before = ours && rule && exportedBy({ entry: ours, rule, behind: undefined }, site.name)?.service
  if (before === undefined || (before.name === service.name && before.namespace === service.namespace)) return
  throw hostTaken(
    `${host} is the host of the exported Service ${before.namespace}/${before.name} in cluster ${site.name}`,
    ['--host OTHER.HOST', sh`kubectl telemetry multicluster cleanup ${host}   # beside the contexts`],
  )
}

interface Entries {
  entries: readonly KubeObject[]
  ours: KubeObject | undefined
}

/** @throws UserError EXPORT_ADDRESS_TAKEN, EXPORT_ADDRESSES_USED_UP */
async function chooseAddress({ address }: ExportRequest, { entries, ours }: Entries, site: Site): Promise<string> {
  const taken = entries.filter((one) => one !== ours).flatMap(addressesOf)
  if (address !== undefined) {
    const why = isAmong(address, taken) ? 'another ServiceEntry has it' : await whyInside(address, site)
    if (why === undefined) return address
    throw new UserError('EXPORT_ADDRESS_TAKEN', `--address ${address} cannot be used in cluster ${site.name}: ${why}`, {
      suggestions: ['--address 240.0.0.9', 'leave --address out: the lowest free address of 240.0.0.0/16 is used'],
    })
  }
  const [present] = ours === undefined ? [] : addressesOf(ours)
  const kept = present !== undefined && !isAmong(present, taken) ? present : undefined
  const chosen = kept ?? freeAddress(taken)
  if (chosen !== undefined) return chosen
  const message = `ServiceEntries of cluster ${site.name} have each address of 240.0.0.0/16`
  throw new UserError('EXPORT_ADDRESSES_USED_UP', message, { suggestions: ['--address ADDRESS   # of another range'] })
}

async function whyInside(address: string, { cluster }: Site): Promise<string | undefined> {
  const inside = await whyInCluster(address, cluster)
  return inside && `it is ${inside}`
}

function addressesOf({ spec, status }: KubeObject): string[] {
  const given = listOf(mapOf(status).addresses).flatMap((one) => textOf(mapOf(one).value) ?? [])
  return [...textsOf(mapOf(spec).addresses), ...given]
}

/** What a former run made at an egress gateway through which callers do not send any more. */
async function formerEgress(
  ours: KubeObject | undefined,
  { host, via }: ExportedService,
  { cluster, version }: Site,
): Promise<Wanted[]> {
  const [namespace, name] = (ours && entryNotesOf(ours).via)?.split('/') ?? []
  if (namespace === undefined || name === undefined || namespace === via?.namespace) return []
  const kinds = [gateways, virtualServices, serviceEntries].map((kind) => kind(version))
  const found = await Promise.all(
    kinds.map(async (resource) => ({
      resource,
      manifest: await cluster.get(resource, { name: egressName(host), namespace }),
    })),
  )
  return found.flatMap(({ resource, manifest }): Wanted[] =>
    manifest !== undefined && isOwnedBy(manifest, MULTICLUSTER) && passedHost(manifest) === host
      ? [{ resource, manifest, by: 'removing' }]
      : [],
  )
}

/** The objects with the names of wanted ones. */
async function presentOf(wanted: readonly Wanted[], { cluster }: Site): Promise<KubeObject[]> {
  const found = await Promise.all(wanted.map(({ resource, manifest }) => cluster.get(resource, manifest.metadata)))
  return found.flatMap((one) => one ?? [])
}
