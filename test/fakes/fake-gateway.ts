/**
 * A gateway that behaves as Istio and Envoy were seen to (docs/decisions/0021): istiod sends the filters of the listeners, then the
 * routes; a connection keeps the filters of the time at which it was opened and finds routes by the name of its server's table, which for
 * HTTP is one for the whole port. It serves what the objects in the fake cluster say, in the namespace of our Gateway.
 */
import type { KubeObject } from '../../src/cluster/cluster.ts'
import type { Probe } from '../../src/probing/prober.ts'
import { copied } from './copied.ts'

export interface Asked {
  host: string
  port: number
  path: string
  /** Server name of the TLS connection; left out for HTTP. */
  sni?: string | undefined
  /** `X-Forwarded-Proto: https`. */
  asIfByHttps?: boolean
  /** Has an allowed address and credentials. */
  isFriend?: boolean
}

export interface Given {
  status: number
  by: 'page' | 'route' | 'guard' | 'gateway'
  /** The marker of our own answers. */
  header?: string
}

interface Rule {
  from?: { source: { notRemoteIpBlocks?: string[] } }[]
  to?: { operation: { hosts?: string[]; ports?: string[]; paths?: string[]; notPaths?: string[] } }[]
  when?: { key: string; values: string[] }[]
}
interface Policy {
  action: string
  rules: Rule[]
}
interface Patch {
  applyTo: string
  match: {
    listener?: { portNumber?: number; filterChain?: { sni?: string } }
    routeConfiguration?: { vhost: { name: string } }
  }
  patch: { value: { name: string; typed_per_filter_config?: Record<string, unknown> } }
}
interface Server {
  hosts: string[]
  port: { name: string; number: number; protocol: string }
  tls?: { httpsRedirect?: boolean }
}
interface ServicePort {
  port: number
  targetPort?: number
  nodePort?: number
}
interface HttpRoute {
  match: { port?: number; uri?: { exact?: string; prefix?: string; regex?: string }; method?: { regex: string } }[]
  directResponse?: { status: number }
  headers?: { response?: { set?: Record<string, string> } }
  redirect?: object
}

/** What a connection was opened with. */
interface Filters {
  readonly objects: readonly KubeObject[]
}

export class FakeGateway {
  readonly #cluster: { objects: readonly KubeObject[] }
  /** Listeners of all times: somebody opened a connection at each. */
  readonly #opened: Filters[]
  #filters: Filters
  #routes: readonly KubeObject[]
  /** Whether `X-Forwarded-Proto` is believed. */
  trustsProxies = false

  constructor(cluster: { objects: readonly KubeObject[] }) {
    this.#cluster = cluster
    this.#filters = { objects: copied(cluster.objects) }
    this.#routes = this.#filters.objects
    this.#opened = [this.#filters]
  }

  /** The gateway closes connections that are older than its filters. */
  drain(): void {
    this.#opened.splice(0, this.#opened.length, this.#filters)
  }

  /** istiod sends the objects of now. @param look called after the filters, and after the routes */
  push(look: () => void): void {
    const objects = copied(this.#cluster.objects)
    if (listenersOf(objects) !== listenersOf(this.#filters.objects)) {
      this.#filters = { objects }
      this.#opened.push(this.#filters)
    }
    look()
    this.#routes = objects
    look()
  }

  /** What a request gets over a new connection, or over all connections that may be open. */
  ask(asked: Asked): Given {
    return this.#over(this.#filters, asked)
  }

  askOverAll(asked: Asked): Given[] {
    return this.#opened.map((filters) => this.#over(filters, asked))
  }

  /** Like the prober of src: as a stranger. */
  probe(asked: Asked): Probe {
    const { status, by, header = '' } = this.ask(asked)
    const common = { status, protocol: 'HTTP/2', milliseconds: 1 }
    if (by === 'route') return { ...common, ok: true, hop: 'access', header }
    if (by === 'guard') return { ...common, ok: true, hop: 'access' }
    if (by === 'page') return { ...common, ok: true, hop: 'upstream' }
    return { ...common, ok: false, hop: 'route', message: 'no route' }
  }

  #over({ objects }: Filters, asked: Asked): Given {
    const server = serverOf(objects, asked)
    if (server === undefined) return { status: 0, by: 'gateway' }
    const isSecure = server.port.protocol === 'HTTPS'
    const refused = this.#refused(objects, asked)
    if (refused !== undefined) return refused
    const tables = serversIn(this.#routes).filter(
      ({ port }) =>
        port.number === asked.port && (isSecure ? port.name === server.port.name : port.protocol === 'HTTP'),
    )
    const table = tables.find(({ hosts }) => servesHost(hosts, asked.host))
    if (table === undefined) return { status: 404, by: 'gateway' }
    if (table.tls?.httpsRedirect && !(asked.asIfByHttps && this.trustsProxies)) return { status: 301, by: 'gateway' }
    const rule = routeOf(this.#routes, asked)
    // Envoy's filters for a login are enabled by the virtual host, which exists only where there is a route.
    if (rule !== undefined && !asked.isFriend && this.#asksForLogin(objects, asked)) return { status: 401, by: 'guard' }
    return answerOf(rule)
  }

  #refused(objects: readonly KubeObject[], asked: Asked): Given | undefined {
    const policies = of(objects, 'AuthorizationPolicy').map(({ spec }) => spec as unknown as Policy)
    const listeners = [asked.port, targetIn(objects, asked.port)].map(String)
    const applies = ({ to = [], when = [], from = [] }: Rule) =>
      to.every(
        ({ operation: { hosts, ports, paths, notPaths } }) =>
          (hosts === undefined || hosts.some((one) => one === asked.host)) &&
          (ports === undefined || ports.some((port) => listeners.includes(port))) &&
          (paths === undefined || paths.some((one) => covers(one, asked.path))) &&
          !(notPaths ?? []).some((one) => covers(one, asked.path)),
      ) &&
      when.every(({ values }) => values.includes(asked.sni ?? '')) &&
      (from.length === 0 || !asked.isFriend)
    const isCustom = ({ action }: Policy) => action === 'CUSTOM'
    if (policies.some((one) => isCustom(one) && one.rules.some(applies) && !asked.isFriend))
      return { status: 403, by: 'page' } // An authorizer's answer looks like one of the add-on.
    return policies.some((one) => !isCustom(one) && one.rules.some(applies)) ? { status: 403, by: 'guard' } : undefined
  }

  #asksForLogin(objects: readonly KubeObject[], { host, port, sni }: Asked): boolean {
    const listeners = [port, targetIn(objects, port)]
    const inserted = patchesIn(objects).filter(
      ({ applyTo, match: { listener } }) =>
        applyTo === 'HTTP_FILTER' &&
        (listener?.portNumber === undefined || listeners.includes(listener.portNumber)) &&
        (listener?.filterChain?.sni === undefined || isInChain(objects, listener.filterChain.sni, sni)),
    )
    const enabled = patchesIn(this.#routes).filter(
      ({ applyTo, match }) =>
        applyTo === 'VIRTUAL_HOST' &&
        match.routeConfiguration?.vhost.name === `${hostOfRoute(this.#routes, host, port)}:${port}`,
    )
    return inserted.some(({ patch }) =>
      enabled.some((one) => one.patch.value.typed_per_filter_config?.[patch.value.name] !== undefined),
    )
  }
}

/** What listeners consist of, for comparison. */
function listenersOf(objects: readonly KubeObject[]): string {
  return JSON.stringify(
    ['Gateway', 'AuthorizationPolicy', 'EnvoyFilter'].map((kind) => of(objects, kind).map(({ spec }) => spec)),
  )
}

/** What is read of a state of the objects, which is asked about many times, and which nobody changes. */
function remembered<T>(read: (objects: readonly KubeObject[]) => T): (objects: readonly KubeObject[]) => T {
  const known = new WeakMap<readonly KubeObject[], T>()
  return (objects) => {
    const value = known.get(objects) ?? read(objects)
    known.set(objects, value)
    return value
  }
}

const byKind = remembered((objects) => Map.groupBy(objects, (one) => one.kind))

function of(objects: readonly KubeObject[], kind: string): KubeObject[] {
  return byKind(objects).get(kind) ?? []
}

const serversIn = remembered((objects) =>
  of(objects, 'Gateway').flatMap(({ spec }) => (spec as unknown as { servers: Server[] }).servers),
)
const patchesIn = remembered((objects) =>
  of(objects, 'EnvoyFilter').flatMap(({ spec }) => (spec as unknown as { configPatches: Patch[] }).configPatches),
)
const portsIn = remembered((objects) =>
  of(objects, 'Service').flatMap(({ spec }) => (spec as { ports?: ServicePort[] } | undefined)?.ports ?? []),
)

/** With HTTPS the filter chain is chosen by the server name; hosts of one server share it. */
function serverOf(objects: readonly KubeObject[], { port, sni }: Asked): Server | undefined {
  return serversIn(objects).find(
    (server) =>
      server.port.number === port &&
      (server.port.protocol === 'HTTPS' ? sni !== undefined && server.hosts.includes(`./${sni}`) : sni === undefined),
  )
}

function servesHost(hosts: readonly string[], host: string): boolean {
  return [host, `./${host}`, '*', './*'].some((one) => hosts.includes(one))
}

/** The port of the pods' listener for a port of the gateway's Service. */
function targetIn(objects: readonly KubeObject[], number: number): number {
  const port = portsIn(objects).find((one) => one.port === number && one.nodePort !== undefined)
  return port?.targetPort ?? number
}

/** The virtual host of a request: that of its host, or else that of any host. */
function hostOfRoute(objects: readonly KubeObject[], host: string, port: number): string {
  const isOwn = ({ spec }: KubeObject) => {
    const { hosts, http } = spec as unknown as { hosts: string[]; http: HttpRoute[] }
    return hosts.includes(host) && http.some(({ match }) => match.some((one) => one.port === port))
  }
  return of(objects, 'VirtualService').some(isOwn) ? host : '*'
}

function isInChain(objects: readonly KubeObject[], one: string, sni: string | undefined): boolean {
  return serversIn(objects).some(({ hosts }) => hosts.includes(`./${one}`) && hosts.includes(`./${sni}`))
}

function covers(pattern: string, path: string): boolean {
  return pattern.endsWith('*') ? path.startsWith(pattern.slice(0, -1)) : pattern === path
}

function routeOf(objects: readonly KubeObject[], { host, port, path }: Asked): HttpRoute | undefined {
  const found = hostOfRoute(objects, host, port)
  const routes = of(objects, 'VirtualService')
    .map(({ spec }) => spec as unknown as { hosts: string[]; http: HttpRoute[] })
    .filter(({ hosts }) => hosts.includes(found))
    .flatMap(({ http }) => http)
  return routes.find(({ match }) =>
    match.some(
      (one) =>
        one.port === port &&
        (one.method === undefined || new RegExp(`^(${one.method.regex})$`).test('GET')) &&
        (one.uri?.exact === undefined || one.uri.exact === path) &&
        (one.uri?.prefix === undefined || path.startsWith(one.uri.prefix)) &&
        (one.uri?.regex === undefined || new RegExp(`^(${one.uri.regex})$`).test(path)),
    ),
  )
}

function answerOf(rule: HttpRoute | undefined): Given {
  if (rule === undefined) return { status: 404, by: 'gateway' }
  if (rule.directResponse !== undefined) {
    const [header] = Object.values(rule.headers?.response?.set ?? {})
    const { status } = rule.directResponse
    return header === undefined ? { status, by: 'gateway' } : { status, by: 'route', header }
  }
  return { status: rule.redirect === undefined ? 200 : 302, by: 'page' }
}
