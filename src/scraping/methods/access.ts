/** Which requests Istio's policies allow at the metrics port, and from whom: for the method `sidecar`. Pure. */
import { isDeepStrictEqual } from 'node:util'
import type { Wanted } from '../../changes/changes.ts'
import { edited, type Fragments, isEdited } from '../../changes/edits.ts'
import type { KubeObject } from '../../cluster/cluster.ts'
import { isOwned, isOwnedBy, SCRAPING } from '../../cluster/ownership.ts'
import { authorizationPolicies } from '../../cluster/resources.ts'
import { hasCode } from '../../errors.ts'
import { metricsRule, onlyMetrics } from '../../manifests/authorization-policy.ts'
import { scrapingName } from '../../manifests/names.ts'
import type { WorkloadObject } from '../../workloads/workload-object.ts'
import { METRICS_PATH, SIDECAR_PORT, skipped, type Workload } from '../workload.ts'
import type { PlanResult, Scene, Scraper } from './planner.ts'
import { takes } from './selection.ts'

interface AuthorizationPolicySpec {
  selector?: { matchLabels?: Record<string, string> }
  targetRef?: object
  targetRefs?: object[]
  action?: string
  rules?: Rule[]
}

interface Rule {
  from?: { source?: { principals?: string[]; notPrincipals?: string[] } }[]
  to?: object[]
  when?: object[]
}

const PORT = { port: SIDECAR_PORT, path: METRICS_PATH }
const RULES = ['spec', 'rules']
/** The name of our rule in a record. */
const RULE = 'metrics-rule'

/** Removes our rule from rules that the user has edited since. */
export const ACCESS_FRAGMENTS: Fragments = {
  [RULE]: (present, before) => {
    const had = Array.isArray(before) ? before : []
    const left = (Array.isArray(present) ? present : []).filter((rule) => !isOurs(rule) || had.some(isOurs))
    return left.length === 0 && before === undefined ? undefined : left
  },
}

/**
 * @param labels labels that select only the workload's pods
 * @param leadsTo what the port leads to: the agent with all its paths, or a route to only the metrics
 */
export function planAccess(
  { resource: { kind }, object }: Workload,
  labels: Record<string, string>,
  leadsTo: 'agent' | 'metrics',
  scene: Scene,
): PlanResult {
  const { name: workload, namespace = '' } = object.metadata
  const resource = authorizationPolicies(scene.istioVersion)
  const name = scrapingName({ kind, name: workload })
  const scraper = scene.options.onlyPrometheus
  const principal = scraper === undefined ? principalIn(scene, { name, namespace }) : principalOf(scraper)
  const requests = onlyMetrics(resource, { name, namespace, labels, ...PORT }, principal)
  const admission = planAdmission(object, principal, scene)
  if ('skip' in admission) return admission
  const isNeeded = leadsTo === 'agent' || principal !== undefined
  return {
    writings: [
      ...(isNeeded ? [{ resource, manifest: requests, by: 'owning' as const }] : []),
      ...admission.writings,
      ...planFormer(`${name}-allow`, namespace, scene),
    ],
  }
}

/**
 * Where ALLOW policies of the user apply to the pods, Istio denies every request that none of them allows. Our rule goes into one of them:
 * an ALLOW policy of ours would deny everything else once the user deletes theirs.
 */
function planAdmission(object: WorkloadObject, principal: string | undefined, scene: Scene): PlanResult {
  const [policy, ...others] = allowing(object, scene)
  if (policy === undefined || [policy, ...others].some(allowsAll)) return { writings: [] }
  const rules = rulesOf(policy)
  const ours = metricsRule(PORT, principal)
  const kept = rules.filter((rule) => !isOurs(rule))
  const value = rules.some((rule) => isDeepStrictEqual(rule, ours)) ? rules : [...kept, ours]
  try {
    const edits = [{ path: RULES, value, fragment: RULE }]
    const manifest = edited(policy, edits, SCRAPING, ACCESS_FRAGMENTS)
    return { writings: [{ resource: authorizationPolicies(scene.istioVersion), manifest, by: 'replacing' }] }
  } catch (error) {
    if (hasCode(error, 'RECORD_INVALID')) return skipped(error.code, error.message)
    throw error
  }
}

/** The user's ALLOW policies for the pods: first the one that has our rule, then the narrowest. */
function allowing(object: WorkloadObject, { objects, rootNamespace, pods }: Scene): KubeObject[] {
  const { namespace } = object.metadata
  const rank = (policy: KubeObject) =>
    isEdited(policy, SCRAPING) ? 0 : policy.metadata.namespace !== namespace ? 3 : specOf(policy).selector ? 1 : 2
  return objects
    .filter(
      ({ kind, metadata }) => kind === 'AuthorizationPolicy' && [namespace, rootNamespace].includes(metadata.namespace),
    )
    .filter((policy) => {
      const { selector, targetRef, targetRefs, action = 'ALLOW' } = specOf(policy)
      // With targets it is for waypoints and gateways of the Gateway API.
      const isForPods = targetRef === undefined && targetRefs === undefined
      const isForThese =
        Object.keys(selector?.matchLabels ?? {}).length === 0 || takes(selector?.matchLabels, object, pods)
      return action === 'ALLOW' && isForPods && isForThese && !isOwned(policy)
    })
    .sort((one, other) => rank(one) - rank(other))
}

/** The ALLOW policy of an earlier version. */
function planFormer(name: string, namespace: string, { objects, istioVersion }: Scene): Wanted[] {
  const former = objects.filter(
    (one) =>
      one.kind === 'AuthorizationPolicy' &&
      one.metadata.name === name &&
      one.metadata.namespace === namespace &&
      isOwnedBy(one, SCRAPING),
  )
  return former.map((manifest) => ({ resource: authorizationPolicies(istioVersion), manifest, by: 'removing' }))
}

function allowsAll(policy: KubeObject): boolean {
  return rulesOf(policy).some(({ from = [], to = [], when = [] }) => from.length + to.length + when.length === 0)
}

/** Whether it is our rule, for any client. */
function isOurs(rule: unknown): boolean {
  const { from, ...rest } = (rule ?? {}) as Rule
  const principals = (from ?? []).flatMap((one) => one?.source?.principals ?? [])
  return isDeepStrictEqual({ ...rest, ...(from === undefined ? {} : { from }) }, metricsRule(PORT, principals[0]))
}

function rulesOf(policy: KubeObject): Rule[] {
  return (specOf(policy).rules ?? []).map((rule) => rule ?? {})
}

function specOf({ spec }: KubeObject): AuthorizationPolicySpec {
  return (spec ?? {}) as AuthorizationPolicySpec
}

/** The only principal that an earlier run admitted: without --only-prometheus the restriction stays. */
function principalIn({ objects }: Scene, { name, namespace }: { name: string; namespace: string }): string | undefined {
  const present = objects.find(
    ({ kind, metadata }) =>
      kind === 'AuthorizationPolicy' && metadata.name === name && metadata.namespace === namespace,
  )
  const rules = present === undefined ? [] : rulesOf(present)
  return rules.flatMap(({ from = [] }) => from).flatMap(({ source }) => source?.notPrincipals ?? [])[0]
}

/** Matches any trust domain, because only the mesh configuration contains its name. */
function principalOf({ namespace, serviceAccount }: Scraper): string {
  return `*/ns/${namespace}/sa/${serviceAccount}`
}
