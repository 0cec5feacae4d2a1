/** The ingress gateway, its address, and whether it may read Secrets. Asks or refuses where there is a choice. */
import { isDeepStrictEqual } from 'node:util'
import type { Cluster, KubeObject, ObjectName } from '../cluster/cluster.ts'
import type { Node, Pod, Service } from '../cluster/objects.ts'
import { readable } from '../cluster/reading.ts'
import { NODES, PODS } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import type { Dependencies } from '../world.ts'
import { type IngressAddress, namedAddress, nodeAddress, serviceAddress } from './address.ts'
import { findIngressGateways, gatewayName, gatewayOf, type IngressGateway } from './find.ts'
import { requireAddress } from './names.ts'

type Asking = Pick<Dependencies, 'cluster' | 'terminal'>

/**
 * The ingress gateway to use: the named one, or the only one.
 * @throws UserError GATEWAY_NOT_FOUND, GATEWAY_AMBIGUOUS
 */
export async function requireGateway(
  services: Service[],
  named: Required<ObjectName> | undefined,
  asking: Asking,
): Promise<IngressGateway> {
  return named === undefined ? onlyGateway(services, asking) : namedGateway(services, named, asking.cluster)
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
  if (service === undefined) throw missing('there is no such Service')
  const gateway = gatewayOf(service, await cluster.list<Pod>(PODS, { namespace }))
  if (gateway === undefined) throw missing('no pod behind this Service runs an Istio gateway (proxy router)')
  return gateway
}

async function onlyGateway(services: Service[], { cluster, terminal }: Asking): Promise<IngressGateway> {
  const found = await requireGateways(services, cluster)
  const [first, second] = found
  if (first !== undefined && second === undefined) return first
  if (!terminal.interactive) {
    throw new UserError(
      'GATEWAY_AMBIGUOUS',
      `there are ${found.length} ingress gateways: ${found.map(gatewayName).join(', ')}`,
      {
        suggestions: found.map((gateway) => `--gateway ${gatewayName(gateway)}`),
      },
    )
  }
  return terminal.select(
    'Which ingress gateway?',
    found.map((value) => ({ name: gatewayName(value), value })),
  )
}

/** Every ingress gateway, one at least. @throws UserError GATEWAY_NOT_FOUND */
export async function requireGateways(services: Service[], cluster: Cluster): Promise<IngressGateway[]> {
  const found = await searchGateways(services, cluster)
  if (found.length > 0) return found
  throw new UserError(
    'GATEWAY_NOT_FOUND',
    'no ingress gateway was found: no reachable Service with port 443 or 80 has pods that run `proxy router`',
    {
      suggestions: [
        'istioctl install --set profile=default   # or: helm install istio-ingress istio/gateway -n istio-ingress',
        '--gateway NAMESPACE/SERVICE   # when its Service is of type ClusterIP',
      ],
    },
  )
}

/** Istio's installers label gateway pods `istio=…`, so these are read first; only when none fits, all pods are. */
async function searchGateways(services: Service[], cluster: Cluster): Promise<IngressGateway[]> {
  const labelled = findIngressGateways(services, await cluster.list<Pod>(PODS, { labels: 'istio' }))
  return labelled.length > 0 ? labelled : findIngressGateways(services, await cluster.list<Pod>(PODS))
}

/**
 * The address at which clients reach the gateway.
 * @param named `--ingress-ip`
 * @throws UserError ADDRESS_NOT_FOUND
 */
export async function requireIngressAddress(
  gateway: IngressGateway,
  named: string | undefined,
  { cluster, terminal }: Asking,
): Promise<IngressAddress> {
  const { address, nodes } = await findIngressAddress(gateway, named, cluster)
  if (address !== undefined) return address
  const why = whyUnreachable(gateway)
  if (!terminal.interactive) throw new UserError('ADDRESS_NOT_FOUND', why, { suggestions: waysWithoutAddress(gateway) })
  const typed = await terminal.input(`${why}. Address of the ingress gateway:`, complaintOf(requireAddress))
  return namedAddress(requireAddress(typed), gateway, nodes)
}

/**
 * The ingress gateway whose pods an Istio Gateway selects, and its address as far as it has one.
 * @param named `--ingress-ip`
 */
export async function findGatewayBehind(
  { metadata: { namespace = '' }, spec }: KubeObject,
  services: Service[],
  named: string | undefined,
  cluster: Cluster,
): Promise<{ gateway: IngressGateway; address: IngressAddress | undefined } | undefined> {
  const { selector } = spec as { selector: Record<string, string> }
  const behind = services.filter(
    (service) => service.metadata.namespace === namespace && isDeepStrictEqual(service.spec.selector, selector),
  )
  const pods = behind.length === 0 ? [] : await cluster.list<Pod>(PODS, { namespace })
  const gateways = behind.flatMap((service) => gatewayOf(service, pods) ?? [])
  const found = await Promise.all(
    gateways.map(async (gateway) => ({ gateway, ...(await findIngressAddress(gateway, named, cluster)) })),
  )
  return found.find(({ address }) => address !== undefined) ?? found[0]
}

/** That address, if there is one; nodes are read only where they have a say. */
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

function whyUnreachable(gateway: IngressGateway): string {
  const name = `Service ${gatewayName(gateway)}`
  return gateway.service.spec.type === 'ClusterIP'
    ? `${name} is of type ClusterIP without external IPs: it is reached from inside the cluster alone`
    : `${name} has no external address, and no node's address and node port lead to it`
}

function waysWithoutAddress({ namespace, service }: IngressGateway): string[] {
  const { name } = service.metadata
  return [
    'kubectl telemetry port-forward   # for this machine alone, needs no gateway',
    '--ingress-ip ADDRESS   # of what leads to it from outside',
    ...(service.spec.type === 'ClusterIP'
      ? [
          `kubectl -n ${namespace} patch service ${name} -p '{"spec":{"type":"LoadBalancer"}}'   # or NodePort: reached from outside`,
        ]
      : []),
  ]
}

/** A checking function as prompts take it: the complaint, or nothing. */
export function complaintOf(require: (text: string) => unknown): (text: string) => string | undefined {
  return (text) => {
    try {
      require(text)
      return undefined
    } catch (error) {
      return (error as Error).message
    }
  }
}

/** Whether Envoy will be given certificates: the gateway's service account has to be able to list Secrets where its pods are. */
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
    `service account ${serviceAccount} of gateway ${gatewayName(gateway)} may not list Secrets in namespace ${namespace}, so istiod would never hand it the certificate`,
    {
      suggestions: [
        `kubectl -n ${namespace} create role ${serviceAccount}-sds --verb=get,watch,list --resource=secrets`,
        `kubectl -n ${namespace} create rolebinding ${serviceAccount}-sds --role=${serviceAccount}-sds --serviceaccount=${namespace}:${serviceAccount}`,
        'wait a minute (istiod remembers the refusal for that long), then run the command again',
      ],
    },
  )
}
