/** What is planned for one workload, and who plans it: one planner for each method and kind of proxy. All of them are pure. */
import type { KubeObject, Resource } from '../../cluster/cluster.ts'
import type { Pod, Service } from '../../cluster/objects.ts'
import type { Method, Skip, Workload } from '../workload.ts'

/** A manifest, and how it is written; what the words mean is said in changes/changes.ts. */
export interface Writing {
  resource: Resource
  manifest: KubeObject
  by: 'owning' | 'sharing' | 'replacing'
  /** It changes the pod template, so the pods are replaced. */
  saying?: 'restart'
}

/** What is asked of every planner beside the workload itself. */
export interface Wishes {
  /** Close 15090 and 15020 to other pods. */
  harden: boolean
  /** Nobody but this Prometheus may reach the secure ports. */
  onlyPrometheus?: Scraper
}

/** Prometheus, as policies name it. */
export interface Scraper {
  namespace: string
  serviceAccount: string
  /** Of its pods. */
  labels: Record<string, string>
}

/** What planners may look at: everything that was read, of the workload's namespace. */
export interface Scene {
  wishes: Wishes
  /** Of Istio's networking API, as it is served: `v1`. */
  istioVersion: string
  /** The workload's own, as they are now. */
  pods: Pod[]
  /** The other pods of its namespace, whatever they belong to. */
  neighbours: Pod[]
  services: Service[]
  /** Where Istio looks for what holds for all of the mesh. */
  rootNamespace: string
  /**
   * Sidecar, PeerAuthentication, AuthorizationPolicy, Gateway, ServiceEntry, VirtualService, NetworkPolicy: ours and others', and the Sidecars
   * and AuthorizationPolicies of the root namespace. Read for the method `sidecar` alone.
   */
  others: KubeObject[]
}

export type Planner = (workload: Workload, scene: Scene) => Planned

/** Why not, or what is written, in this order. */
export type Planned = { skip: Skip } | { writings: Writing[] }

export interface WorkloadPlan {
  workload: Workload
  method: Method
  /** Then nothing is written. */
  skip: Skip | undefined
  writings: Writing[]
}

/** Whether the pods are replaced, if the API server finds any difference. */
export function restarts({ writings }: WorkloadPlan): boolean {
  return writings.some(({ saying }) => saying === 'restart')
}
