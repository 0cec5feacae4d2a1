/** What a pod belongs to. Pure. */
import type { Pod } from '../cluster/objects.ts'

/** Labels of pods whose ReplicaSet is named after its own owner and this hash. The second is that of Argo Rollouts. */
const HASHES: [string, string][] = [
  ['pod-template-hash', 'Deployment'],
  ['rollouts-pod-template-hash', 'Rollout'],
]

/** What a pod belongs to. A ReplicaSet of a Deployment or a Rollout is named after it and the hash of its pods. */
export function controllerOf({ metadata }: Pod): { kind: string; name: string } | undefined {
  const owners = (metadata.ownerReferences ?? []) as { kind: string; name: string; controller?: boolean }[]
  const owner = owners.find(({ controller }) => controller)
  if (owner === undefined) return undefined
  const { kind, name } = owner
  if (kind !== 'ReplicaSet') return { kind, name }
  const maker = HASHES.find(([label]) => name.endsWith(`-${metadata.labels?.[label]}`))
  if (maker === undefined) return { kind, name }
  return { kind: maker[1], name: name.slice(0, -`-${metadata.labels?.[maker[0]]}`.length) }
}
