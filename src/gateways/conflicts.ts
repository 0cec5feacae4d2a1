/** Whether somebody else's Gateway claims a host of ours on the same pods and port: pure. */
import type { KubeObject } from '../cluster/cluster.ts'
import { isOwned } from '../cluster/ownership.ts'
import type { IngressGateway } from './find.ts'

export interface HostConflict {
  /** Our host. */
  host: string
  /** `namespace/name` of the other Gateway. */
  gateway: string
  /** The host as the other Gateway has it: the same, or a wildcard that covers it. */
  claim: string
}

interface Spec {
  selector?: Record<string, string>
  servers?: { port: { number: number }; hosts: string[] }[]
}

/**
 * Istio serves the same host on one port from one Gateway only, and drops the other silently (IST0145). Of a wildcard the exact
 * host wins: what the wildcard served there until now is served by us then.
 * https://istio.io/latest/docs/reference/config/analysis/ist0145/
 */
export function hostConflicts(hosts: string[], { pods }: IngressGateway, gateways: KubeObject[]): HostConflict[] {
  const others = gateways.filter((gateway) => !isOwned(gateway) && pods.some((pod) => selects(gateway, pod)))
  return others.flatMap((gateway) => {
    const { servers = [] } = (gateway.spec ?? {}) as Spec
    const claims = servers
      .filter(({ port }) => port.number === 443)
      .flatMap((server) => server.hosts.map(withoutNamespace))
    const name = `${gateway.metadata.namespace}/${gateway.metadata.name}`
    return hosts.flatMap((host) => {
      const claim = claims.find((one) => one === host) ?? claims.find((one) => covers(one, host))
      return claim === undefined ? [] : [{ host, gateway: name, claim }]
    })
  })
}

/** A Gateway without a selector is for every gateway pod. */
function selects(gateway: KubeObject, pod: KubeObject): boolean {
  const { selector = {} } = (gateway.spec ?? {}) as Spec
  return Object.entries(selector).every(([name, value]) => pod.metadata.labels?.[name] === value)
}

/** `namespace/host` says from where routes may come. */
function withoutNamespace(host: string): string {
  return host.slice(host.indexOf('/') + 1)
}

function covers(claim: string, host: string): boolean {
  return claim === '*' || (claim.startsWith('*.') && host.endsWith(claim.slice(1)))
}
