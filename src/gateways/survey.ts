/** Finds the ingress gateway and its address, and checks whether it may read Secrets. If there are several, the user is asked. */
import type { Cluster, KubeObject, ObjectName } from '../cluster/cluster.ts'
import { isStaying, matchesSelector, type Node, type Pod, type Service } from '../cluster/objects.ts'
import { notesOf } from '../cluster/ownership.ts'
import { inStayingNamespaces, readable } from '../cluster/reading.ts'
import { NODES, PODS } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import { sh } from '../shell.ts'
import { complaintOf } from '../terminal/complaint.ts'
import type { Dependencies } from '../world.ts'
import { type IngressAddress, namedAddress, nodeAddress, serviceAddress } from './address.ts'
import { isSameGateway, reachWords } from './balancer.ts'
import {
  apiGatewayOf,
  findIngressGateways,
  gatewayName,
  gatewayOf,
  type IngressGateway,
  leadsFromElsewhere,
  leadsFromOutside,
} from './find.ts'
import { requireAddress } from './names.ts'

type Needs = Pick<Dependencies, 'cluster' | 'terminal'>

/**
 * @returns the named ingress gateway, or the only one
 * @throws UserError GATEWAY_NOT_FOUND, GATEWAY_AMBIGUOUS, GATEWAY_API_GATEWAY
 */
export async function requireGateway(
  services: Service[],
  named: Required<ObjectName> | undefined,
  world: Needs,
): Promise<IngressGateway> {
  return named === undefined ? onlyGateway(services, world) : namedGateway(services, named, world.cluster)
}

async function namedGateway(
  services: Service[],
  { namespace, name }: Required<ObjectName>,
  cluster: Cluster,
): Promise<IngressGateway> {
  const service = services.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name)
  const missing = (why: string) =>
    new UserError('GATEWAY_NOT_FOUND', `--gateway ${namespace}/${name}: ${why}`, {
      suggestions: ['kubectl get services -A'],
    })
  if (service === undefined) throw missing('the Service does not exist')
  if (!isStaying(service)) throw missing('the Service is being deleted')
  const gateway = gatewayOf(service, await cluster.list<Pod>(PODS, { namespace }), services)
  if (gateway === undefined) throw missing('no pod behind this Service runs an Istio gateway (proxy router)')
  const managing = apiGatewayOf(gateway)
  if (managing !== undefined) throw managedByApi([{ service: gatewayName(gateway), managing }])
  return gateway
}

/** @param found Services of gateways that Gateway API manages, and its Gateways */
function managedByApi(found: readonly { service: string; managing: string }[]): UserError {
  const [first] = found
  const which = found.map(({ service, managing }) => `Service ${service} (Gateway ${managing})`).join(', ')
  const message = `Gateway API manages the ingress gateway: ${which}; kubectl telemetry does not yet support Gateways of gateway.networking.k8s.io`
  const [namespace, name] = first?.managing.split('/') ?? []
  return new UserError('GATEWAY_API_GATEWAY', message, {
    suggestions: [
      '--gateway NAMESPACE/SERVICE   # an ingress gateway that Istio or Helm installed',
      'kubectl telemetry port-forward   # only for this machine, needs no gateway',
      sh`kubectl -n ${namespace} get gateways.gateway.networking.k8s.io ${name}`,
    ],
  })
}

async function onlyGateway(services: Service[], { cluster, terminal }: Needs): Promise<IngressGateway> {
  const found = await requireGateways(services, cluster)
  const [first, second] = found
  if (first !== undefined && second === undefined) return first
  if (!terminal.interactive) throw ambiguous(found)
  return terminal.select(
    'Which ingress gateway?',
    found.map((value) => ({ name: `${gatewayName(value)}${besides(value, found, ' (', ')')}`, value })),
  )
}

/** How a Service is reached, where another one leads to the same pods. */
function besides(gateway: IngressGateway, found: readonly IngressGateway[], before: string, after = ''): string {
  const isOne = found.some((other) => other !== gateway && isSameGateway(gateway, other))
  return isOne ? `${before}${reachWords(gateway.service)}${after}` : ''
}

/** Several Services before the same pods are one gateway with several addresses. */
function ambiguous(found: readonly IngressGateway[]): UserError {
  const [first] = found
  const names = found.map((gateway) => `${gatewayName(gateway)}${besides(gateway, found, ' (', ')')}`).join(', ')
  const isOne = first !== undefined && found.every((other) => isSameGateway(first, other))
  const message = isOne
    ? `${found.length} Services lead to the same gateway pods: ${names}. They are one gateway with several addresses: pages answer at all of them, and the URLs have that of the chosen one`
    : `there are ${found.length} ingress gateways: ${names}`
  return new UserError('GATEWAY_AMBIGUOUS', message, {
    suggestions: found.map((gateway) => sh`--gateway ${gatewayName(gateway)}` + besides(gateway, found, '   # ')),
  })
}

/** @returns all ingress gateways, at least one. @throws UserError GATEWAY_NOT_FOUND, GATEWAY_API_GATEWAY */
export async function requireGateways(services: Service[], cluster: Cluster): Promise<IngressGateway[]> {
  const found = await inStayingNamespaces(await searchGateways(services, cluster), cluster)
  if (found.length > 0) return found
  const managed = await searchApiGateways(services, cluster)
  if (managed.length > 0) throw managedByApi(managed)
  throw new UserError(
    'GATEWAY_NOT_FOUND',
    'no ingress gateway found: no Service that is reachable from outside at port 443 or 80 has pods that run `proxy router`',
    {
      suggestions: [
        'istioctl install --set profile=default   # or: helm install istio-ingress istio/gateway -n istio-ingress',
        '--gateway NAMESPACE/SERVICE   # when its Service is of type ClusterIP',
      ],
    },
  )
}

/**
 * Istio's installers label gateway pods `istio=…`: if some of them match, no others are read. Possible Services of gateways are mostly in
 * one namespace, whose pods the survey of add-ons has often read before.
 */
async function searchGateways(services: Service[], cluster: Cluster): Promise<IngressGateway[]> {
  const [namespace, another] = new Set(services.filter(leadsFromOutside).map(({ metadata }) => metadata.namespace))
  if (namespace === undefined) return searchElsewhere(services, cluster)
  const here = another === undefined ? await cluster.list<Pod>(PODS, { namespace }) : undefined
  const labelled = here?.filter(({ metadata: { labels = {} } }) => 'istio' in labels)
  const found = findIngressGateways(services, labelled ?? (await cluster.list<Pod>(PODS, { labels: 'istio' })))
  if (found.length > 0) return found
  const all = findIngressGateways(services, here ?? (await cluster.list<Pod>(PODS)))
  return all.length > 0 ? all : searchElsewhere(services, cluster)
}

/** Gateways at other ports than 443 and 80: only where there is no usual one. */
async function searchElsewhere(services: Service[], cluster: Cluster): Promise<IngressGateway[]> {
  if (!services.some(leadsFromElsewhere)) return []
  return findIngressGateways(services, await cluster.list<Pod>(PODS), leadsFromElsewhere)
}

/** Only when no other gateway was found: the pods have the label of Gateway API, which no installer of Istio sets. */
async function searchApiGateways(
  services: Service[],
  cluster: Cluster,
): Promise<{ service: string; managing: string }[]> {
  const outside = services.filter(leadsFromOutside)
  const pods = outside.length === 0 ? [] : ((await readable(cluster.list<Pod>(PODS))) ?? [])
  return outside.flatMap((service) => {
    const gateway = gatewayOf(service, pods)
    if (gateway === undefined) return []
    const managing = apiGatewayOf(gateway)
    return managing === undefined ? [] : [{ service: gatewayName(gateway), managing }]
  })
}

/**
 * @returns the external address of the gateway
 * @param named `--ingress-ip`
 * @throws UserError ADDRESS_NOT_FOUND
 */
export async function requireIngressAddress(
  gateway: IngressGateway,
  named: string | undefined,
  { cluster, terminal }: Needs,
): Promise<IngressAddress> {
  const { address, nodes } = await findIngressAddress(gateway, named, cluster)
  if (address !== undefined) return address
  if (!terminal.interactive) throw addressNotFound(gateway)
  const typed = await terminal.input(
    `${whyUnreachable(gateway)}. Address of the ingress gateway:`,
    complaintOf(requireAddress),
  )
  return namedAddress(requireAddress(typed), gateway, nodes)
}

/**
 * Finds the ingress gateway whose pods an Istio Gateway selects, and its address, if it has one: of several Services the one that was chosen
 * when add-ons were exposed, else the first with an address.
 * @param own our Gateway @param named `--ingress-ip`
 */
export async function findGatewayBehind(
  own: KubeObject,
  services: Service[],
  named: string | undefined,
  cluster: Cluster,
): Promise<{ gateway: IngressGateway; address: IngressAddress | undefined } | undefined> {
  const { namespace = '' } = own.metadata
  const { selector } = (own.spec ?? {}) as { selector?: Record<string, string> }
  const behind = selector === undefined ? [] : servicesFor(selector, namespace, services)
  const pods = behind.length === 0 ? [] : await cluster.list<Pod>(PODS, { namespace })
  const selected = pods.filter((pod) => matchesSelector(pod, selector))
  const gateways = behind.flatMap((service) => gatewayOf(service, selected, services) ?? [])
  const found = await Promise.all(
    gateways.map(async (gateway) => ({ gateway, ...(await findIngressAddress(gateway, named, cluster)) })),
  )
  const chosen = found.find(({ gateway }) => gateway.service.metadata.name === notesOf(own).service)
  return chosen ?? found.find(({ address }) => address !== undefined) ?? found[0]
}

/** Services that lead to pods with these labels: first that with all of them, since a Gateway may need more labels (own-pods.ts). */
function servicesFor(selector: Record<string, string>, namespace: string, services: Service[]): Service[] {
  const count = ({ spec }: Service) => Object.keys(spec.selector ?? {}).length
  const pod = { metadata: { name: '', labels: selector } }
  return services
    .filter(({ metadata, spec }) => metadata.namespace === namespace && matchesSelector(pod, spec.selector))
    .toSorted((one, other) => count(other) - count(one))
}

/** @returns the external address, if there is one. Nodes are read only if needed */
export async function findIngressAddress(
  gateway: IngressGateway,
  named: string | undefined,
  cluster: Cluster,
): Promise<{ address: IngressAddress | undefined; nodes: Node[] }> {
  const own = serviceAddress(gateway)
  if (named === undefined && own !== undefined) return { address: own, nodes: [] }
  const nodes = (await readable(cluster.list<Node>(NODES))) ?? []
  const address = named === undefined ? nodeAddress(gateway, nodes) : namedAddress(named, gateway, nodes)
  return { address, nodes }
}

export function addressNotFound(gateway: IngressGateway): UserError {
  return new UserError('ADDRESS_NOT_FOUND', whyUnreachable(gateway), { suggestions: waysWithoutAddress(gateway) })
}

function whyUnreachable(gateway: IngressGateway): string {
  const name = `Service ${gatewayName(gateway)}`
  return gateway.service.spec.type === 'ClusterIP'
    ? `${name} is of type ClusterIP without external IPs: it can only be reached from inside of the cluster`
    : `${name} has no external address, and no node's address and node port lead to it`
}

function waysWithoutAddress({ namespace, service }: IngressGateway): string[] {
  const { name } = service.metadata
  return [
    'kubectl telemetry port-forward   # only for this machine, needs no gateway',
    '--ingress-ip ADDRESS   # of what leads to it from outside',
    ...(service.spec.type === 'ClusterIP'
      ? [
          sh`kubectl -n ${namespace} patch service ${name} -p '{"spec":{"type":"LoadBalancer"}}'   # or NodePort: reachable from outside`,
        ]
      : []),
  ]
}

/** Checks that istiod will give certificates to the gateway: its service account needs to list Secrets in its namespace. */
export async function requireSecretsReadable(gateway: IngressGateway, cluster: Cluster): Promise<void> {
  const { namespace, serviceAccount } = gateway
  const allowed = await cluster.mayAccess({
    user: `system:serviceaccount:${namespace}:${serviceAccount}`,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
    verb: 'list',
    group: '',
    resource: 'secrets',
    namespace,
  })
  if (allowed !== false) return
  throw new UserError(
    'GATEWAY_CANNOT_READ_SECRETS',
    `service account ${serviceAccount} of gateway ${gatewayName(gateway)} is not allowed to list Secrets in namespace ${namespace}, so istiod would never send it the certificate`,
    {
      suggestions: [
        sh`kubectl -n ${namespace} create role ${serviceAccount}-sds --verb=get,watch,list --resource=secrets`,
        sh`kubectl -n ${namespace} create rolebinding ${serviceAccount}-sds --role=${serviceAccount}-sds --serviceaccount=${namespace}:${serviceAccount}`,
        'wait a minute (istiod caches the refusal for that long), then run the command again',
      ],
    },
  )
}
