/** Pure: for which gateways a CA of this machine works. Only this record permits to sign; what the cluster says never does. */
import type { ClusterIdentity } from '../cluster/cluster.ts'
import { isSameCluster } from '../cluster/reading.ts'

export interface AuthorityUse {
  cluster: ClusterIdentity
  /** `NAMESPACE/SERVICE` of the ingress gateway. */
  gateway: string
  hosts: string[]
}

/** The hosts for which a CA works at a gateway. @param gateways the names of its Services */
export function hostsAt(
  uses: readonly AuthorityUse[],
  cluster: ClusterIdentity,
  gateways: readonly string[],
): string[] {
  const here = uses.filter((use) => gateways.includes(use.gateway) && isSameCluster(use.cluster, cluster))
  return [...new Set(here.flatMap(({ hosts }) => hosts))]
}

/** Whether the record has all of a use already. */
export function isRecorded(uses: readonly AuthorityUse[], { cluster, gateway, hosts }: AuthorityUse): boolean {
  const known = hostsAt(
    uses.filter((use) => use.cluster.uid === cluster.uid),
    cluster,
    [gateway],
  )
  return hosts.every((host) => known.includes(host))
}

/** One use as a line of a file. The line break comes first: a line that was cut off before does not spoil this one. */
export function lineOf({ cluster, gateway, hosts }: AuthorityUse): string {
  return `\n${JSON.stringify({ cluster, gateway, hosts })}\n`
}

/** The uses in a file. What is not a use is left out: it permits nothing. */
export function usesIn(text: string): AuthorityUse[] {
  return text.split('\n').flatMap((line) => parsed(line))
}

function parsed(line: string): AuthorityUse[] {
  try {
    const { cluster, gateway, hosts } = JSON.parse(line) as AuthorityUse
    const texts = [cluster.server, cluster.verifiedBy, cluster.uid ?? '', gateway, ...hosts]
    return texts.every((text) => typeof text === 'string') ? [{ cluster, gateway, hosts }] : []
  } catch {
    return []
  }
}
