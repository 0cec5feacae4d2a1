/** Pods with a proxy that belong to no workload whose template scrape-secure changes: they are listed, with the reason. Pure. */
import type { Pod } from '../cluster/objects.ts'
import { WORKLOADS } from '../cluster/resources.ts'
import { controllerOf } from '../workloads/controller.ts'
import { proxyIn, runs } from './find.ts'
import type { Skip, Workload } from './workload.ts'

/** All pods of one owner. */
export interface LeftOut {
  /** The kind of the owner: `Rollout`, `Job`; `Pod` for a pod without one. */
  kind: string
  namespace: string
  name: string
  pods: Pod[]
  proxy: Workload['proxy']
  skip: Skip
}

/** @param pods of the searched namespaces */
export function findLeftOut(pods: Pod[]): LeftOut[] {
  const others = pods.filter(runs).flatMap((pod) => {
    const proxy = proxyIn(pod)
    const owner = controllerOf(pod) ?? { kind: 'Pod', name: pod.metadata.name }
    return proxy === undefined || isChangeable(pod, owner.kind) ? [] : [{ pod, proxy, owner }]
  })
  const groups = Map.groupBy(others, ({ pod, owner }) =>
    JSON.stringify([pod.metadata.namespace, owner.kind, owner.name]),
  )
  return [...groups.values()].map((group) => {
    const [{ pod, proxy, owner }] = group as [(typeof group)[0]]
    const { namespace = '' } = pod.metadata
    const skip = { code: 'OTHER_KIND' as const, reason: REASONS[owner.kind] ?? reasonFor(owner.kind) }
    return { ...owner, namespace, pods: group.map((one) => one.pod), proxy, skip }
  })
}

/** Other APIs have kinds of the same names, such as the StatefulSets of OpenKruise. */
function isChangeable({ metadata }: Pod, kind: string): boolean {
  const owners = (metadata.ownerReferences ?? []) as { apiVersion?: string; controller?: boolean }[]
  const { apiVersion = 'apps/v1' } = owners.find(({ controller }) => controller) ?? {}
  return WORKLOADS.some((one) => one.kind === kind) && apiVersion.startsWith('apps/')
}

const CHANGED = 'scrape-secure changes only Deployments, StatefulSets and DaemonSets'

const REASONS: Record<string, string> = {
  Rollout: `it is a Rollout of Argo Rollouts, and ${CHANGED}`,
  ReplicaSet: 'it is a ReplicaSet without a Deployment, whose pods are replaced only when the user deletes them',
  Job: 'it is a Job, whose pod template cannot be changed',
  Pod: 'it is a pod without a workload, and the settings of a running pod cannot be changed',
  Node: 'it is a static pod of its node, and the API server cannot change it',
}

function reasonFor(kind: string): string {
  return `its kind is ${kind}, and ${CHANGED}`
}
