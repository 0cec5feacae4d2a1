/** What the objects of Istio's page look like, and who uses its Secret. https://istio.io/latest/docs/tasks/observability/gateways/ Pure. */
import type { KubeObject } from '../cluster/cluster.ts'

/** By the page's names for add-ons: the Service, the ports that the page's versions gave it, and the port at the gateway in Istio 1.5 and older. */
export const PAGES: Record<string, { service: string; ports: number[]; classic: number }> = {
  grafana: { service: 'grafana', ports: [3000], classic: 15031 },
  kiali: { service: 'kiali', ports: [20001], classic: 15029 },
  prometheus: { service: 'prometheus', ports: [9090], classic: 15030 },
  tracing: { service: 'tracing', ports: [80, 9411, 16686], classic: 15032 },
}
export const SECRET = 'telemetry-gw-cert'

interface Server {
  port?: { number?: number; name?: string }
  hosts?: string[]
  tls?: { mode?: string; credentialName?: string; [field: string]: unknown }
}

/** Only servers for the add-on, with its host or at its own port, and no certificate but the page's. */
export function isPagesGateway(addon: string): (object: KubeObject) => boolean {
  return ({ spec }) => {
    const { servers = [], selector } = (spec ?? {}) as { servers?: Server[]; selector?: object }
    const isOne = ({ port, hosts = [], tls }: Server) => {
      const isNamed = /^https?-/.test(port?.name ?? '') && (port?.name ?? '').includes(addon.slice(0, 4))
      const isAt =
        port?.number === classicOf(addon) || ([80, 443].includes(port?.number ?? 0) && hosts.every(isHostOf(addon)))
      return isNamed && isAt && hosts.length === 1 && (tls === undefined || tls.credentialName === SECRET)
    }
    return servers.length > 0 && servers.every(isOne) && hasOnly(selector, { istio: 'ingressgateway' })
  }
}

interface Route {
  match?: { port?: number }[]
  route?: { destination?: { host?: string; port?: { number?: number } }; [field: string]: unknown }[]
  [field: string]: unknown
}

/** One route to the add-on's Service from its page's Gateway, and nothing else. */
export function isPagesRoute(addon: string): (object: KubeObject) => boolean {
  return ({ spec, metadata: { namespace } }) => {
    const {
      gateways = [],
      hosts = [],
      http = [],
      ...more
    } = (spec ?? {}) as { gateways?: string[]; hosts?: string[]; http?: Route[] }
    const [{ match = [], route = [], ...others } = {}] = http
    const [{ destination, ...weights } = {}] = route
    const isAt =
      match.length === 0 ? hosts.every(isHostOf(addon)) : match.every((one) => hasOnly(one, { port: classicOf(addon) }))
    return (
      gateways.join() === `${addon}-gateway` &&
      hosts.length === 1 &&
      isAt &&
      http.length === 1 &&
      route.length === 1 &&
      namesOf(addon, namespace).includes(destination?.host ?? '') &&
      (PAGES[addon]?.ports.includes(destination?.port?.number ?? 0) ?? false) &&
      [more, others, weights].every((one) => Object.keys(one).length === 0)
    )
  }
}

/** `host: grafana`, TLS disabled, and nothing else. */
export function isPagesRule(addon: string): (object: KubeObject) => boolean {
  return ({ spec, metadata: { namespace } }) => {
    const { host = '', trafficPolicy, ...more } = (spec ?? {}) as { host?: string; trafficPolicy?: { tls?: object } }
    const isPlain = hasOnly(trafficPolicy?.tls, { mode: 'DISABLE' }) && Object.keys(trafficPolicy ?? {}).length === 1
    return namesOf(addon, namespace).includes(host) && isPlain && Object.keys(more).length === 0
  }
}

/** As `kubectl create secret tls` makes it. A tool that issued it would issue it again. */
export function isPagesSecret({ type, data = {}, metadata }: KubeObject): boolean {
  const { annotations = {}, ownerReferences = [] } = metadata
  const isIssued = Object.keys(annotations).some((name) => name.startsWith('cert-manager.io/'))
  const keys = Object.keys(data as object)
    .sort()
    .join()
  return (
    type === 'kubernetes.io/tls' &&
    keys === 'tls.crt,tls.key' &&
    !isIssued &&
    (ownerReferences as unknown[]).length === 0
  )
}

interface UserSpec {
  /** Of Istio's Gateway, of an Ingress, of a Gateway of the Gateway API. */
  servers?: Server[]
  tls?: { secretName?: string }[]
  listeners?: { tls?: { certificateRefs?: { name?: string; namespace?: string }[] } }[]
}

/** Whether a Gateway or an Ingress names the page's Secret: by its name, or by a path that ends with it. */
export function usesSecret({ kind, spec, metadata }: KubeObject, namespace: string): boolean {
  const { servers = [], tls = [], listeners = [] } = (spec ?? {}) as UserSpec
  if (kind === 'Ingress') return tls.some(({ secretName }) => secretName === SECRET)
  const references = listeners.flatMap((listener) => listener.tls?.certificateRefs ?? [])
  if (references.some((one) => one.name === SECRET && (one.namespace ?? metadata.namespace) === namespace)) return true
  const texts = servers.flatMap((server) => textsIn(server.tls ?? {}))
  return texts.some((text) => text === SECRET || text.endsWith(`${namespace}/${SECRET}`))
}

/** A certificate may be in `credentialName`, in `credentialNames`, or in a list of certificates. */
function textsIn(value: unknown, depth = 0): string[] {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null && depth < 5
    ? Object.values(value).flatMap((inner) => textsIn(inner, depth + 1))
    : []
}

function classicOf(addon: string): number | undefined {
  return PAGES[addon]?.classic
}

function isHostOf(addon: string): (host: string) => boolean {
  return (host) => host.startsWith(`${addon}.`)
}

function namesOf(addon: string, namespace = ''): string[] {
  const name = PAGES[addon]?.service ?? addon
  return [name, `${name}.${namespace}`, `${name}.${namespace}.svc`, `${name}.${namespace}.svc.cluster.local`]
}

function hasOnly(value: object | undefined | null, fields: Record<string, unknown>): boolean {
  const entries = Object.entries(value ?? {})
  return entries.length === Object.keys(fields).length && entries.every(([name, one]) => fields[name] === one)
}
