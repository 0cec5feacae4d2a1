/**
 * A workload's metrics over mutual TLS if Istio has no native ports: a Sidecar and a PeerAuthentication for only its pods. A Sidecar with
 * listeners replaces those that Istio creates for Services, so it lists all of them. Pure.
 */

import type { Wanted } from '../../changes/changes.ts'
import type { KubeObject, Resource } from '../../cluster/cluster.ts'
import { appliedFields, changedLabels, isOwnedBy, SCRAPING } from '../../cluster/ownership.ts'
import { peerAuthentications, sidecars } from '../../cluster/resources.ts'
import { scrapingName } from '../../manifests/names.ts'
import { strictPort, strictPortIn } from '../../manifests/peer-authentication.ts'
import { type IngressListener, ingressOf, sidecar } from '../../manifests/sidecar.ts'
import { AGENT_PORT, SECURE_PORT, SIDECAR_PORT, type Skip, skipped, type Workload } from '../workload.ts'
import { planAccess } from './access.ts'
import { whyNotCaptured } from './capture.ts'
import { hardening } from './hardening.ts'
import { inboundPorts } from './inbound-ports.ts'
import type { Planner, PlanResult, Scene } from './planner.ts'
import { oldest, ownLabels, takes, takesOthers } from './selection.ts'
import { podPortTaken, selectorShared } from './skips.ts'
import { planTemplate } from './template.ts'

const AGENT = `127.0.0.1:${AGENT_PORT}`

const METRICS_LISTENER: IngressListener = {
  port: { number: SIDECAR_PORT, name: 'http-telemetry-metrics', protocol: 'HTTP' },
  defaultEndpoint: AGENT,
}

type Labels = Record<string, string>

interface SidecarSpec {
  workloadSelector?: { labels?: Labels }
  ingress?: IngressListener[]
  [field: string]: unknown
}

interface PeerAuthenticationSpec {
  selector?: { matchLabels?: Labels }
  portLevelMtls?: Record<string, { mode?: string }>
}

/** The policy comes first, so that the port never serves plaintext. The annotation with which Prometheus finds the port comes last. */
export const planSidecar: Planner = (workload, scene) => {
  const labels = labelsFor(workload, scene)
  if (labels === undefined) return { skip: selectorShared('a Sidecar') }
  if ('skip' in labels) return labels
  const obstacle = whyNotCaptured(workload, scene) ?? whyNotInRoot(workload, scene)
  if (obstacle !== undefined) return { skip: obstacle }
  const policy = planPolicy(workload, labels.labels, scene)
  if ('skip' in policy) return policy
  const access = planAccess(workload, labels.labels, 'agent', scene)
  if ('skip' in access) return access
  const listener = planListener(workload, labels.labels, scene)
  if ('skip' in listener) return listener
  const template = planTemplate(workload, {
    annotations: { [SECURE_PORT]: String(SIDECAR_PORT) },
    proxyMetadata: hardening(workload, scene),
  })
  if ('skip' in template) return template
  return { writings: [...policy.writings, ...access.writings, ...listener.writings, template] }
}

/**
 * Labels for the policies. If the port is opened in the user's Sidecar, they select every pod that the Sidecar selects: a pod that comes
 * later would serve the agent to everybody.
 */
function labelsFor({ object }: Workload, scene: Scene): { labels: Labels } | { skip: Skip } | undefined {
  const existing = usersSidecar(object, scene)
  const isOpened = existing !== undefined && (isOpenedBy(existing) || !hasMetricsListener(existing))
  const labels = ownLabels(object, scene, isOpened ? selectorOf(existing.spec) : undefined)
  if (labels !== undefined) return { labels }
  if (existing === undefined || ownLabels(object, scene) === undefined) return undefined
  return skipped(
    'SIDECAR_SHARED',
    `Sidecar ${existing.metadata.name} may also select other pods, which would then serve port ${SIDECAR_PORT} as plaintext`,
  )
}

/** Whether we opened the port in the user's Sidecar. */
function isOpenedBy(existing: KubeObject): boolean {
  return appliedFields(existing, SCRAPING)?.['f:spec']?.['f:ingress'] !== undefined
}

function hasMetricsListener({ spec }: KubeObject): boolean {
  return ((spec ?? {}) as SidecarSpec).ingress?.some(isMetricsListener) ?? false
}

/** The user's Sidecar for these pods. */
function usersSidecar(object: Workload['object'], scene: Scene): KubeObject | undefined {
  const present = usersObjects(scene, 'Sidecar', object.metadata.namespace ?? '')
  return oldest(present.filter(({ spec }) => takes(selectorOf(spec), object, scene.pods)))
}

function planPolicy(workload: Workload, labels: Labels, scene: Scene): PlanResult {
  const { object } = workload
  const { name, namespace = '' } = object.metadata
  const resource = peerAuthentications(scene.istioVersion)
  const existing = oldest(
    usersObjects(scene, 'PeerAuthentication', namespace).filter(({ spec }) =>
      takes(((spec ?? {}) as PeerAuthenticationSpec).selector?.matchLabels, object, scene.pods),
    ),
  )
  const request = { name: scrapingName({ kind: workload.resource.kind, name }), namespace, labels, port: SIDECAR_PORT }
  if (existing === undefined) return { writings: [{ resource, manifest: strictPort(resource, request), by: 'owning' }] }
  const present = ((existing.spec ?? {}) as PeerAuthenticationSpec).portLevelMtls?.[SIDECAR_PORT]
  if (present !== undefined && present.mode !== 'STRICT')
    return {
      skip: podPortTaken(
        `PeerAuthentication ${existing.metadata.name} sets mode ${present.mode ?? 'UNSET'} for port ${SIDECAR_PORT}`,
      ),
    }
  // Written even if the field exists: it may be ours, and an apply without it would remove it.
  const port: Wanted = { resource, manifest: strictPortIn(resource, existing, SIDECAR_PORT), by: 'sharing' }
  return { writings: [port, ...planReplaced(scene, resource, request)] }
}

function planListener(workload: Workload, labels: Labels, scene: Scene): PlanResult {
  const { object } = workload
  const { name: workloadName, namespace = '' } = object.metadata
  const resource = sidecars(scene.istioVersion)
  const existing = usersSidecar(object, scene)
  const name = scrapingName({ kind: workload.resource.kind, name: workloadName })
  if (existing !== undefined) {
    const replaced = planReplaced(scene, resource, { name, namespace })
    const merged = planMerged(workload, existing, scene)
    if ('skip' in merged) return replaced.length === 0 ? merged : whyBoth(existing)
    return { writings: [...merged.writings, ...replaced] }
  }
  const present = usersObjects(scene, 'Sidecar', namespace)
  const withoutSelector = (objects: KubeObject[]) =>
    oldest(objects.filter(({ spec }) => Object.keys(selectorOf(spec)).length === 0))
  const inheritedFrom = withoutSelector(present) ?? withoutSelector(usersObjects(scene, 'Sidecar', scene.rootNamespace))
  const { ingress, workloadSelector: _, ...inherited } = (inheritedFrom?.spec ?? {}) as SidecarSpec
  const listeners = withMetricsListener(ingress ?? listenersOf(workload, scene))
  if ('skip' in listeners) return listeners
  const manifest = sidecar(resource, { name, namespace, labels, ingress: listeners.ingress, inherited })
  return { writings: [{ resource, manifest, by: 'owning' }] }
}

/** Istio uses only the oldest Sidecar with a selector for a pod, so a second one would have no effect: the listeners go into the user's. */
function planMerged({ object }: Workload, existing: KubeObject, scene: Scene): PlanResult {
  const spec = (existing.spec ?? {}) as SidecarSpec
  const name = `Sidecar ${existing.metadata.name}`
  const added = isOpenedBy(existing)
  if (!added && hasMetricsListener(existing)) return { writings: [] }
  if (takesOthers(selectorOf(spec), scene))
    return skipped(
      'SIDECAR_SHARED',
      `${name} also selects other pods, which would then serve port ${SIDECAR_PORT} as plaintext`,
    )
  if (!added && spec.ingress !== undefined)
    return skipped('SIDECAR_EXISTS', `${name} has its own listeners; add one for port ${SIDECAR_PORT} to them`)
  const listeners = withMetricsListener(listenersOf({ object }, scene))
  if ('skip' in listeners) return listeners
  const resource = sidecars(scene.istioVersion)
  const manifest = ingressOf(resource, existing, listeners.ingress, changedLabels(SCRAPING))
  return { writings: [{ resource, manifest, by: 'sharing' }] }
}

function listenersOf({ object }: Pick<Workload, 'object'>, scene: Scene): IngressListener[] {
  const entries = scene.objects.filter(
    ({ kind, metadata }) => kind === 'ServiceEntry' && metadata.namespace === object.metadata.namespace,
  )
  const ports = inboundPorts(object, scene.pods, scene.services, entries)
  const bind = wildcard(scene)
  return ports.map(({ number, name, protocol }) => ({
    port: { number, protocol, ...(name === undefined ? {} : { name }) },
    bind,
  }))
}

/** The address that Istio's own listeners bind to, which is part of the names of listeners and statistics. The default would be the pod's address. */
function wildcard({ pods }: Scene): string {
  const addresses = pods.flatMap(({ status }) => status?.podIPs ?? []).map(({ ip }) => ip)
  return addresses.length > 0 && addresses.every((ip) => ip.includes(':')) ? '::' : '0.0.0.0'
}

function withMetricsListener(listeners: IngressListener[]): { ingress: IngressListener[] } | { skip: Skip } {
  if (listeners.some(isMetricsListener)) return { ingress: listeners }
  if (listeners.some(({ port }) => port.number === SIDECAR_PORT))
    return { skip: podPortTaken(`something else already uses port ${SIDECAR_PORT} of its pods`) }
  return { ingress: [...listeners, METRICS_LISTENER] }
}

function isMetricsListener({ port, defaultEndpoint, tls }: IngressListener): boolean {
  const { number, protocol } = port
  return number === SIDECAR_PORT && protocol.toUpperCase() === 'HTTP' && defaultEndpoint === AGENT && tls === undefined
}

/** A PeerAuthentication in the root namespace is for the whole mesh; Istio ignores one with a selector there: pilot/pkg/security/authn/policy_applier.go. */
function whyNotInRoot({ object }: Workload, { rootNamespace }: Scene): Skip | undefined {
  if (object.metadata.namespace !== rootNamespace) return undefined
  return {
    code: 'ROOT_NAMESPACE',
    reason: `it is in ${rootNamespace}, where Istio cannot require mutual TLS for one port of some pods`,
  }
}

/** The user's object was created after ours, has its own listeners, and has no effect while ours exists: Istio uses the older. */
function whyBoth({ kind, metadata: { name } }: KubeObject): { skip: Skip } {
  return skipped(
    'OBJECT_SINCE_ADDED',
    `${kind} ${name} was added for the same pods, and Istio uses only one: run kubectl telemetry cleanup --scraping, then scrape-secure again`,
  )
}

/** Our object, where the user has added one since: the user's would have no effect while ours exists, since Istio uses the older. */
function planReplaced(
  { objects }: Scene,
  resource: Resource,
  { name, namespace }: { name: string; namespace: string },
): Wanted[] {
  const ours = objects.filter(
    (one) =>
      one.kind === resource.kind &&
      one.metadata.name === name &&
      one.metadata.namespace === namespace &&
      isOwnedBy(one, SCRAPING),
  )
  return ours.map((manifest) => ({ resource, manifest, by: 'removing' }))
}

function usersObjects({ objects }: Scene, kind: string, namespace: string): KubeObject[] {
  return objects.filter((one) => one.kind === kind && one.metadata.namespace === namespace && !isOwnedBy(one, SCRAPING))
}

function selectorOf(spec: unknown): Labels {
  return (spec as SidecarSpec | undefined)?.workloadSelector?.labels ?? {}
}
