/** Which guards there are, read from our objects: pure. The truth about who may enter is in the cluster. */
import type { KubeObject } from '../cluster/cluster.ts'
import { componentOf, isOwned } from '../cluster/ownership.ts'
import type { Guard, Guards } from './guard.ts'

interface PolicySpec {
  action?: string
  rules?: { from?: { source?: { notRemoteIpBlocks?: string[] } }[] }[]
}

/** @param objects AuthorizationPolicies of a gateway's namespace, anybody's */
export function guardsIn(objects: KubeObject[]): Guards {
  const guards: Guards = {}
  for (const object of objects.filter(isOwned)) {
    const addon = componentOf(object)
    const guard = guardIn(object)
    if (addon !== undefined && guard !== undefined) guards[addon] = { ...guards[addon], ...guard }
  }
  return guards
}

function guardIn({ kind, spec }: KubeObject): Guard | undefined {
  if (kind !== 'AuthorizationPolicy') return undefined
  const cidrs = (spec as PolicySpec).rules?.[0]?.from?.[0]?.source?.notRemoteIpBlocks
  return cidrs === undefined ? undefined : { cidrs }
}
