/** What changes in a pod template: fields that nobody has, so that rollouts keep them and an empty apply takes them away. Pure. */
import { appliedFields, changedForScraping, type FieldSet } from '../cluster/ownership.ts'
import { typeOf } from '../cluster/resources.ts'
import type { Writing } from './plan.ts'
import type { Skip, Workload, WorkloadObject } from './workload.ts'

/** What Istio's injector and agent read: https://istio.io/latest/docs/reference/config/annotations/ */
export const PROXY_CONFIG = 'proxy.istio.io/config'

export interface TemplateChange {
  annotations: Record<string, string>
  /** Variables of the proxy, as `proxy.istio.io/config` has them. */
  proxyMetadata?: Record<string, string>
  /** Variables of the container itself, where nobody injects it. */
  env?: { container: string; variables: Record<string, string> }
}

export function planTemplate({ resource, object }: Workload, change: TemplateChange): Writing | { skip: Skip } {
  const { annotations, proxyMetadata = {}, env } = change
  const { name, namespace } = object.metadata
  const said = Object.entries(proxyMetadata)
  const config = said.length === 0 ? {} : { [PROXY_CONFIG]: proxyConfig(said) }
  const wanted = { ...config, ...annotations }
  const taken = Object.keys(wanted).find((one) => isOthers(object, one))
  if (taken !== undefined)
    return { skip: { code: 'ANNOTATED', reason: `its pod template has an annotation ${taken} of its own` } }
  const variables = Object.entries(env?.variables ?? {}).map(([name, value]) => ({ name, value }))
  const manifest = {
    ...typeOf(resource),
    metadata: { name, ...(namespace === undefined ? {} : { namespace }), labels: changedForScraping() },
    spec: {
      template: {
        metadata: { annotations: wanted },
        ...(env === undefined ? {} : { spec: { containers: [{ name: env.container, env: variables }] } }),
      },
    },
  }
  return { resource, manifest, by: 'sharing', saying: 'restart' }
}

function proxyConfig(variables: [string, string][]): string {
  return `proxyMetadata:\n${variables.map(([name, value]) => `  ${name}: "${value}"\n`).join('')}`
}

function isOthers(object: WorkloadObject, annotation: string): boolean {
  if (object.spec.template.metadata?.annotations?.[annotation] === undefined) return false
  const path = ['f:spec', 'f:template', 'f:metadata', 'f:annotations', `f:${annotation}`]
  const own = path.reduce<FieldSet | undefined>((fields, step) => fields?.[step], appliedFields(object))
  return own === undefined
}
