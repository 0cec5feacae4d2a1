/** What switching tracing on changes: the mesh configuration of each revision, then one Telemetry. */
import type { Collector } from '../backends/collectors.ts'
import type { Change } from '../changes/changes.ts'
import type { Fragments } from '../changes/edits.ts'
import { managementOf } from '../changes/management.ts'
import { type ObjectEdit, planEdit } from '../changes/object-edits.ts'
import type { KubeObject } from '../cluster/cluster.ts'
import type { ConfigMap, Service } from '../cluster/objects.ts'
import { TRACING } from '../cluster/ownership.ts'
import { findIstioVersion, istioNotFound, readable, readServices } from '../cluster/reading.ts'
import { CONFIG_MAPS, sidecars } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import { type Finding, notes } from '../findings.ts'
import { requireOneNamespace, vouchedPlanes } from '../gateways/istiods.ts'
import { textOf } from '../shapes.ts'
import { sh, shellCommand } from '../shell.ts'
import { isRead } from '../workloads/control-plane.ts'
import type { Dependencies } from '../world.ts'
import { type ChosenBackend, chooseBackend, type NamedBackend } from './backend-choice.ts'
import { type Effective, effectiveTracing, forAllIn, isTraced } from './effective.ts'
import type { Revision } from './facts.ts'
import { keptProviders, type MeshText, withoutProvider, withProvider } from './mesh-text.ts'
import { unreadTelemetries } from './problems.ts'
import { chooseProviders, leadsTo, type RevisionProvider } from './provider.ts'
import { hidingSidecars } from './sidecars.ts'
import { readRevisions, readTelemetries, telemetryResource } from './survey.ts'
import { planTelemetry } from './telemetry-plan.ts'

export interface TracingRequest {
  /** The namespace whose workloads are traced; the whole mesh when left out. */
  namespace?: string | undefined
  /** Percent; another setting decides when left out. */
  sampling?: number | undefined
  backend?: NamedBackend | undefined
  revision?: string | undefined
  /** A URL to request for the proof; what is exposed when left out. */
  probe?: URL | undefined
  /** Milliseconds to wait for the trace. */
  timeout: number
  yes: boolean
  dryRun: 'none' | 'client' | 'server'
}

/** The mesh configuration of one revision. */
export interface PlannedRevision extends RevisionProvider {
  edit: ObjectEdit
  /** None where the provider is there already. */
  change?: Change
}

export interface TracingPlan {
  readonly request: TracingRequest
  readonly chosen: ChosenBackend
  readonly services: readonly Service[]
  readonly revisions: readonly PlannedRevision[]
  /** None where what is in force is what is wanted. */
  readonly telemetry: readonly Change[]
  /** The Telemetry that decides. */
  readonly inForce: Pick<KubeObject, 'metadata'>
  /** How the first revision traces requests after the change. */
  readonly effective: Effective
  readonly warnings: readonly Finding[]
}

type Needs = Pick<Dependencies, 'cluster' | 'terminal'>

/** Removes our provider from a text that somebody has edited since. */
export const TRACING_FRAGMENTS: Fragments = {
  'tracing-provider': (present, before) =>
    withoutProvider({ text: String(present), what: 'the mesh configuration' }, textOf(before)),
}

/**
 * @throws UserError ISTIO_NOT_FOUND, REVISION_UNKNOWN, ISTIODS_APART, ROOTS_DIFFER, TELEMETRIES_UNREAD, MESH_CONFIG_MISSING, MESH_CONFIG_MANAGED, YAML_INVALID,
 * TELEMETRY_IN_FORCE, RECORD_INVALID and those of `chooseBackend`
 */
export async function planTracing(request: TracingRequest, world: Needs): Promise<TracingPlan> {
  const { cluster } = world
  const [read, telemetries, resource, services] = await Promise.all([
    readRevisions(cluster),
    readTelemetries(cluster),
    telemetryResource(cluster),
    readServices(cluster),
  ])
  const all = await vouchedPlanes(read, cluster)
  const chosenRevisions = requireRevisions(all, request.revision, cluster)
  if (resource === undefined) throw istioNotFound(cluster)
  if (telemetries === undefined) throw telemetriesUnread()
  const chosen = await chooseBackend(request.backend, services, all, world)
  const providers = chooseProviders(chosenRevisions, chosen.collectors)
  const [{ revision: first, name: provider }] = providers as [RevisionProvider]
  const seen = telemetries.filter((one) => isRead(one, first))
  // Other revisions would look for a provider that they do not have, and trace nothing.
  const only = chosenRevisions.length < all.length ? request.revision : undefined
  const place = { resource, namespace: request.namespace ?? first.root, revision: only, telemetries: seen }
  const decides = (inForce: KubeObject) => isWanted(first, inForce, seen, { request, chosen })
  const { changes, inForce } = planTelemetry(place, { provider, sampling: request.sampling }, decides)
  const written = changes.map(({ manifest, present }): KubeObject => ({ ...present, ...manifest }))
  const isSame = ({ metadata: { namespace, name } }: KubeObject) =>
    written.some((one) => one.metadata.name === name && one.metadata.namespace === namespace)
  const after = [...seen.filter((one) => !isSame(one)), ...written]
  return {
    request,
    chosen,
    services,
    revisions: providers.map(planRevision),
    telemetry: changes,
    inForce,
    effective: effectiveAfter(first, after, place.namespace, providers),
    warnings: await hiddenFrom(chosen.collectors[0], first, world),
  }
}

/** @throws UserError ISTIO_NOT_FOUND, REVISION_UNKNOWN, ISTIODS_APART, ROOTS_DIFFER */
function requireRevisions(all: readonly Revision[], named: string | undefined, cluster: Needs['cluster']): Revision[] {
  if (all.length === 0) throw istioNotFound(cluster)
  const chosen = all.filter(({ revision }) => named === undefined || revision === named)
  const flags = all.map(({ revision }) => sh`--revision ${revision}`)
  if (chosen.length === 0) {
    const message = `no istiod has the revision ${named}; there are: ${all.map(({ revision }) => revision).join(', ')}`
    throw new UserError('REVISION_UNKNOWN', message, { suggestions: flags })
  }
  requireOneNamespace(chosen, flags)
  const roots = [...new Set(chosen.map(({ root }) => root))]
  if (roots.length > 1) {
    const message = `the revisions have different root namespaces (${roots.join(', ')}), and one Telemetry is for one of them`
    throw new UserError('ROOTS_DIFFER', message, { suggestions: flags })
  }
  return chosen
}

function telemetriesUnread(): UserError {
  const { code, message, remedies } = unreadTelemetries()
  return new UserError(code, message, { suggestions: remedies })
}

/** @throws UserError MESH_CONFIG_MISSING, MESH_CONFIG_MANAGED, YAML_INVALID */
function planRevision(one: RevisionProvider): PlannedRevision {
  const { revision, collector, isThere } = one
  const { configMap, namespace, name, domain } = revision
  if (configMap === undefined) throw configMissing(revision)
  const edit: ObjectEdit = {
    resource: CONFIG_MAPS,
    object: configMap,
    part: TRACING,
    fragments: TRACING_FRAGMENTS,
    edits: (object) =>
      isThere
        ? []
        : [
            {
              path: ['data', 'mesh'],
              value: withProvider(meshText(object as ConfigMap, revision), collector, domain),
              fragment: 'tracing-provider',
            },
          ],
  }
  if (isThere) return { ...one, edit }
  const management = managementOf(configMap)
  if (management !== undefined && management.waits === undefined) {
    const message = `ConfigMap ${namespace}/${name} is managed by ${management.by}, and ${management.resets} would remove a provider that is added; nothing was changed`
    const values = keptValues(one, configMap)
    throw new UserError('MESH_CONFIG_MANAGED', message, { suggestions: [`${management.instead}:`, values] })
  }
  const [change] = planEdit(edit)
  return change === undefined ? { ...one, edit } : { ...one, edit, change }
}

function meshText({ data }: ConfigMap, { namespace, name }: Revision): MeshText {
  return { text: data?.mesh ?? '', what: `mesh in ConfigMap ${namespace}/${name}` }
}

function configMissing({ namespace, name, revision }: Revision): UserError {
  const message = `ConfigMap ${namespace}/${name}, from which the istiod of revision ${revision} reads the mesh configuration, does not exist or may not be read`
  return new UserError('MESH_CONFIG_MISSING', message, {
    suggestions: [sh`kubectl -n ${namespace} get configmap ${name}`],
  })
}

/** The value of the installer that keeps the provider: a list replaces the one of before, so all of them are named. */
function keptValues({ revision, collector }: RevisionProvider, configMap: ConfigMap): string {
  const providers = keptProviders(meshText(configMap, revision), collector, revision.domain)
  return shellCommand(['--set-json', `meshConfig.extensionProviders=${JSON.stringify(providers)}`])
}

/** Helm and istioctl write the mesh configuration whole. */
export function notKept({ revisions }: Pick<TracingPlan, 'revisions'>): Finding[] {
  return revisions
    .filter(({ change }) => change !== undefined)
    .map((one) => {
      const { namespace, name } = one.revision
      const message = `the next upgrade of Istio by helm or istioctl writes ConfigMap ${namespace}/${name} anew, without the provider; "tracing on" adds it again, and a value keeps it`
      const values = `${keptValues(one, one.edit.object as ConfigMap)}   # for helm upgrade; istioctl takes the same in a file`
      return notes('PROVIDER_NOT_KEPT', message, values)
    })
}

/** Whether a Telemetry of others sends traces to the backend, as many as are wanted. */
function isWanted(
  revision: Revision,
  inForce: KubeObject,
  read: readonly KubeObject[],
  { request, chosen }: Pick<TracingPlan, 'request' | 'chosen'>,
): boolean {
  const [ofMesh] = forAllIn(revision.root, read)
  const telemetries = ofMesh === undefined || ofMesh === inForce ? [inForce] : [ofMesh, inForce]
  return (['CLIENT', 'SERVER'] as const).every((mode) => {
    const effective = effectiveTracing(revision.configuration, { telemetries, ofIstiod: revision.sampling }, mode)
    const { provider, sampling } = effective
    const isThere = provider !== undefined && chosen.collectors.some((one) => leadsTo(provider, one))
    const isSampled = request.sampling === undefined || request.sampling === sampling
    return isTraced(effective) && isThere && isSampled
  })
}

/** With the new provider, whose values are not read again. */
function effectiveAfter(
  { configuration, root, sampling }: Revision,
  telemetries: readonly KubeObject[],
  namespace: string,
  [first]: readonly RevisionProvider[],
): Effective {
  const { name, collector } = first as RevisionProvider
  const { protocol: kind, service, port, namespace: place } = collector
  const ours = { name, kind, service: `${service}.${place}`, port, samples: false }
  const others = configuration.providers.filter((one) => one.name !== name || first?.isThere)
  const providers = first?.isThere ? others : [...others, ours]
  const inForce = [...new Set([root, namespace])].flatMap((one) => forAllIn(one, telemetries).slice(0, 1))
  return effectiveTracing({ ...configuration, providers }, { telemetries: inForce, ofIstiod: sampling }, 'CLIENT')
}

/** @returns nothing without the permission to list Sidecars: they only lead to a warning */
async function hiddenFrom(collector: Collector, { domain }: Revision, { cluster }: Needs): Promise<Finding[]> {
  const version = await findIstioVersion(cluster)
  const found = version === undefined ? [] : ((await readable(cluster.list(sidecars(version)))) ?? [])
  return hidingSidecars(found, collector, domain)
}
