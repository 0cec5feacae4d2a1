/** What may be asked at the port of the metrics, and by whom, where Istio's policies hold: the method `sidecar`. Pure. */
import { isOwned } from '../cluster/ownership.ts'
import { authorizationPolicies } from '../cluster/resources.ts'
import { metricsAllowed, metricsAlone } from '../manifests/authorization-policy.ts'
import { scrapingName } from '../manifests/names.ts'
import type { Scene, Scraper, Writing } from './plan.ts'
import { takes } from './selection.ts'
import { METRICS_PATH, SIDECAR_PORT, type Workload, type WorkloadObject } from './workload.ts'

interface AuthorizationPolicySpec {
  selector?: { matchLabels?: Record<string, string> }
  action?: string
}

/** @param labels of the workload's pods and no others */
export function planAccess(
  { resource: { kind }, object }: Workload,
  labels: Record<string, string>,
  scene: Scene,
): Writing[] {
  const { name: workload, namespace = '' } = object.metadata
  const resource = authorizationPolicies(scene.istioVersion)
  const name = scrapingName({ kind, name: workload })
  const at = { name, namespace, labels, port: SIDECAR_PORT }
  const scraper = scene.wishes.onlyPrometheus
  const alone = metricsAlone(resource, { ...at, path: METRICS_PATH }, scraper && principalOf(scraper))
  const allowed = metricsAllowed(resource, { ...at, name: `${name}-allow` })
  const manifests = isRestricted(object, scene) ? [alone, allowed] : [alone]
  return manifests.map((manifest) => ({ resource, manifest, by: 'owning' }))
}

/** Whether an ALLOW policy is for its pods: then what no policy allows is forbidden. In the root namespace they are for all of the mesh. */
function isRestricted(object: WorkloadObject, scene: Scene): boolean {
  const where = [object.metadata.namespace, scene.rootNamespace]
  return scene.others
    .filter((one) => one.kind === 'AuthorizationPolicy' && where.includes(one.metadata.namespace) && !isOwned(one))
    .some(({ spec }) => {
      const { selector, action = 'ALLOW' } = (spec ?? {}) as AuthorizationPolicySpec
      return action === 'ALLOW' && (selector === undefined || takes(selector.matchLabels, object, scene.pods))
    })
}

/** In any trust domain: which one it is, the mesh configuration says. */
function principalOf({ namespace, serviceAccount }: Scraper): string {
  return `*/ns/${namespace}/sa/${serviceAccount}`
}
