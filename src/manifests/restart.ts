import type { KubeObject, Resource } from '../cluster/cluster.ts'
import { CONNECTING, changedLabels } from '../cluster/ownership.ts'
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

/**
 * The same for other roots of trust, with an annotation and a label of its own, by which `cleanup --trust` finds it.
 * @param when left out: removes both
 */
export function restartForTrust(
  resource: Resource,
  workload: { name: string; namespace: string },
  when?: string,
): KubeObject {
  const annotations = { 'kubectl-telemetry/restarted-for-trust': when }
  if (when === undefined) return { ...typeOf(resource), metadata: { ...workload } }
  return {
    ...typeOf(resource),
    metadata: { ...workload, labels: changedLabels(CONNECTING) },
    spec: { template: { metadata: { annotations } } },
  }
}
