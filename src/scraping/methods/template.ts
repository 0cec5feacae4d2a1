/**
 * What changes in a pod template: fields that nobody has, so that rollouts keep them and an empty apply takes them away. Where somebody
 * has such an annotation of his own, ours goes into it, with a record of what it was. Pure.
 */
import { type Edit, edited, isEdited, type Parts } from '../../changes/edits.ts'
import { type Entry, withEntries, withoutEntries } from '../../changes/yaml-text.ts'
import { appliedFields, changedForScraping, type FieldSet } from '../../cluster/ownership.ts'
import { typeOf } from '../../cluster/resources.ts'
import { UserError } from '../../errors.ts'
import type { Skip, Workload, WorkloadObject } from '../workload.ts'
import { LOCALHOST_ONLY, NATIVE_PORTS } from './native-ports.ts'
import type { Writing } from './planner.ts'

/** What Istio's injector and agent read: https://istio.io/latest/docs/reference/config/annotations/ */
export const PROXY_CONFIG = 'proxy.istio.io/config'
/** Ports that the kernel does not lead to Envoy's inbound listener. */
const EXCLUDED_PORTS = 'traffic.sidecar.istio.io/excludeInboundPorts'

export interface TemplateChange {
  annotations: Record<string, string>
  /** Variables of the proxy, as `proxy.istio.io/config` has them. */
  proxyMetadata?: Record<string, string>
  /** Ports that are not captured, beside those that are excluded already. */
  excludedPorts?: number[]
  /** Variables of the container itself, where nobody injects it. */
  env?: { container: string; variables: Record<string, string> }
}

/** How ours is taken out of a text that somebody has edited since. */
export const TEMPLATE_PARTS: Parts = {
  'proxy-metrics': (present, before) =>
    withoutEntries(present as string, before as string | undefined, entriesOf({ ...NATIVE_PORTS, ...LOCALHOST_ONLY })),
  'excluded-ports': (present, before) => {
    const theirs = portsOf(before as string | undefined)
    const ours = Object.values(NATIVE_PORTS)
    const left = portsOf(present as string).filter((port) => theirs.includes(port) || !ours.includes(port))
    return left.length === 0 && before === undefined ? undefined : left.join(',')
  },
}

export function planTemplate({ resource, object }: Workload, change: TemplateChange): Writing | { skip: Skip } {
  const wanted = annotationsOf(change)
  // Hardening, which may come later, needs the proxy's configuration, and what was applied by then cannot become a record.
  const taken = [...Object.keys(wanted), PROXY_CONFIG].find((one) => isOthers(object, one))
  if (taken === undefined && !isEdited(object)) {
    const { name, namespace } = object.metadata
    const manifest = {
      ...typeOf(resource),
      metadata: { name, ...(namespace === undefined ? {} : { namespace }), labels: changedForScraping() },
      spec: { template: { metadata: { annotations: wanted }, ...podSpecOf(change) } },
    }
    return { resource, manifest, by: 'sharing', saying: 'restart' }
  }
  // One object has either fields that we applied or a record: each would take the label of the other away.
  if (appliedFields(object) !== undefined)
    return skipped('ANNOTATED', `somebody has changed the annotation ${taken} of its pods since`)
  try {
    return {
      resource,
      manifest: edited(object, editsOf(object, change), TEMPLATE_PARTS),
      by: 'replacing',
      saying: 'restart',
    }
  } catch (error) {
    if (error instanceof UserError) return skipped(error.code, error.message)
    throw error
  }
}

function annotationsOf({
  annotations,
  proxyMetadata = {},
  excludedPorts = [],
}: TemplateChange): Record<string, string> {
  const variables = Object.entries(proxyMetadata)
  return {
    ...(variables.length === 0 ? {} : { [PROXY_CONFIG]: proxyConfig(variables) }),
    ...(excludedPorts.length === 0 ? {} : { [EXCLUDED_PORTS]: excludedPorts.join(',') }),
    ...annotations,
  }
}

function proxyConfig(variables: [string, string][]): string {
  return `proxyMetadata:\n${variables.map(([name, value]) => `  ${name}: "${value}"\n`).join('')}`
}

function podSpecOf({ env }: TemplateChange): object {
  if (env === undefined) return {}
  const variables = Object.entries(env.variables).map(([name, value]) => ({ name, value }))
  return { spec: { containers: [{ name: env.container, env: variables }] } }
}

/** @throws UserError YAML_INVALID (an annotation that is there) */
function editsOf(object: WorkloadObject, { annotations, proxyMetadata, excludedPorts, env }: TemplateChange): Edit[] {
  const present = object.spec.template.metadata?.annotations ?? {}
  const path = (name: string) => ['spec', 'template', 'metadata', 'annotations', name]
  const said = entriesOf(proxyMetadata ?? {})
  const config =
    said.length === 0 ? undefined : withEntries(present[PROXY_CONFIG], said, `its annotation ${PROXY_CONFIG}`)
  const excluded = excludedPorts && withPorts(present[EXCLUDED_PORTS], excludedPorts.map(String))
  const variables = Object.entries(env?.variables ?? {})
  const container = ['spec', 'template', 'spec', 'containers', { name: env?.container ?? '' }]
  return [
    ...(config === undefined ? [] : [{ path: path(PROXY_CONFIG), value: config, part: 'proxy-metrics' }]),
    ...(excluded === undefined ? [] : [{ path: path(EXCLUDED_PORTS), value: excluded, part: 'excluded-ports' }]),
    ...Object.entries(annotations).map(([name, value]) => ({ path: path(name), value })),
    ...variables.map(([name, value]) => ({ path: [...container, 'env', { name }], value: { name, value } })),
  ]
}

function entriesOf(variables: Record<string, string>): Entry[] {
  return Object.entries(variables).map(([name, value]) => ({ path: ['proxyMetadata', name], value }))
}

function withPorts(present: string | undefined, added: string[]): string {
  const ports = portsOf(present)
  const missing = added.filter((port) => !ports.includes(port))
  return missing.length === 0 ? (present ?? '') : [...ports, ...missing].join(',')
}

function portsOf(text = ''): string[] {
  return text
    .split(',')
    .map((port) => port.trim())
    .filter((port) => port !== '')
}

function isOthers(object: WorkloadObject, annotation: string): boolean {
  if (object.spec.template.metadata?.annotations?.[annotation] === undefined) return false
  const path = ['f:spec', 'f:template', 'f:metadata', 'f:annotations', `f:${annotation}`]
  const own = path.reduce<FieldSet | undefined>((fields, step) => fields?.[step], appliedFields(object))
  return own === undefined
}

function skipped(code: string, reason: string): { skip: Skip } {
  return { skip: { code, reason } }
}
