/** What people have who followed Istio's page by hand, and what its own clean-up leaves behind (four DestinationRules and the Secret). */
import type { Cluster, KubeObject, Resource } from '../cluster/cluster.ts'
import { isOwned } from '../cluster/ownership.ts'
import { destinationRules, gateways, SECRETS, virtualServices } from '../cluster/resources.ts'

/** The page's names for add-ons. https://istio.io/latest/docs/tasks/observability/gateways/ */
const ADDONS = ['grafana', 'kiali', 'prometheus', 'tracing']
const SECRET = 'telemetry-gw-cert'

export interface DocumentedObject {
  resource: Resource
  object: KubeObject
}

/**
 * The page's objects that are there, what serves first. Their names are anybody's (a DestinationRule `grafana` above all), so each
 * has to have the page's content too.
 * @param version of Istio's networking API
 */
export async function findDocumentedSetup(
  cluster: Cluster,
  version: string,
  namespace: string,
): Promise<DocumentedObject[]> {
  const wanted = [
    ...ADDONS.map((addon) => ({
      resource: gateways(version),
      name: `${addon}-gateway`,
      isThePages: servesWith(addon),
    })),
    ...ADDONS.map((addon) => ({
      resource: virtualServices(version),
      name: `${addon}-vs`,
      isThePages: boundTo(`${addon}-gateway`),
    })),
    ...ADDONS.map((addon) => ({ resource: destinationRules(version), name: addon, isThePages: withoutTls(addon) })),
    { resource: SECRETS, name: SECRET, isThePages: () => true },
  ]
  const found = await Promise.all(wanted.map(({ resource, name }) => cluster.get(resource, { name, namespace })))
  return wanted.flatMap(({ resource, isThePages }, index) => {
    const object = found[index]
    return object !== undefined && !isOwned(object) && isThePages(object) ? [{ resource, object }] : []
  })
}

/** One server for the add-on, on 80, 443 or the old page's 15029 to 15032. */
function servesWith(addon: string): (object: KubeObject) => boolean {
  return ({ spec }) => {
    const { servers = [] } = spec as { servers?: { port?: { name?: string } }[] }
    const names = servers.map(({ port }) => port?.name ?? '')
    return names.length > 0 && names.every((name) => /^https?-/.test(name) && name.includes(addon.slice(0, 4)))
  }
}

function boundTo(gateway: string): (object: KubeObject) => boolean {
  return ({ spec }) => {
    const { gateways = [] } = spec as { gateways?: string[] }
    return gateways.length === 1 && gateways[0] === gateway
  }
}

/** `host: grafana`, TLS disabled, and nothing else. */
function withoutTls(addon: string): (object: KubeObject) => boolean {
  return ({ spec }) => {
    const { host, trafficPolicy, ...more } = spec as { host?: string; trafficPolicy?: { tls?: { mode?: string } } }
    const isPlain = trafficPolicy?.tls?.mode === 'DISABLE' && Object.keys(trafficPolicy).length === 1
    return (host === addon || host?.startsWith(`${addon}.`) === true) && isPlain && Object.keys(more).length === 0
  }
}
