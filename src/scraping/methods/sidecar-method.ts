/**
 * A workload's metrics over mutual TLS with an Istio that has no ports of its own for it: a Sidecar and a PeerAuthentication for its pods
 * alone. A Sidecar with listeners takes away those that Istio makes of Services, so it has them all. Pure.
 */
import type { KubeObject } from '../../cluster/cluster.ts'
import { appliedFields, changedForScraping, isOwned } from '../../cluster/ownership.ts'
import { peerAuthentications, sidecars } from '../../cluster/resources.ts'
import { scrapingName } from '../../manifests/names.ts'
import { strictPort, strictPortIn } from '../../manifests/peer-authentication.ts'
import { type IngressListener, ingressOf, sidecar } from '../../manifests/sidecar.ts'
import { SECURE_PORT, SIDECAR_PORT, type Skip, type Workload } from '../workload.ts'
import { planAccess } from './access.ts'
import { hardening } from './hardening.ts'
import { inboundPorts } from './inbound-ports.ts'
import type { Planned, Planner, Scene } from './planner.ts'
import { oldest, ownLabels, takes, takesOthers } from './selection.ts'
import { planTemplate } from './template.ts'

/** Where the agent serves the merged metrics, whatever the probes of the pod are. */
const AGENT = '127.0.0.1:15020'

const OURS: IngressListener = {
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

/** The policy comes first, so that the port never answers in clear; the annotation by which Prometheus finds it comes last. */
export const planSidecar: Planner = (workload, scene) => {
  const labels = ownLabels(workload.object, scene)
  if (labels === undefined)
    return skipped(
      'SELECTOR_SHARED',
      'no labels of its pods are theirs alone, so a Sidecar would be for other pods as well',
    )
  const obstacle = uncaptured(workload) ?? inRootNamespace(workload, scene)
  if (obstacle !== undefined) return { skip: obstacle }
  const policy = planPolicy(workload, labels, scene)
  if ('skip' in policy) return policy
  const access = planAccess(workload, labels, 'agent', scene)
  const listener = planListener(workload, labels, scene)
  if ('skip' in listener) return listener
  const template = planTemplate(workload, {
    annotations: { [SECURE_PORT]: String(SIDECAR_PORT) },
    proxyMetadata: hardening(workload, scene),
  })
  return 'skip' in template ? template : { writings: [...policy.writings, ...access, ...listener.writings, template] }
}

function planPolicy(workload: Workload, labels: Labels, scene: Scene): Planned {
  const { object } = workload
  const { name, namespace = '' } = object.metadata
  const resource = peerAuthentications(scene.istioVersion)
  const theirs = oldest(
    othersOf(scene, 'PeerAuthentication', namespace).filter(({ spec }) =>
      takes((spec as PeerAuthenticationSpec).selector?.matchLabels, object, scene.pods),
    ),
  )
  const request = { name: scrapingName({ kind: workload.resource.kind, name }), namespace, labels, port: SIDECAR_PORT }
  if (theirs === undefined) return { writings: [{ resource, manifest: strictPort(resource, request), by: 'owning' }] }
  if (hasOurs(scene, 'PeerAuthentication', request)) return both(theirs)
  const present = (theirs.spec as PeerAuthenticationSpec).portLevelMtls?.[SIDECAR_PORT]
  if (present !== undefined && present.mode !== 'STRICT')
    return skipped(
      'PORT_TAKEN',
      `PeerAuthentication ${theirs.metadata.name} says ${present.mode ?? 'UNSET'} for port ${SIDECAR_PORT}`,
    )
  // Also when it is there: then it may be ours, and an apply without it would take it away.
  return { writings: [{ resource, manifest: strictPortIn(resource, theirs, SIDECAR_PORT), by: 'sharing' }] }
}

function planListener(workload: Workload, labels: Labels, scene: Scene): Planned {
  const { object } = workload
  const { name: workloadName, namespace = '' } = object.metadata
  const resource = sidecars(scene.istioVersion)
  const present = othersOf(scene, 'Sidecar', namespace)
  const theirs = oldest(present.filter(({ spec }) => takes(selectorOf(spec), object, scene.pods)))
  const name = scrapingName({ kind: workload.resource.kind, name: workloadName })
  if (theirs !== undefined)
    return hasOurs(scene, 'Sidecar', { name, namespace }) ? both(theirs) : planMerged(workload, theirs, scene)
  const wide = (objects: KubeObject[]) =>
    oldest(objects.filter(({ spec }) => Object.keys(selectorOf(spec)).length === 0))
  const general = wide(present) ?? wide(othersOf(scene, 'Sidecar', scene.rootNamespace))
  const { ingress, workloadSelector: _, ...inherited } = (general?.spec ?? {}) as SidecarSpec
  const listeners = withOurs(ingress ?? listenersOf(workload, scene))
  if ('skip' in listeners) return listeners
  const manifest = sidecar(resource, { name, namespace, labels, ingress: listeners.ingress, inherited })
  return { writings: [{ resource, manifest, by: 'owning' }] }
}

/** Of several Sidecars with selectors Istio takes the oldest for a pod and ignores the rest: ours would do nothing beside theirs. */
function planMerged({ object }: Workload, theirs: KubeObject, scene: Scene): Planned {
  const spec = theirs.spec as SidecarSpec
  const name = `Sidecar ${theirs.metadata.name}`
  const added = appliedFields(theirs)?.['f:spec']?.['f:ingress'] !== undefined
  if (!added && spec.ingress?.some(isOurs)) return { writings: [] }
  if (takesOthers(selectorOf(spec), scene))
    return skipped(
      'SIDECAR_SHARED',
      `${name} is for other pods as well; they would answer at port ${SIDECAR_PORT} in clear`,
    )
  if (!added && spec.ingress !== undefined)
    return skipped('SIDECAR_EXISTS', `${name} has listeners of its own; add one for port ${SIDECAR_PORT} to them`)
  const listeners = withOurs(listenersOf({ object }, scene))
  if ('skip' in listeners) return listeners
  const resource = sidecars(scene.istioVersion)
  const manifest = ingressOf(resource, theirs, listeners.ingress, changedForScraping())
  return { writings: [{ resource, manifest, by: 'sharing' }] }
}

function listenersOf({ object }: Pick<Workload, 'object'>, scene: Scene): IngressListener[] {
  const entries = scene.others.filter(
    ({ kind, metadata }) => kind === 'ServiceEntry' && metadata.namespace === object.metadata.namespace,
  )
  const ports = inboundPorts(object, scene.pods, scene.services, entries)
  const bind = wildcard(scene)
  return ports.map(({ number, name, protocol }) => ({
    port: { number, protocol, ...(name === undefined ? {} : { name }) },
    bind,
  }))
}

/** What Istio's own listeners are bound to, which is part of their names and of their statistics'. Left out, it would be the pod's address. */
function wildcard({ pods }: Scene): string {
  const addresses = pods.flatMap(({ status }) => status?.podIPs ?? []).map(({ ip }) => ip)
  return addresses.length > 0 && addresses.every((ip) => ip.includes(':')) ? '::' : '0.0.0.0'
}

function withOurs(listeners: IngressListener[]): { ingress: IngressListener[] } | { skip: Skip } {
  if (listeners.some(isOurs)) return { ingress: listeners }
  if (listeners.some(({ port }) => port.number === SIDECAR_PORT))
    return skipped('PORT_TAKEN', `port ${SIDECAR_PORT} of its pods is used for something else`)
  return { ingress: [...listeners, OURS] }
}

function isOurs({ port, defaultEndpoint, tls }: IngressListener): boolean {
  const { number, protocol } = port
  return number === SIDECAR_PORT && protocol.toUpperCase() === 'HTTP' && defaultEndpoint === AGENT && tls === undefined
}

/** The Sidecar's listeners get only what the kernel leads to Envoy. */
function uncaptured({ object }: Workload): Skip | undefined {
  const { annotations = {} } = object.spec.template.metadata
  const of = (name: string) => annotations[`traffic.sidecar.istio.io/${name}`]?.split(',').map((port) => port.trim())
  const included = of('includeInboundPorts')
  const excluded = of('excludeInboundPorts') ?? []
  const port = String(SIDECAR_PORT)
  if (annotations['sidecar.istio.io/interceptionMode'] === 'NONE')
    return { code: 'NOT_CAPTURED', reason: 'its sidecar captures no traffic (sidecar.istio.io/interceptionMode: NONE)' }
  if (excluded.includes(port) || (included !== undefined && !included.includes('*') && !included.includes(port)))
    return {
      code: 'NOT_CAPTURED',
      reason: `its sidecar does not capture port ${port} (traffic.sidecar.istio.io/includeInboundPorts, excludeInboundPorts)`,
    }
  return undefined
}

/** A PeerAuthentication there is for the whole mesh, and one with a selector is not looked at: pilot/pkg/security/authn/policy_applier.go. */
function inRootNamespace({ object }: Workload, { rootNamespace }: Scene): Skip | undefined {
  if (object.metadata.namespace !== rootNamespace) return undefined
  return { code: 'ROOT_NAMESPACE', reason: `in ${rootNamespace} Istio has no mutual TLS for one port of some pods` }
}

/** Made after ours: Istio takes the older, so theirs does nothing while ours is there. */
function both({ kind, metadata: { name } }: KubeObject): { skip: Skip } {
  return skipped(
    'MADE_BESIDE_OURS',
    `${kind} ${name} and ours are both for its pods, and Istio takes but one: cleanup --scraping, then again`,
  )
}

function hasOurs({ others }: Scene, kind: string, { name, namespace }: { name: string; namespace: string }): boolean {
  return others.some(
    (one) => one.kind === kind && one.metadata.name === name && one.metadata.namespace === namespace && isOwned(one),
  )
}

function othersOf({ others }: Scene, kind: string, namespace: string): KubeObject[] {
  return others.filter((one) => one.kind === kind && one.metadata.namespace === namespace && !isOwned(one))
}

function selectorOf(spec: unknown): Labels {
  return (spec as SidecarSpec | undefined)?.workloadSelector?.labels ?? {}
}

function skipped(code: string, reason: string): { skip: Skip } {
  return { skip: { code, reason } }
}
