/** What the mesh configuration says about traces. Pure. */
import type { ConfigMap } from '../cluster/objects.ts'
import { meshOf } from '../gateways/mesh.ts'
import { isMap, listOf, mapOf, numberOf, textOf, textsOf } from '../shapes.ts'

/** Kinds of providers that take traces; other kinds are for logs, metrics or authorization. */
const KINDS = ['opentelemetry', 'zipkin', 'skywalking', 'datadog'] as const

export interface Provider {
  name: string
  /** `undefined` for a provider that takes no traces. */
  kind: (typeof KINDS)[number] | undefined
  /** `HOST` or `NAMESPACE/HOST`. */
  service: string
  port: number | undefined
  /** Whether the provider decides itself which requests are traced. */
  samples: boolean
}

/** What istiod reads of one ConfigMap. */
export interface TracingConfiguration {
  providers: Provider[]
  /** The provider where no Telemetry names one. */
  defaultProvider: string | undefined
  /** Percent, of `defaultConfig.tracing`; 0 and what is no number count as not set. */
  sampling: number | undefined
}

/** https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#MeshConfig-ExtensionProvider */
export function tracingIn(configMap: ConfigMap | undefined): TracingConfiguration {
  const { extensionProviders, defaultProviders, defaultConfig } = meshOf(configMap)
  const sampling = numberOf(mapOf(mapOf(defaultConfig).tracing).sampling ?? 0)
  return {
    providers: listOf(extensionProviders).flatMap((one) => providerIn(mapOf(one)) ?? []),
    // istiod takes the first one (`Tracing` in pilot/pkg/model/telemetry.go).
    defaultProvider: textsOf(mapOf(defaultProviders).tracing)[0],
    sampling: sampling === 0 || Number.isNaN(sampling) ? undefined : sampling > 100 ? 1 : sampling,
  }
}

function providerIn(provider: Record<string, unknown>): Provider | undefined {
  const name = textOf(provider.name)
  if (name === undefined) return undefined
  const kind = KINDS.find((one) => isMap(provider[one]))
  const { service, port, ...rest } = mapOf(kind === undefined ? undefined : provider[kind])
  const number = numberOf(port)
  return {
    name,
    kind,
    service: textOf(service) ?? '',
    port: Number.isInteger(number) ? number : undefined,
    samples: Object.keys(rest).some((field) => /sampler$/i.test(field)),
  }
}
