import type { KubeObject } from '../cluster/cluster.ts'
import { DEPLOYMENTS, typeOf } from '../cluster/resources.ts'

/** Restarts pods like `kubectl rollout restart`, with our own field: a new mark replaces the pods, and so does removing it. */
export function restart(deployment: { name: string; namespace: string }, mark?: string): KubeObject {
  const annotations = { 'kubectl-telemetry/restarted-for': mark }
  return {
    ...typeOf(DEPLOYMENTS),
    metadata: { ...deployment },
    ...(mark === undefined ? {} : { spec: { template: { metadata: { annotations } } } }),
  }
}
