/** The input and the result of a planner. There is one planner for each method and kind of proxy. All of them are pure. */
import type { Wanted } from '../../changes/changes.ts'
import type { KubeObject } from '../../cluster/cluster.ts'
import type { Pod, Service } from '../../cluster/objects.ts'
import type { Injector } from '../injector.ts'
import type { Skip, Workload } from '../workload.ts'

/** The options of the command that planners need. */
export interface ScrapeOptions {
  /** Close 15090 and 15020 to other pods. */
  harden: boolean
  /** Only this Prometheus may reach the secure ports. */
  onlyPrometheus?: Scraper
}

/** Prometheus as policies identify it. */
export interface Scraper {
  namespace: string
  serviceAccount: string
  /** The labels of its pods. */
  labels: Record<string, string>
}

/** Everything that a planner sees besides the workload: the objects of the workload's namespace. */
export interface Scene {
  options: ScrapeOptions
  /** The served version of Istio's networking API: `v1`. */
  istioVersion: string
  /** The present pods of the workload. */
  pods: Pod[]
  /** All other pods of its namespace. */
  neighbours: Pod[]
  services: Service[]
  /** The namespace whose policies apply to the whole mesh. */
  rootNamespace: string
  /** The settings of the injector that injects the workload; `undefined` if they could not be read. */
  injector: Injector | undefined
  /**
   * Sidecar, PeerAuthentication, AuthorizationPolicy, Gateway, ServiceEntry, VirtualService, NetworkPolicy: the user's and those of kubectl
   * telemetry, and the Sidecars and AuthorizationPolicies of the root namespace. Empty if no selected workload needs them.
   */
  objects: KubeObject[]
}

export type Planner = (workload: Workload, scene: Scene) => PlanResult

/** The reason to skip the workload, or the objects to write, in this order. */
export type PlanResult = { skip: Skip } | { writings: Wanted[] }
