/** Which Telemetry switches tracing on, or off, in a namespace. Pure. */
import { type Change, planChanges, type Wanted } from '../changes/changes.ts'
import type { KubeObject, Resource } from '../cluster/cluster.ts'
import { appliedFields, isChangedBy, isOwnedBy, TRACING } from '../cluster/ownership.ts'
import { UserError } from '../errors.ts'
import { telemetryName } from '../manifests/names.ts'
import { type TelemetryTracing, telemetry, tracingIn } from '../manifests/telemetry.ts'
import { listOf, mapOf } from '../shapes.ts'
import { sh } from '../shell.ts'
import { forAllIn } from './effective.ts'

/** Where the Telemetry is wanted. */
export interface TelemetryPlace {
  resource: Resource
  namespace: string
  /** The only revision that shall read it; left out: all. */
  revision: string | undefined
  /** Those that the revision reads. */
  telemetries: readonly KubeObject[]
}

/**
 * Of several Telemetries without a selector in one namespace istiod uses the oldest. One of ours is changed; one of others without `tracing`
 * gets ours as a field.
 * @param suffices whether what is in force, of others, is what is wanted
 * @returns no change where it is; the Telemetry that decides then
 * @throws UserError TELEMETRY_IN_FORCE, NOT_OURS
 */
export function planTelemetry(
  { resource, namespace, revision, telemetries }: TelemetryPlace,
  tracing: TelemetryTracing,
  suffices: (inForce: KubeObject) => boolean,
): { changes: Change[]; inForce: Pick<KubeObject, 'metadata'> } {
  const [first] = forAllIn(namespace, telemetries)
  const plan = (wanted: Wanted) => ({
    changes: planChanges([wanted], telemetries, TRACING),
    inForce: wanted.manifest,
  })
  if (first === undefined || isOwnedBy(first, TRACING)) {
    const own = { name: first?.metadata.name ?? telemetryName(revision), namespace }
    const reader = first === undefined ? revision : first.metadata.labels?.['istio.io/rev']
    return plan({ resource, manifest: telemetry(resource, { ...own, revision: reader }, tracing) })
  }
  if (isShared(first) || !hasTracing(first))
    return plan({ resource, manifest: tracingIn(resource, first, tracing), by: 'sharing' })
  if (suffices(first)) return { changes: [], inForce: first }
  throw inForce(first)
}

/** Whether `tracing` of a user's Telemetry comes from us. */
export function isShared(object: KubeObject): boolean {
  return isChangedBy(object, TRACING) && mapOf(appliedFields(object, TRACING)?.['f:spec'])['f:tracing'] !== undefined
}

function hasTracing({ spec }: KubeObject): boolean {
  return listOf(mapOf(spec).tracing).length > 0
}

function inForce({ metadata: { namespace, name }, spec }: KubeObject): UserError {
  const present = JSON.stringify(mapOf(spec).tracing)
  const message = `Telemetry ${namespace}/${name}, which others created, decides about traces in namespace ${namespace}: ${present}; it was left unchanged`
  return new UserError('TELEMETRY_IN_FORCE', message, {
    suggestions: [
      sh`kubectl -n ${namespace} edit telemetries.telemetry.istio.io ${name}   # change it there`,
      '-n NAMESPACE   # another namespace has a Telemetry of its own',
    ],
  })
}
