/** The serving side of a call, read through the API server of its cluster: the gateway, the pods behind it, and what they show. */
import type { ObjectName } from '../../cluster/cluster.ts'
import { isReady, isStaying, labelSelector, matchesSelector, type Pod, type Service } from '../../cluster/objects.ts'
import { PODS, SERVICES } from '../../cluster/resources.ts'
import { targetsNumbered } from '../../gateways/find.ts'
import { proxyImage } from '../../workloads/proxy.ts'
import type { ServedChain } from '../../world.ts'
import type { ExportedPort, ExportedService } from '../exported.ts'
import type { Member } from '../members.ts'
import { SECRETS_PATH } from '../proxy-secrets.ts'
import { findRecord } from '../record.ts'
import { askProxy, ifReadable, type Pods } from './pods.ts'
import {
  ENDPOINTS_PATH,
  endpointsOf,
  type HeldCertificates,
  hasChainFor,
  LISTENERS_PATH,
  trustOf,
} from './proxy-view.ts'

/** What is known of one serving cluster; a field is undefined where it could not be read. */
export interface Serving {
  readonly cluster: string
  /** Its gateway; undefined if it is not recorded, or the cluster cannot be read. */
  readonly gateway: ServingGateway | undefined
  /** Whether a pod of the Service that has a sidecar is Ready. */
  readonly hasPods: boolean | undefined
  /** What a pod behind the gateway trusts. */
  readonly trust: HeldCertificates | undefined
}

export interface ServingGateway {
  readonly name: Required<ObjectName>
  /** `NAMESPACE/POD`; undefined without a Ready pod. */
  readonly pod: string | undefined
  /** Whether it passes connections with the SNI of the service on. */
  readonly passes: boolean | undefined
  /** How many endpoints it has for them. */
  readonly endpoints: number | undefined
  /** The certificates of the pod that answers behind it. */
  readonly shown: ServedChain | undefined
}

/** ALPN of Istio's proxies, without which a gateway passes nothing on. */
const PROTOCOLS = ['istio']
/** Milliseconds for a handshake. */
const TIMEOUT = 5_000

export async function lookAtServing(
  member: Member,
  exported: Pick<ExportedService, 'service'>,
  port: ExportedPort,
  pods: Pods,
): Promise<Serving> {
  const [gateway, behind] = await Promise.all([
    ifReadable(lookAtGateway(member, port, pods)),
    ifReadable(lookBehind(member, exported.service, pods)),
  ])
  return { cluster: member.name, gateway, hasPods: behind?.hasPods, trust: behind?.trust }
}

async function lookAtGateway(member: Member, port: ExportedPort, pods: Pods): Promise<ServingGateway | undefined> {
  const record = (await findRecord(member.cluster))?.gateway
  if (record === undefined) return undefined
  const name = { namespace: record.namespace, name: record.service }
  const service = await member.cluster.get<Service>(SERVICES, name)
  const own = await podsOf(service, member)
  const pod = own.find((one) => isStaying(one) && isReady(one))
  const [target] = service === undefined || pod === undefined ? [] : targetsNumbered(service, [pod], record.port)
  if (pod === undefined || target === undefined) return { ...NOTHING, name }
  const place = { namespace: record.namespace, name: pod.metadata.name }
  const question = { pod: place, port: target, serverName: port.sni, protocols: PROTOCOLS, timeout: TIMEOUT }
  const [shown, listeners, clusters] = await Promise.all([
    pods.readServedChain(question, member.cluster),
    askProxy(place, LISTENERS_PATH, member, pods),
    askProxy(place, ENDPOINTS_PATH, member, pods),
  ])
  return {
    name,
    pod: `${place.namespace}/${place.name}`,
    passes: listeners === undefined ? undefined : hasChainFor(listeners, port.sni),
    // Istio calls the cluster of such a chain like the SNI.
    endpoints:
      clusters === undefined
        ? undefined
        : (endpointsOf(clusters, port.sni) ?? []).filter(({ healthy }) => healthy).length,
    shown,
  }
}

const NOTHING = { pod: undefined, passes: undefined, endpoints: undefined, shown: undefined }

async function lookBehind(
  member: Member,
  service: Required<ObjectName>,
  pods: Pods,
): Promise<Pick<Serving, 'hasPods' | 'trust'>> {
  const own = await podsOf(await member.cluster.get<Service>(SERVICES, service), member)
  const pod = own.find((one) => isStaying(one) && isReady(one) && proxyImage(one) !== undefined)
  if (pod === undefined) return { hasPods: false, trust: undefined }
  const place = { namespace: service.namespace, name: pod.metadata.name }
  const secrets = await askProxy(place, SECRETS_PATH, member, pods)
  return { hasPods: true, trust: secrets === undefined ? undefined : trustOf(secrets) }
}

async function podsOf(service: Service | undefined, { cluster }: Member): Promise<Pod[]> {
  const { selector = {} } = service?.spec ?? {}
  const { namespace = '' } = service?.metadata ?? {}
  if (Object.keys(selector).length === 0) return []
  const listed = await cluster.list<Pod>(PODS, { namespace, labels: labelSelector(selector) })
  return listed.filter((pod) => matchesSelector(pod, selector))
}
