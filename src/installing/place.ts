/** A sample as it is written: in the chosen namespace, with our labels, and with the addresses of the add-ons that exist. Pure. */
import { createHash } from 'node:crypto'
import { withEntries } from '../changes/yaml-text.ts'
import type { KubeObject } from '../cluster/cluster.ts'
import { installedLabels } from '../cluster/ownership.ts'
import { mapOf, textOf } from '../shapes.ts'
import { valuesInYaml } from '../yaml-reading.ts'
import { hasNamespace, type SampleObject } from './samples.ts'

/** Every sample names this namespace. */
export const SAMPLES_NAMESPACE = 'istio-system'

export interface Place {
  addon: string
  namespace: string
  /** Only for Kiali. */
  kiali: KialiFacts | undefined
}

/** URLs inside the cluster; left out for an add-on that does not exist. */
export interface KialiFacts {
  prometheus?: string | undefined
  grafana?: string | undefined
  jaeger?: string | undefined
  /** Signs Kiali's sessions. The sample has a published one. */
  signingKey: string
  /** The namespace of istiod. */
  rootNamespace: string
}

export function placed({ resource, manifest }: SampleObject, place: Place): SampleObject {
  const { addon, namespace } = place
  const inPlace = textsMoved(withoutNulls(manifest), namespace) as KubeObject
  const { metadata } = inPlace
  const labels = { ...metadata.labels, ...installedLabels(namespace, addon) }
  const where = hasNamespace(resource) ? { namespace } : {}
  const object = { ...inPlace, metadata: { ...metadata, ...where, labels } }
  const { kiali } = place
  const isConfiguration =
    addon === 'kiali' && manifest.kind === 'ConfigMap' && metadata.name === 'kiali' && kiali !== undefined
  return { resource, manifest: isConfiguration ? withKiali(object, namespace, kiali) : object }
}

/** Server-side apply would own fields that are null. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, inner]) => (inner === null ? [] : [[name, withoutNulls(inner)]])),
  )
}

/** The subjects of bindings, and Loki's own addresses in its configuration. Kiali's configuration is set field by field. */
function textsMoved(value: unknown, namespace: string): unknown {
  if (namespace === SAMPLES_NAMESPACE) return value
  if (Array.isArray(value)) return value.map((item) => textsMoved(item, namespace))
  if (typeof value === 'string') return value.replaceAll(`.${SAMPLES_NAMESPACE}.svc`, `.${namespace}.svc`)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => {
      const isName = name === 'namespace' && inner === SAMPLES_NAMESPACE
      return [name, isName ? namespace : textsMoved(inner, namespace)]
    }),
  )
}

const CONFIGURATION = 'config.yaml'

/** https://kiali.io/docs/configuration/kialis.kiali.io/: the names of Kiali 2. */
function withKiali(object: KubeObject, namespace: string, kiali: KialiFacts): KubeObject {
  const { prometheus, grafana, jaeger, signingKey, rootNamespace } = kiali
  const values: [string, unknown][] = [
    ['deployment.namespace', namespace],
    ['external_services.istio.root_namespace', rootNamespace],
    ['login_token.signing_key', signingKey],
    ['external_services.prometheus.url', prometheus],
    ['external_services.grafana.enabled', grafana !== undefined],
    ['external_services.grafana.internal_url', grafana],
    ['external_services.tracing.enabled', jaeger !== undefined],
    ['external_services.tracing.provider', jaeger && 'jaeger'],
    ['external_services.tracing.internal_url', jaeger],
  ]
  const entries = values.flatMap(([path, value]) => (value === undefined ? [] : [{ path: path.split('.'), value }]))
  const data = mapOf(object.data)
  const text = withEntries(textOf(data[CONFIGURATION]), entries, `${CONFIGURATION} of Kiali's sample`)
  return { ...object, data: { ...data, [CONFIGURATION]: text } }
}

const CHECKSUM = 'checksum/config'

/** Kiali reads its configuration only when it starts. Its chart, of which the sample is made, restarts it by the same annotation. */
export function withChecksum(objects: SampleObject[]): SampleObject[] {
  const configuration = objects
    .filter(({ manifest }) => manifest.kind === 'ConfigMap')
    .map(({ manifest }) => mapOf(manifest.data)[CONFIGURATION])
  return objects.map((one) => {
    const spec = mapOf(one.manifest.spec)
    const template = mapOf(spec.template)
    const metadata = mapOf(template.metadata)
    const annotations = mapOf(metadata.annotations)
    if (one.manifest.kind !== 'Deployment' || annotations[CHECKSUM] === undefined) return one
    const sum = createHash('sha256').update(configuration.join('\n')).digest('hex')
    const marked = { ...template, metadata: { ...metadata, annotations: { ...annotations, [CHECKSUM]: sum } } }
    return { ...one, manifest: { ...one.manifest, spec: { ...spec, template: marked } } }
  })
}

/** The signing key of an installed Kiali; undefined for the sample's, and for what Kiali would refuse. */
export function signingKeyIn(configMap: KubeObject | undefined): string | undefined {
  const values = valuesInYaml(textOf(mapOf(configMap?.data)[CONFIGURATION]))
  const key = textOf(mapOf(mapOf(values).login_token).signing_key)
  return key !== undefined && /^[0-9a-f]{32}$/.test(key) ? key : undefined
}
