import type { KubeObject, Resource } from '../cluster/cluster.ts'
import { changedLabels, ownedLabels, TRACING } from '../cluster/ownership.ts'
import { typeOf } from '../cluster/resources.ts'

/** https://istio.io/latest/docs/reference/config/telemetry/#Tracing */
export type TelemetryTracing =
  /** `sampling`: percent; left out where another setting decides. */
  { provider: string; sampling: number | undefined } | { disabled: true }

/** Labels of an object that only one revision of istiod reads. */
function revisionLabels(revision: string | undefined): Record<string, string> {
  return revision === undefined ? {} : { 'istio.io/rev': revision }
}

/** For all workloads of a namespace; in the root namespace for those of the mesh. @param revision the only one that reads it */
export function telemetry(
  resource: Resource,
  { name, namespace, revision }: { name: string; namespace: string; revision: string | undefined },
  tracing: TelemetryTracing,
): KubeObject {
  return {
    ...typeOf(resource),
    metadata: { name, namespace, labels: { ...ownedLabels(TRACING), ...revisionLabels(revision) } },
    spec: { tracing: [entryOf(tracing)] },
  }
}

/** The same as a field in the user's Telemetry: of several for all workloads of a namespace istiod uses the oldest. */
export function tracingIn(resource: Resource, { metadata }: KubeObject, tracing: TelemetryTracing): KubeObject {
  const { name, namespace } = metadata
  return {
    ...typeOf(resource),
    metadata: { name, ...(namespace === undefined ? {} : { namespace }), labels: changedLabels(TRACING) },
    spec: { tracing: [entryOf(tracing)] },
  }
}

function entryOf(tracing: TelemetryTracing): object {
  if ('disabled' in tracing) return { disableSpanReporting: true }
  const { provider, sampling } = tracing
  return { providers: [{ name: provider }], ...(sampling === undefined ? {} : { randomSamplingPercentage: sampling }) }
}
