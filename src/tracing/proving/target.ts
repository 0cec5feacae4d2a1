/** What is requested to prove that traces arrive: something that is exposed, or a URL of the user. */
import { serviceNamed } from '../../addons/service-name.ts'
import type { TracingBackend } from '../../backends/find.ts'
import type { Pod, Secret, Service } from '../../cluster/objects.ts'
import { isReady, isStaying, matchesSelector } from '../../cluster/objects.ts'
import { findIstioVersion, readable } from '../../cluster/reading.ts'
import { PODS, SECRETS } from '../../cluster/resources.ts'
import { describeExposed, type ExposedGateway } from '../../exposing/exposed-gateways.ts'
import { trustOf } from '../../exposing/probe-exposed.ts'
import { readOwnObjects } from '../../gateways/own-objects.ts'
import type { ProbeTarget } from '../../probing/prober.ts'
import type { Dependencies } from '../../world.ts'

/** A request, and the proxies that it passes first. */
export interface TraceTarget {
  url: string
  probe: ProbeTarget
  /** Pods with a proxy that has to report a span: those of the gateway, or of the Service in the traced namespace. Not known for a URL. */
  pods: readonly Pod[]
}

type Needs = Pick<Dependencies, 'cluster' | 'authorities'>

/** A URL of the user, which goes where its name leads. */
export function targetOf(url: URL): TraceTarget {
  const secure = url.protocol === 'https:'
  return {
    url: url.href,
    probe: {
      // Brackets belong to the URL.
      host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
      address: url.hostname.replace(/^\[(.*)\]$/, '$1'),
      port: Number(url.port || (secure ? 443 : 80)),
      path: `${url.pathname}${url.search}`,
      authorityCertificate: undefined,
      ...(secure ? { trustsMachine: true } : {}),
    },
    pods: [],
  }
}

/**
 * The best of what is exposed: a Service before an add-on, the tracing backend last.
 * @param namespace the traced one: its workload has to be behind the gateway
 * @param url of the user: then it is the one with this host, at the address of its gateway, whatever DNS says
 * @returns `undefined` if nothing fits, or it may not be read
 */
export async function exposedTarget(
  namespace: string | undefined,
  {
    services,
    backend,
    url,
  }: { services: readonly Service[]; backend: TracingBackend | undefined; url: URL | undefined },
  world: Needs,
): Promise<TraceTarget | undefined> {
  const { cluster } = world
  const version = await findIstioVersion(cluster)
  const own = version === undefined ? undefined : await readable(readOwnObjects(version, undefined, cluster))
  if (version === undefined || own?.virtualServices === undefined) return undefined
  const places = await describeExposed(own, { version, services: [...services], named: undefined }, cluster)
  const all = places.flatMap((place) => place.exposures.map((exposure, index) => ({ place, exposure, index })))
  const open = all.filter(
    ({ place: { address, routes }, exposure, index }) =>
      address !== undefined &&
      exposure.port !== undefined &&
      routes[index]?.closedFor === undefined &&
      (url === undefined || new URL(exposure.url).origin === url.origin) &&
      (namespace === undefined || exposure.namespace === namespace),
  )
  const rank = ({ exposure: { name, namespace: place, service } }: (typeof open)[number]) =>
    serviceNamed(name) !== undefined ? 0 : place === backend?.namespace && service === backend.service ? 2 : 1
  const [best] = open.toSorted((one, other) => rank(one) - rank(other))
  const target = best && (await targetIn(best.place, best.exposure, { namespace, services }, world))
  if (target === undefined || url === undefined) return target
  return { ...target, url: url.href, probe: { ...target.probe, path: `${url.pathname}${url.search}` } }
}

type Exposure = ExposedGateway['exposures'][number]

async function targetIn(
  place: ExposedGateway,
  { host, port = 0, path, url, namespace: of, service }: Exposure,
  { namespace, services }: { namespace: string | undefined; services: readonly Service[] },
  world: Needs,
): Promise<TraceTarget | undefined> {
  const { secretName: name } = place
  const read = name === undefined ? undefined : world.cluster.get<Secret>(SECRETS, { namespace: place.namespace, name })
  const trust = await trustOf(place, read && (await readable(read)), world)
  if (trust === undefined) return undefined
  const probe = { host, address: place.address?.address ?? '', port, path, ...trust }
  if (namespace === undefined) return { url, probe, pods: place.gateway?.pods ?? [] }
  const selector = services.find(({ metadata }) => metadata.namespace === of && metadata.name === service)?.spec
    .selector
  const pods = (await readable(world.cluster.list<Pod>(PODS, { namespace: of }))) ?? []
  const behind = pods.filter((pod) => isStaying(pod) && isReady(pod) && matchesSelector(pod, selector))
  return { url, probe, pods: behind }
}
