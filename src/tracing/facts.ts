/** What is known of tracing in a mesh: types only. */
import type { KubeObject } from '../cluster/cluster.ts'
import type { ConfigMap, Service } from '../cluster/objects.ts'
import type { TracingConfiguration } from './configuration.ts'
import type { Effective } from './effective.ts'

/** A control plane, and what it reads. */
export interface Revision {
  revision: string
  /** Of istiod and of its ConfigMap. */
  namespace: string
  /** Undefined when it does not exist, or may not be read. */
  configMap: ConfigMap | undefined
  name: string
  configuration: TracingConfiguration
  root: string
  /** `PILOT_TRACE_SAMPLING`; empty if it is not set. */
  sampling: string
  /** The domain of Services: `cluster.local`. */
  domain: string
}

/** Tracing of one namespace; `''` is each namespace that has no Telemetry of its own. */
export interface NamespaceTracing {
  revision: string
  namespace: string
  /** Requests that gateways and sidecars send. */
  sent: Effective
  /** Requests that sidecars receive. */
  received: Effective
  /** The Telemetry that decides, `NAMESPACE/NAME`. */
  telemetry?: string
}

/** What a problem is looked for in. */
export interface TracingFacts {
  revisions: readonly Revision[]
  namespaces: readonly NamespaceTracing[]
  telemetries: readonly KubeObject[]
  /** `undefined` if they may not be listed. */
  services: readonly Service[] | undefined
}
