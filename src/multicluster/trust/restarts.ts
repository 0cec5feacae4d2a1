/** Restarts workloads whose proxies need other roots or another certificate: only a new pod gets them at once. */
import { type Change, planChanges } from '../../changes/changes.ts'
import type { Cluster, KubeObject, Resource } from '../../cluster/cluster.ts'
import { CONNECTING } from '../../cluster/ownership.ts'
import { WORKLOADS } from '../../cluster/resources.ts'
import { isGatewayPod } from '../../gateways/find.ts'
import { restartForTrust } from '../../manifests/restart.ts'
import type { WorkloadObject } from '../../workloads/workload-object.ts'
import type { ProxyTrust } from './proxies.ts'

/** A workload that is restarted. */
export interface Restart {
  readonly resource: Resource
  readonly object: WorkloadObject
  readonly isGateway: boolean
}

export interface Restarts {
  /** In the order in which they restart: gateways last, because everything else passes through them. */
  readonly workloads: readonly Restart[]
  /** Pods that nothing replaces, and why: only their owners can. */
  readonly manual: readonly { readonly pod: string; readonly why: string }[]
}

/** @param proxies that need a restart */
export async function findRestarts(proxies: readonly ProxyTrust[], cluster: Cluster): Promise<Restarts> {
  const groups = Map.groupBy(proxies, ({ pod, workload }) =>
    JSON.stringify([pod.metadata.namespace, workload?.kind, workload?.name]),
  )
  const found = await Promise.all([...groups.values()].map((group) => restartOf(group, cluster)))
  const workloads = found.flatMap((one) => ('manual' in one ? [] : [one]))
  return {
    workloads: workloads.toSorted((one, other) => Number(one.isGateway) - Number(other.isGateway)),
    manual: found.flatMap((one) => ('manual' in one ? one.manual : [])),
  }
}

async function restartOf(
  group: readonly ProxyTrust[],
  cluster: Cluster,
): Promise<Restart | { manual: Restarts['manual'] }> {
  const [first] = group
  const manual = (why: string) => ({
    manual: group.map(({ pod: { metadata } }) => ({ pod: `${metadata.namespace}/${metadata.name}`, why })),
  })
  const { pod, workload } = first as ProxyTrust
  if (workload === undefined) return manual('no controller would replace it')
  const resource = WORKLOADS.find(({ kind }) => kind === workload.kind)
  if (resource === undefined) return manual(`a ${workload.kind} does not replace its pods`)
  const { namespace = '' } = pod.metadata
  const object = await cluster.get<WorkloadObject>(resource, { name: workload.name, namespace })
  if (object === undefined) return manual(`its ${workload.kind} does not exist any more`)
  const { paused, updateStrategy } = object.spec
  if (paused) return manual('the rollout of its Deployment is paused')
  if (updateStrategy?.type === 'OnDelete') return manual(`its ${workload.kind} replaces a pod when it is deleted`)
  return { resource, object: { ...object, kind: resource.kind }, isGateway: group.some((one) => isGatewayPod(one.pod)) }
}

/**
 * @param when a time in RFC 3339, as `kubectl rollout restart` writes it; left out: removes the annotation, which restarts the workload as well
 */
export function planRestart(
  { resource, object }: Pick<Restart, 'resource' | 'object'>,
  when: string | undefined,
): Change {
  const { name, namespace = '' } = object.metadata
  const manifest: KubeObject = restartForTrust(resource, { name, namespace }, when)
  const [change] = planChanges([{ resource, manifest, by: 'sharing', restarts: true }], [object], CONNECTING)
  return change as Change
}
