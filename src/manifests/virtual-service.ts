import type { KubeObject, Resource } from '../cluster/cluster.ts'
import { ownedLabels } from '../cluster/ownership.ts'
import { typeOf } from '../cluster/resources.ts'
import { GATEWAY_NAME, virtualServiceName } from './names.ts'

export interface VirtualServiceRequest {
  /** The Gateway's namespace. */
  namespace: string
  addonName: string
  host: string
  /** The Gateway's port, where several add-ons share the host; every port when left out. */
  port?: number | undefined
  /** Where the page is; `/` leads there. */
  path: string
  /** Requests that are let through, by method and path (RE2); all when left out. */
  allowed?: { methods: string; path: string }[] | undefined
  /** Whether the gateway keeps the password to itself: an add-on would take it for one of its own, and refuse it. */
  withoutAuthorization?: boolean
  /** What is remembered of the exposure. */
  annotations?: Record<string, string> | undefined
  /** The add-on's Service. */
  destination: { service: string; namespace: string; port: number }
}

/**
 * The route from one host to one add-on. The destination is a full DNS name, because a short one would be looked up in the
 * VirtualService's namespace; the port is spelled out, because Services with several ports need it (IST0112).
 * https://istio.io/latest/docs/reference/config/networking/virtual-service/
 */
export function virtualService(resource: Resource, request: VirtualServiceRequest): KubeObject {
  const { namespace, addonName, host, annotations } = request
  const remembered = annotations === undefined ? {} : { annotations }
  return {
    ...typeOf(resource),
    metadata: { name: virtualServiceName(addonName), namespace, labels: ownedLabels(addonName), ...remembered },
    spec: { hosts: [host], gateways: [GATEWAY_NAME], http: routes(request) },
  }
}

function routes({ path, port, allowed, destination, withoutAuthorization = false }: VirtualServiceRequest): object[] {
  const here = port === undefined ? {} : { port }
  const only = port === undefined ? {} : { match: [here] }
  const home =
    path === '/' ? [] : [{ match: [{ ...here, uri: { exact: '/' } }], redirect: { uri: path, redirectCode: 302 } }]
  const host = `${destination.service}.${destination.namespace}.svc.cluster.local`
  const headers = withoutAuthorization ? { headers: { request: { remove: ['authorization'] } } } : {}
  const route = [{ destination: { host, port: { number: destination.port } }, ...headers }]
  if (allowed === undefined) return [...home, { ...only, route }]
  // An allow-list, because a deny rule for /-/quit falls to POST /-%2Fquit: Envoy leaves %2F alone, Prometheus decodes it.
  const match = allowed.map(({ methods, path }) => ({ ...here, method: { regex: methods }, uri: { regex: path } }))
  return [...home, { match, route }, { ...only, directResponse: { status: 403 } }]
}
