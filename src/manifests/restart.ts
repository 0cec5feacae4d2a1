import type { KubeObject } from '../cluster/cluster.ts'
import { DEPLOYMENTS, typeOf } from '../cluster/resources.ts'

/** What `kubectl rollout restart` does, as a field of ours: with another mark the pods are replaced, without one as well. */
export function restart(deployment: { name: string; namespace: string }, mark?: string): KubeObject {
  const annotations = { 'kubectl-telemetry/restarted-for': mark }
  return {
    ...typeOf(DEPLOYMENTS),
    metadata: { ...deployment },
    ...(mark === undefined ? {} : { spec: { template: { metadata: { annotations } } } }),
  }
}
