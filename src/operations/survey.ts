/** Reads what expose builds on: the add-ons, the ingress gateway, its address. Asks or refuses where there is a choice. */
import { type AddonAccess, environmentDecides, mountedConfigMaps, readAccess } from '../addons/access.ts'
import type { Addon } from '../addons/catalog.ts'
import { type FoundAddon, findAddon } from '../addons/find.ts'
import type { Cluster, ObjectName } from '../cluster/cluster.ts'
import type { ConfigMap, Node, Pod, Service } from '../cluster/objects.ts'
import { CONFIG_MAPS, ISTIO_NETWORKING, ISTIO_VERSIONS, NODES, PODS, SERVICES } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import { type IngressAddress, namedAddress, nodeAddress, serviceAddress } from '../gateways/address.ts'
import { findIngressGateways, gatewayName, gatewayOf, httpsPort, type IngressGateway } from '../gateways/find.ts'
import { requireAddress } from '../gateways/names.ts'
import type { Dependencies } from './dependencies.ts'

type Asking = Pick<Dependencies, 'cluster' | 'terminal'>

/**
 * The newest version of Istio's networking API that we know and the cluster serves.
 * @throws UserError ISTIO_NOT_FOUND
 */
export async function requireIstioVersion(cluster: Cluster): Promise<string> {
  const served = await cluster.servedVersions(ISTIO_NETWORKING)
  const version = ISTIO_VERSIONS.find((known) => served.includes(known))
  if (version !== undefined) return version
  throw new UserError(
    'ISTIO_NOT_FOUND',
    `the cluster of context "${cluster.context}" has no Istio: it does not serve ${ISTIO_NETWORKING}`,
    {
      suggestions: ['istioctl install', '--context NAME   # another cluster'],
    },
  )
}

/**
 * Where one add-on runs.
 * @throws UserError ADDON_NOT_FOUND, ADDON_AMBIGUOUS
 */
export async function requireAddon(
  addon: Addon,
  services: Service[],
  namespace: string | undefined,
  { terminal }: Asking,
): Promise<FoundAddon> {
  const everywhere = findAddon(addon, services)
  const found = everywhere.filter((one) => namespace === undefined || one.namespace === namespace)
  const [first, second] = found
  if (first === undefined) throw addonNotFound(addon, namespace, everywhere)
  if (second === undefined) return first
  const names = found.map(({ namespace, service }) => `${namespace}/${service.metadata.name}`)
  if (!terminal.interactive) {
    throw new UserError(
      'ADDON_AMBIGUOUS',
      `there are ${found.length} Services of ${addon.title}: ${names.join(', ')}`,
      {
        suggestions: found.map((one) => `-n ${one.namespace}`),
      },
    )
  }
  return terminal.select(
    `Which ${addon.title}?`,
    found.map((value, index) => ({ name: names[index] ?? '', value })),
  )
}

function addonNotFound(addon: Addon, namespace: string | undefined, everywhere: FoundAddon[]): UserError {
  const elsewhere = everywhere.map((one) => one.namespace)
  const where = namespace === undefined ? 'in any namespace' : `in namespace ${namespace}`
  return new UserError(
    'ADDON_NOT_FOUND',
    `${addon.title} was not found ${where} (looked for Services labelled ${labelTexts(addon)})`,
    {
      suggestions:
        elsewhere.length > 0
          ? elsewhere.map((name) => `-n ${name}`)
          : [`kubectl get services -A | grep -i ${addon.name}   # is it installed?`],
    },
  )
}

function labelTexts(addon: Addon): string {
  return addon.labels
    .flatMap((labels) => Object.entries(labels).map(([name, value]) => `${name}=${value}`))
    .join(' or ')
}

/** Who the add-on lets in. Costs one read of its pods, and its ConfigMaps only when the pods' environment does not tell. */
export async function surveyAccess({ addon, service, namespace }: FoundAddon, cluster: Cluster): Promise<AddonAccess> {
  const labels = Object.entries(service.spec.selector ?? {}).map(([name, value]) => `${name}=${value}`)
  const pods = await readable(cluster.list<Pod>(PODS, { namespace, labels: labels.join() }))
  const pod = pods?.[0]
  if (pod === undefined || pods === undefined) return { kind: 'unknown' }
  if (environmentDecides(addon, pod)) return readAccess(addon, pods, [])
  const reads = mountedConfigMaps(pod).map((name) => cluster.get<ConfigMap>(CONFIG_MAPS, { name, namespace }))
  const configMaps = await readable(Promise.all(reads))
  return readAccess(
    addon,
    pods,
    configMaps?.filter((configMap) => configMap !== undefined),
  )
}

/** What the user may not read is unknown, not fatal. */
async function readable<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading
  } catch (error) {
    if (error instanceof UserError && error.code === 'FORBIDDEN') return undefined
    throw error
  }
}

/**
 * The ingress gateway to use: the named one, or the only one.
 * @throws UserError GATEWAY_NOT_FOUND, GATEWAY_AMBIGUOUS, GATEWAY_PORT_MISSING
 */
export async function requireGateway(
  services: Service[],
  named: Required<ObjectName> | undefined,
  asking: Asking,
): Promise<IngressGateway> {
  const gateway =
    named === undefined ? await onlyGateway(services, asking) : await namedGateway(services, named, asking.cluster)
  if (httpsPort(gateway.service) !== undefined) return gateway
  throw new UserError('GATEWAY_PORT_MISSING', `Service ${gatewayName(gateway)} has no port 443`, {
    suggestions: [
      `kubectl -n ${gateway.namespace} get service ${gateway.service.metadata.name}   # add 443, or name another one by --gateway`,
    ],
  })
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
  const found = await searchGateways(services, cluster)
  const [first, second] = found
  if (first === undefined) {
    throw new UserError(
      'GATEWAY_NOT_FOUND',
      'no ingress gateway was found: no reachable Service with port 443 has pods that run `proxy router`',
      {
        suggestions: [
          'istioctl install --set profile=default   # or: helm install istio-ingress istio/gateway -n istio-ingress',
          '--gateway NAMESPACE/SERVICE   # when its Service is of type ClusterIP',
        ],
      },
    )
  }
  if (second === undefined) return first
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
  const own = serviceAddress(gateway)
  if (named === undefined && own !== undefined) return own
  const nodes = (await readable(cluster.list<Node>(NODES))) ?? []
  if (named !== undefined) return namedAddress(named, gateway, nodes)
  const found = nodeAddress(gateway, nodes)
  if (found !== undefined) return found
  const why = `Service ${gatewayName(gateway)} has no external address, and no node's address and node port lead to it`
  if (!terminal.interactive) {
    throw new UserError('ADDRESS_NOT_FOUND', why, {
      suggestions: ['--ingress-ip ADDRESS', 'kubectl port-forward   # needs no address'],
    })
  }
  const typed = await terminal.input(`${why}. Address of the ingress gateway:`, complaintOf(requireAddress))
  return namedAddress(requireAddress(typed), gateway, nodes)
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

/** Every Service of the cluster: one read serves the search for add-ons and for gateways. */
export function readServices(cluster: Cluster): Promise<Service[]> {
  return cluster.list<Service>(SERVICES)
}
