/**
 * The changes of a pod template. New fields are applied, so that rollouts keep them and an empty apply removes them. If the user has such an
 * annotation already, the new entries go into it, with a record of its value before. Pure.
 */
import type { Wanted } from '../../changes/changes.ts'
import { type Edit, edited, type Fragments, isEdited } from '../../changes/edits.ts'
import { type Entry, withEntries, withoutEntries } from '../../changes/yaml-text.ts'
import { appliedFields, changedLabels, type FieldSet, SCRAPING } from '../../cluster/ownership.ts'
import { typeOf } from '../../cluster/resources.ts'
import { UserError } from '../../errors.ts'
import type { WorkloadObject } from '../../workloads/workload-object.ts'
import { EXCLUDED_PORTS, portsOf } from '../injector.ts'
import { PROXY_CONFIG, type Skip, skipped, type Workload } from '../workload.ts'
import { LOCALHOST_ONLY, NATIVE_PORTS } from './native-ports.ts'

export interface TemplateChange {
  annotations: Record<string, string>
  /** Variables of the proxy, for `proxy.istio.io/config`. */
  proxyMetadata?: Record<string, string>
  /** Ports that must not be captured, in addition to the user's. */
  excludedPorts?: string[]
  /** Variables of the container, for a proxy that is not injected. */
  env?: { container: string; variables: Record<string, string> }
}

/** Removes our entries from a text that the user has edited after we did. */
export const TEMPLATE_FRAGMENTS: Fragments = {
  'proxy-metrics': (present, before) =>
    withoutEntries(present as string, before as string | undefined, entriesOf({ ...NATIVE_PORTS, ...LOCALHOST_ONLY })),
  'excluded-ports': (present, before) => {
    const portsBefore = portsOf(before as string | undefined)
    const addedPorts = Object.values(NATIVE_PORTS)
    const left = portsOf(present as string).filter((port) => portsBefore.includes(port) || !addedPorts.includes(port))
    return left.length === 0 && before === undefined ? undefined : left.join(',')
  },
}

export function planTemplate({ resource, object }: Workload, change: TemplateChange): Wanted | { skip: Skip } {
  const wanted = annotationsOf(change)
  // A later --harden needs the proxy's configuration, and applied fields cannot become a record then. So its annotation counts too.
  const taken = [...Object.keys(wanted), PROXY_CONFIG].find((one) => isOthers(object, one))
  if (taken === undefined && !isEdited(object, SCRAPING)) {
    const { name, namespace } = object.metadata
    const manifest = {
      ...typeOf(resource),
      metadata: { name, ...(namespace === undefined ? {} : { namespace }), labels: changedLabels(SCRAPING) },
      spec: { template: { metadata: { annotations: wanted }, ...podSpecOf(change) } },
    }
    return { resource, manifest, by: 'sharing', restarts: true }
  }
  // An object has either applied fields or a record, never both: each would remove the label of the other.
  if (appliedFields(object, SCRAPING) !== undefined)
    return skipped(
      'ANNOTATED',
      `the annotation ${taken} of its pods was changed by another field manager after scrape-secure ran`,
    )
  try {
    return {
      resource,
      manifest: edited(object, editsOf(object, change), SCRAPING, TEMPLATE_FRAGMENTS),
      by: 'replacing',
      restarts: true,
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

/** @throws UserError YAML_INVALID (an existing annotation) */
function editsOf(object: WorkloadObject, { annotations, proxyMetadata, excludedPorts, env }: TemplateChange): Edit[] {
  const present = object.spec.template.metadata?.annotations ?? {}
  const path = (name: string) => ['spec', 'template', 'metadata', 'annotations', name]
  const said = entriesOf(proxyMetadata ?? {})
  const config =
    said.length === 0 ? undefined : withEntries(present[PROXY_CONFIG], said, `its annotation ${PROXY_CONFIG}`)
  const excluded = excludedPorts && withPorts(present[EXCLUDED_PORTS], excludedPorts)
  const variables = Object.entries(env?.variables ?? {})
  const container = ['spec', 'template', 'spec', 'containers', { name: env?.container ?? '' }]
  return [
    ...(config === undefined ? [] : [{ path: path(PROXY_CONFIG), value: config, fragment: 'proxy-metrics' }]),
    ...(excluded === undefined ? [] : [{ path: path(EXCLUDED_PORTS), value: excluded, fragment: 'excluded-ports' }]),
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

/** Whether the pod template has an annotation that we did not apply. */
export function isOthers(object: WorkloadObject, annotation: string): boolean {
  if (object.spec.template.metadata?.annotations?.[annotation] === undefined) return false
  const path = ['f:spec', 'f:template', 'f:metadata', 'f:annotations', `f:${annotation}`]
  const own = path.reduce<FieldSet | undefined>((fields, step) => fields?.[step], appliedFields(object, SCRAPING))
  return own === undefined
}
