/**
 * Which requests of a namespace are traced, as istiod decides it (`Tracing` in pilot/pkg/model/telemetry.go, `configureTracingFromTelemetry` in
 * pilot/pkg/networking/core/tracing.go of Istio 1.31). Pure.
 */
import type { KubeObject } from '../cluster/cluster.ts'
import { isMap, listOf, mapOf, textOf } from '../shapes.ts'
import type { Provider, TracingConfiguration } from './configuration.ts'

/** A Telemetry for a whole namespace, or for the whole mesh in the root namespace. */
export interface Effective {
  /** The provider to which spans go; `undefined` if there is none, and then nothing is traced. */
  provider: Provider | undefined
  /** A provider that is named and does not exist: it turns tracing off. */
  unknown?: string
  /** `disableSpanReporting`. */
  disabled: boolean
  /** Percent of the requests that come without a decision; `undefined` where the provider decides. */
  sampling: number | undefined
  /** Where the sampling is set. */
  from: SamplingSource
}

export type SamplingSource =
  | { by: 'provider' | 'mesh' | 'istiod' | 'default' }
  | { by: 'telemetry'; namespace: string; name: string }

/** Percent without any setting. */
const DEFAULT = 1

/** What decides beside the mesh configuration. */
export interface Deciding {
  /** Those in force, that of the root namespace first. */
  telemetries: readonly KubeObject[]
  /** `PILOT_TRACE_SAMPLING` of istiod. */
  ofIstiod: string
}

/** @param mode `CLIENT`: requests that a gateway or a sidecar sends; `SERVER`: those that a sidecar receives */
export function effectiveTracing(
  configuration: TracingConfiguration,
  deciding: Deciding,
  mode: 'CLIENT' | 'SERVER',
): Effective {
  const entries = deciding.telemetries.flatMap((one) => entriesOf(one, mode))
  const named = lastOf(entries.map(({ provider }) => provider)) ?? configuration.defaultProvider
  const provider = configuration.providers.find(({ name, kind }) => name === named && kind !== undefined)
  return {
    provider,
    ...(named !== undefined && provider === undefined ? { unknown: named } : {}),
    disabled: lastOf(entries.map(({ disabled }) => disabled)) ?? false,
    ...(provider?.samples
      ? { sampling: undefined, from: { by: 'provider' } }
      : (lastOf(entries.map(({ sampling }) => sampling)) ?? samplingOf(configuration, deciding))),
  }
}

/** What a Telemetry says; later ones replace earlier ones field by field. */
interface Entry {
  provider: string | undefined
  disabled: boolean | undefined
  sampling: Pick<Effective, 'sampling' | 'from'> | undefined
}

function entriesOf({ metadata, spec }: KubeObject, mode: 'CLIENT' | 'SERVER'): Entry[] {
  const { namespace = '', name } = metadata
  const all = listOf(mapOf(spec).tracing).map(mapOf)
  const fitting = all.filter(({ match }) => {
    const only = textOf(mapOf(match).mode)
    return only === undefined || only === 'CLIENT_AND_SERVER' || only === mode
  })
  return fitting.map(({ providers, disableSpanReporting, randomSamplingPercentage: percent }) => ({
    // istiod takes the first one.
    provider: listOf(providers).map((one) => textOf(mapOf(one).name))[0],
    disabled: typeof disableSpanReporting === 'boolean' ? disableSpanReporting : undefined,
    sampling:
      typeof percent === 'number' ? { sampling: percent, from: { by: 'telemetry', namespace, name } } : undefined,
  }))
}

/** Where no Telemetry says it. */
function samplingOf({ sampling }: TracingConfiguration, { ofIstiod }: Deciding): Pick<Effective, 'sampling' | 'from'> {
  if (sampling !== undefined) return { sampling, from: { by: 'mesh' } }
  const variable = Number(ofIstiod)
  const isSet = ofIstiod !== '' && variable >= 0 && variable <= 100
  return isSet ? { sampling: variable, from: { by: 'istiod' } } : { sampling: DEFAULT, from: { by: 'default' } }
}

function lastOf<T>(values: readonly (T | undefined)[]): T | undefined {
  return values.findLast((one) => one !== undefined)
}

/** Whether spans are made at all. */
export function isTraced({ provider, disabled }: Effective): boolean {
  return provider !== undefined && !disabled
}

/** Whether a Telemetry is for all workloads of its namespace. */
export function isForAll({ spec }: KubeObject): boolean {
  const { selector, targetRef, targetRefs } = mapOf(spec)
  return (
    Object.keys(mapOf(mapOf(selector).matchLabels)).length === 0 && !isMap(targetRef) && listOf(targetRefs).length === 0
  )
}

/** Those for all workloads of a namespace, the one that istiod uses first: the oldest, and of equally old ones the first by name. */
export function forAllIn(namespace: string, telemetries: readonly KubeObject[]): KubeObject[] {
  const created = ({ metadata }: KubeObject) => textOf(metadata.creationTimestamp) ?? ''
  return telemetries
    .filter((one) => one.metadata.namespace === namespace && isForAll(one))
    .toSorted((a, b) => created(a).localeCompare(created(b)) || a.metadata.name.localeCompare(b.metadata.name))
}
