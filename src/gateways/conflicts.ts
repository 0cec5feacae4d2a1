/** Whether somebody else's Gateway claims a host of ours on the same pods and port: pure. */
import type { KubeObject } from '../cluster/cluster.ts'
import { isOwned } from '../cluster/ownership.ts'
import type { IngressGateway } from './find.ts'
import { type Entry, serversIn } from './layout.ts'

export interface HostConflict {
  /** Our host, and the port of the gateway's Service. */
  host: string
  port: number
  /** `namespace/name` of the other Gateway. */
  gateway: string
  /** The host as the other Gateway has it: the same, or a wildcard that covers it. */
  claim: string
}

interface Spec {
  selector?: Record<string, string>
}

/**
 * Istio serves the same host on one port from one Gateway only, and drops the other silently (IST0145). Of a wildcard the exact
 * host wins: what the wildcard served there until now is served by us then.
 * https://istio.io/latest/docs/reference/config/analysis/ist0145/
 */
export function hostConflicts(entries: Wish[], { pods }: IngressGateway, gateways: KubeObject[]): HostConflict[] {
  const others = gateways.filter((gateway) => !isOwned(gateway) && pods.some((pod) => selects(gateway, pod)))
  return others.flatMap((gateway) => {
    const name = `${gateway.metadata.namespace}/${gateway.metadata.name}`
    return entries.flatMap(({ host, port }) => {
      const claims = serversIn(gateway)
        .filter((server) => server.port.number === port)
        .flatMap(({ hosts }) => hosts.map(withoutNamespace))
      const claim = claims.find((one) => one === host) ?? claims.find((one) => covers(one, host))
      return claim === undefined ? [] : [{ host, port, gateway: name, claim }]
    })
  })
}

type Wish = Pick<Entry, 'host' | 'port'>

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
