/** What Envoy's admin port says of clusters, listeners and certificates. Its answers are those of a pod, and untrusted. Pure. */
import { isMap, jsonOf, listOf, mapOf, numberOf, textOf } from '../../shapes.ts'
import { secretsIn } from '../proxy-secrets.ts'

/** How a sidecar encrypts to a cluster. */
export interface ClusterTls {
  readonly snis: readonly string[]
  /** SPIFFE ids that it accepts; none: it accepts every identity. */
  readonly identities: readonly string[]
}

export interface Endpoint {
  readonly address: string
  readonly port: number
  readonly healthy: boolean
  /** Since the proxy started. */
  readonly counts: Counts
}

export interface Counts {
  /** Connections that failed: refused, timed out, or ended in the handshake. */
  readonly failures: number
  /** Requests, or connections without HTTP, that were given a connection with a finished handshake. */
  readonly requests: number
}

/** Istio's name of the cluster of a host. */
export function clusterName(port: number, host: string): string {
  return `outbound|${port}||${host}`
}

/** The answer to it has the given cluster only. */
export function clusterDumpPath(name: string): string {
  const pattern = `^${name.replace(/[^\w-]/g, (one) => `\\${one}`)}$`
  return `/config_dump?resource=dynamic_active_clusters&name_regex=${encodeURIComponent(pattern)}`
}

export const ENDPOINTS_PATH = '/clusters?format=json'
export const LISTENERS_PATH = '/config_dump?resource=dynamic_listeners'

/** @returns undefined if the proxy does not have the cluster */
export function clusterTls(dump: string, name: string): ClusterTls | undefined {
  const clusters = configsIn(dump).map(({ cluster }) => mapOf(cluster))
  const found = clusters.find((one) => one.name === name)
  if (found === undefined) return undefined
  const maps = mapsIn(found)
  return {
    snis: distinct(maps.flatMap(({ sni }) => textOf(sni) ?? [])),
    identities: distinct(
      maps
        .flatMap(({ match_typed_subject_alt_names: typed, match_subject_alt_names: former }) => [
          ...listOf(typed).map((one) => mapOf(one).matcher),
          ...listOf(former),
        ])
        .flatMap((matcher) => textOf(mapOf(matcher).exact) ?? []),
    ),
  }
}

/** @returns undefined if the proxy does not have the cluster, or did not answer in JSON */
export function endpointsOf(answer: string, name: string): Endpoint[] | undefined {
  const statuses = listOf(mapOf(jsonOf(answer)).cluster_statuses).map(mapOf)
  const found = statuses.find((one) => one.name === name)
  return found && listOf(found.host_statuses).map(mapOf).map(endpointIn)
}

function endpointIn({ address, health_status: health, stats }: Record<string, unknown>): Endpoint {
  const { address: ip, port_value: port } = mapOf(mapOf(address).socket_address)
  const { eds_health_status: eds, ...failed } = mapOf(health)
  const values = listOf(stats).map(mapOf)
  const count = (name: string) => numberOf(values.find((one) => one.name === name)?.value) || 0
  return {
    address: textOf(ip) ?? '',
    port: numberOf(port) || 0,
    // Each other field is a reason why no request is sent to it: `failed_outlier_check`, …
    healthy: eds === 'HEALTHY' && Object.values(failed).every((value) => value !== true),
    counts: { failures: count('cx_connect_fail'), requests: count('rq_total') },
  }
}

/** How much the counts of all endpoints grew. An endpoint that has come meanwhile counts from zero. */
export function growth(before: readonly Endpoint[], after: readonly Endpoint[]): Counts {
  const sum = (field: keyof Counts) =>
    after.reduce((total, one) => {
      const former = before.find(({ address, port }) => address === one.address && port === one.port)
      return total + Math.max(0, one.counts[field] - (former?.counts[field] ?? 0))
    }, 0)
  return { failures: sum('failures'), requests: sum('requests') }
}

/** Whether a gateway passes connections with this SNI on. */
export function hasChainFor(listeners: string, sni: string): boolean {
  return mapsIn(jsonOf(listeners)).some(({ server_names: names }) => listOf(names).includes(sni))
}

/** The certificate of a proxy with its chain, and the roots that it trusts (PEM). */
export interface HeldCertificates {
  readonly chain: string
  readonly roots: readonly string[]
}

/** @returns undefined if the answer has no roots */
export function trustOf(dump: string): HeldCertificates | undefined {
  const { roots, chain } = secretsIn(dump)
  return roots.length === 0 ? undefined : { chain: chain.join(''), roots }
}

function configsIn(dump: string): Record<string, unknown>[] {
  return listOf(mapOf(jsonOf(dump)).configs).map(mapOf)
}

/** All maps in a value. `jsonOf` has limited its depth. */
function mapsIn(value: unknown): Record<string, unknown>[] {
  if (Array.isArray(value)) return value.flatMap(mapsIn)
  return isMap(value) ? [value, ...Object.values(value).flatMap(mapsIn)] : []
}

function distinct(texts: string[]): string[] {
  return [...new Set(texts)]
}
