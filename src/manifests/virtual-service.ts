import type { KubeObject, Resource } from '../cluster/cluster.ts'
import { EXPOSING, MULTICLUSTER, ownedLabels } from '../cluster/ownership.ts'
import { typeOf } from '../cluster/resources.ts'
import { GATEWAY_NAME, passedHostNote, virtualServiceName } from './names.ts'
import { CLOSED, MARKER, OPEN, PROBES } from './probe-paths.ts'

export interface VirtualServiceRequest {
  /** The Gateway's namespace. */
  namespace: string
  addonName: string
  host: string
  /** The port of the Gateway's server that leads to the add-on. */
  port: number
  /** The port of the server that redirects to HTTPS, if there may be one. */
  redirectPort?: number | undefined
  /** Path of the page; `/` redirects to it. */
  path: string
  /** Allowed requests by method and path (RE2); all if left out. */
  allowed?: { methods: string; path: string }[] | undefined
  /** The only paths that are let through, for any method; one that ends with `/` includes all below it. All if left out. */
  paths?: readonly string[] | undefined
  /** Request headers that the gateway removes, in lower case. */
  removes?: readonly string[]
  /** Whether the add-on has a guard: then some paths, which never lead to it, prove at any time what the guard does. */
  guarded?: boolean
  /** The recorded terms of the exposure. */
  annotations?: Record<string, string> | undefined
  /** The add-on's Service, and the domain of Services in this mesh. */
  destination: { service: string; namespace: string; port: number; clusterDomain: string }
}

/**
 * The route from one host to one add-on. The destination is a full DNS name, because a short one would be resolved in the
 * VirtualService's namespace. It has a port, because Services with several ports need it (IST0112). It is exported only to its own
 * namespace: a Gateway may select pods of other namespaces, and the guards are not there.
 * https://istio.io/latest/docs/reference/config/networking/virtual-service/
 */
export function virtualService(resource: Resource, request: VirtualServiceRequest): KubeObject {
  const { namespace, addonName, host, annotations } = request
  const remembered = annotations === undefined ? {} : { annotations }
  return {
    ...typeOf(resource),
    metadata: {
      name: virtualServiceName(addonName),
      namespace,
      labels: ownedLabels(EXPOSING, addonName),
      ...remembered,
    },
    spec: {
      hosts: [host],
      gateways: [GATEWAY_NAME],
      exportTo: ['.'],
      http: [...probes(request), ...routes(request), ...beside(request)],
    },
  }
}

/** Name of the rule that closes a route, before the version of the guard. */
export const CLOSED_FOR = 'closed-for-'

/** The same route, closed. */
export function closedRoute(route: KubeObject, port: number, version: string): KubeObject {
  const spec = route.spec as { http: object[] }
  return { ...route, spec: { ...spec, http: [closed(port, version), ...spec.http] } }
}

/** Takes all requests, so Istio leaves out the rules after it: they only say where the route will lead when it is opened. */
function closed(port: number, version: string): object {
  return { name: CLOSED_FOR + version, match: [{ port }], ...ownAnswer(CLOSED, 'closed until its guard is in force') }
}

function probes({ port, guarded = false }: VirtualServiceRequest): object[] {
  return guarded ? [{ match: [{ port, uri: { prefix: PROBES } }], ...ownAnswer(OPEN, 'not a page of the add-on') }] : []
}

function ownAnswer(state: string, why: string): object {
  return {
    directResponse: { status: 403, body: { string: `kubectl-telemetry: ${why}\n` } },
    headers: { response: { set: { [MARKER]: state } } },
  }
}

/** Each rule is only for its port: a rule without one would also be in the server that redirects, where no guard applies. */
function routes({ path, port, allowed, paths, destination, removes = [] }: VirtualServiceRequest): object[] {
  const home =
    path === '/' || paths !== undefined
      ? []
      : [{ match: [{ port, uri: { exact: '/' } }], redirect: { uri: path, redirectCode: 302 } }]
  const host = `${destination.service}.${destination.namespace}.svc.${destination.clusterDomain}`
  const headers = removes.length > 0 ? { headers: { request: { remove: removes } } } : {}
  const route = [{ destination: { host, port: { number: destination.port } }, ...headers }]
  if (paths !== undefined)
    return [
      // Envoy resolves dot segments unless the mesh configuration says otherwise.
      { match: [{ port, uri: { regex: DOT_SEGMENT } }], directResponse: { status: 404 } },
      { match: paths.map((one) => ({ port, uri: uriMatch(one) })), route },
      { match: [{ port }], directResponse: { status: 404 } },
    ]
  if (allowed === undefined) return [...home, { match: [{ port }], route }]
  // An allow list, because POST /-%2Fquit would bypass a rule that denies /-/quit: Envoy does not decode %2F, but Prometheus does.
  const match = allowed.map(({ methods, path }) => ({ port, method: { regex: methods }, uri: { regex: path } }))
  return [...home, { match, route }, { match: [{ port }], directResponse: { status: 403 } }]
}

/**
 * Any rest of a path, but no slash, dot, backslash or percent sign in encoded form: Envoy resolves `..` and leaves `%2F` unchanged, and a
 * Service that decodes it would leave the directory (RE2 has no look-ahead). `%C0` and `%C1` only begin overlong forms of these (RFC 3629, 3).
 */
const REST = '([^%\\\\]|%([013-46-9abdefABDEF][0-9a-fA-F]|2[0-46-9a-dA-D]|5[0-9abdefABDEF]|[cC][2-9a-fA-F]))*'

/** Some servers take `..;a` for `..`: what follows a semicolon is a parameter of the segment for them (RFC 3986, 3.3). */
const DOT_SEGMENT = '.*/[.]{1,2}(;[^/]*)?(/.*)?'

/** @param path a plain one (text.ts) */
function uriMatch(path: string): { exact: string } | { regex: string } {
  return path.endsWith('/') ? { regex: path.replaceAll('.', '\\.') + REST } : { exact: path }
}

/** In place of paths that cannot be read: it leads nowhere, so that nothing is let through that was not before. */
export const NO_PATH = `${PROBES}no-path`

/** The path of a match of `paths`; `undefined` for any other match. */
export function pathIn({ exact, regex }: { exact?: unknown; regex?: unknown } = {}): string | undefined {
  if (typeof exact === 'string') return exact
  return typeof regex === 'string' && regex.endsWith(`/${REST}`)
    ? regex.slice(0, -REST.length).replaceAll('\\.', '.')
    : undefined
}

/**
 * The server that redirects answers 404 itself to a request that claims to have come by HTTPS (`X-Forwarded-Proto`, which Envoy believes
 * with trusted proxies). Without any rule Istio names its virtual host NAMESPACE/HOST, and it redirects nothing (seen).
 */
function beside({ redirectPort }: VirtualServiceRequest): object[] {
  return redirectPort === undefined ? [] : [{ match: [{ port: redirectPort }], directResponse: { status: 404 } }]
}

export interface PassingRouteRequest {
  /** Of the VirtualService and of its Gateway. */
  name: string
  namespace: string
  /** The host of which it passes calls on. */
  passed: string
  /** Server names, with a wildcard. */
  hosts: string[]
  /** Of the Gateway's server. */
  port: number
  destination: { host: string; port: number }
}

/** Passes connections with these server names on, as they are. */
export function passingRoute(resource: Resource, request: PassingRouteRequest): KubeObject {
  const { name, namespace, passed, hosts, port, destination } = request
  return {
    ...typeOf(resource),
    metadata: { name, namespace, labels: ownedLabels(MULTICLUSTER), ...passedHostNote(passed) },
    spec: {
      hosts,
      gateways: [name],
      exportTo: ['.'],
      tls: [
        {
          match: [{ port, sniHosts: hosts }],
          route: [{ destination: { host: destination.host, port: { number: destination.port } } }],
        },
      ],
    },
  }
}
