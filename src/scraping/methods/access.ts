/** What may be asked at the port of the metrics, and by whom, where Istio's policies hold: the method `sidecar`. Pure. */
import { isOwned } from '../../cluster/ownership.ts'
import { authorizationPolicies } from '../../cluster/resources.ts'
import { metricsAllowed, metricsAlone } from '../../manifests/authorization-policy.ts'
import { scrapingName } from '../../manifests/names.ts'
import { METRICS_PATH, SIDECAR_PORT, type Workload, type WorkloadObject } from '../workload.ts'
import type { Scene, Scraper, Writing } from './planner.ts'
import { takes } from './selection.ts'

interface AuthorizationPolicySpec {
  selector?: { matchLabels?: Record<string, string> }
  action?: string
  rules?: { from?: { source?: { notPrincipals?: string[] } }[] }[]
}

/**
 * @param labels of the workload's pods and no others
 * @param leadsTo what is behind the port: the agent with all that it serves, or a route to the metrics alone
 */
export function planAccess(
  { resource: { kind }, object }: Workload,
  labels: Record<string, string>,
  leadsTo: 'agent' | 'metrics',
  scene: Scene,
): Writing[] {
  const { name: workload, namespace = '' } = object.metadata
  const resource = authorizationPolicies(scene.istioVersion)
  const name = scrapingName({ kind, name: workload })
  const at = { name, namespace, labels, port: SIDECAR_PORT }
  const scraper = scene.wishes.onlyPrometheus
  const principal = scraper === undefined ? principalIn(scene, at) : principalOf(scraper)
  const alone = metricsAlone(resource, { ...at, path: METRICS_PATH }, principal)
  const allowed = metricsAllowed(resource, { ...at, name: `${name}-allow` })
  const manifests = [
    ...(leadsTo === 'agent' || principal !== undefined ? [alone] : []),
    ...(isRestricted(object, scene) ? [allowed] : []),
  ]
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

/** Who alone may ask since an earlier run: what is not mentioned stays. */
function principalIn({ others }: Scene, { name, namespace }: { name: string; namespace: string }): string | undefined {
  const present = others.find(
    ({ kind, metadata }) =>
      kind === 'AuthorizationPolicy' && metadata.name === name && metadata.namespace === namespace,
  )
  const { rules = [] } = (present?.spec ?? {}) as AuthorizationPolicySpec
  return rules.flatMap(({ from = [] }) => from).flatMap(({ source }) => source?.notPrincipals ?? [])[0]
}

/** In any trust domain: which one it is, the mesh configuration says. */
function principalOf({ namespace, serviceAccount }: Scraper): string {
  return `*/ns/${namespace}/sa/${serviceAccount}`
}
