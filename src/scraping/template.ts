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
  if (said.length > 0 && hasConfigOfOthers(object))
    return {
      skip: {
        code: 'PROXY_CONFIG_EXISTS',
        reason: `its pod template has the annotation ${PROXY_CONFIG} already; put ${said.map(([name]) => name).join(', ')} into it yourself`,
      },
    }
  const variables = Object.entries(env?.variables ?? {}).map(([name, value]) => ({ name, value }))
  const manifest = {
    ...typeOf(resource),
    metadata: { name, ...(namespace === undefined ? {} : { namespace }), labels: changedForScraping() },
    spec: {
      template: {
        metadata: { annotations: { ...config, ...annotations } },
        ...(env === undefined ? {} : { spec: { containers: [{ name: env.container, env: variables }] } }),
      },
    },
  }
  return { resource, manifest, by: 'sharing', saying: 'restart' }
}

function proxyConfig(variables: [string, string][]): string {
  return `proxyMetadata:\n${variables.map(([name, value]) => `  ${name}: "${value}"\n`).join('')}`
}

function hasConfigOfOthers(object: WorkloadObject): boolean {
  if (object.spec.template.metadata.annotations?.[PROXY_CONFIG] === undefined) return false
  const path = ['f:spec', 'f:template', 'f:metadata', 'f:annotations', `f:${PROXY_CONFIG}`]
  const own = path.reduce<FieldSet | undefined>((fields, step) => fields?.[step], appliedFields(object))
  return own === undefined
}
