/** Kiali's links to the other add-ons: set in its ConfigMap, with what is needed to undo it kept beside them, and Kiali restarted. */
import { createHash } from 'node:crypto'
import { type Change, planChanges } from '../changes/changes.ts'
import type { Progress } from '../changes/progress.ts'
import type { Cluster, KubeObject, ObjectName } from '../cluster/cluster.ts'
import { type ConfigMap, type Deployment, matchesSelector } from '../cluster/objects.ts'
import { RESTARTER } from '../cluster/ownership.ts'
import { CONFIG_MAPS, DEPLOYMENTS } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import { restart } from '../manifests/restart.ts'
import type { Warning } from '../world.ts'
import type { FoundAddon } from './find.ts'
import { disabledIn, isLinkable, linked, type Replaced, unlinked } from './links.ts'

const FILE = 'config.yaml'
/** Marks a ConfigMap that has links of ours. */
export const LINKED_LABEL = 'kubectl-telemetry/linked'
const RECORD = 'kubectl-telemetry/before-link'

/** Kept in an annotation of the ConfigMap, so that any machine can undo it. */
interface BeforeLink {
  /** The text as it was, and who owned which field. */
  text: string
  managedFields: unknown[]
  urls: Record<string, string>
  replaced: Replaced
  /** Of the text that we wrote: to see whether somebody has edited it since. */
  digest: string
  deployment: string
}

/**
 * @param urls by add-on: where browsers find it
 * @throws UserError LINK_IMPOSSIBLE when Kiali's configuration is not in a ConfigMap of its own
 */
export async function planLinks(
  { service, namespace }: FoundAddon,
  urls: Record<string, string>,
  cluster: Cluster,
): Promise<{ changes: Change[]; warnings: Warning[] }> {
  const deployments = await cluster.list<Deployment>(DEPLOYMENTS, { namespace })
  const deployment = deployments.find(({ spec }) => matchesSelector(spec.template, service.spec.selector))
  const configMap = deployment && (await findConfiguration(deployment, namespace, cluster))
  if (deployment === undefined || configMap === undefined)
    throw impossible(namespace, 'its Deployment mounts no ConfigMap with a config.yaml')
  if ((configMap.metadata.ownerReferences as unknown[] | undefined)?.length)
    throw impossible(namespace, `an operator makes ConfigMap ${configMap.metadata.name}, and would undo it`)

  const wanted = Object.fromEntries(Object.entries(urls).filter(([name]) => isLinkable(name)))
  const { before, text } = withLinks(configMap, wanted, deployment.metadata.name)
  const marked = before.digest === recordOf(configMap)?.digest ? configMap : mark(configMap, text, before)
  const changes = planChanges(
    [
      { resource: CONFIG_MAPS, manifest: marked, by: 'replacing' as const },
      {
        resource: DEPLOYMENTS,
        manifest: restart({ name: deployment.metadata.name, namespace }, before.digest.slice(0, 12)),
        by: 'sharing' as const,
        manager: RESTARTER,
        saying: 'restart' as const,
      },
    ],
    [configMap, deployment],
  )
  return { changes, warnings: hiddenLinks(disabledIn(text, Object.keys(wanted)), namespace) }
}

/** The record is of the state before the first link, however often links are set. */
function withLinks(
  configMap: ConfigMap,
  urls: Record<string, string>,
  deployment: string,
): { before: BeforeLink; text: string } {
  const earlier = recordOf(configMap)
  const present = configMap.data?.[FILE] ?? ''
  const original = earlier === undefined ? present : restoredText(present, earlier)
  const { text, replaced } = linked(original, urls)
  const untouched = earlier === undefined || digestOf(present) === earlier.digest
  const managedFields = (untouched ? earlier?.managedFields : undefined) ?? configMap.metadata.managedFields ?? []
  return { text, before: { text: original, managedFields, urls, replaced, digest: digestOf(text), deployment } }
}

/** Gives the configuration back, restarts Kiali with it, and only then forgets: cut off anywhere, the next run finishes it. */
export async function unlink(cluster: Cluster, name: Required<ObjectName>, progress: Progress): Promise<void> {
  const present = await cluster.get<ConfigMap>(CONFIG_MAPS, name)
  const record = present && recordOf(present)
  if (present === undefined || record === undefined) return
  const text = restoredText(present.data?.[FILE] ?? '', record)
  const restored = await cluster.replace<ConfigMap>(CONFIG_MAPS, withText(present, text))
  progress.changed(`configmap/${name.name}`)
  const deployment = { name: record.deployment, namespace: name.namespace }
  if ((await cluster.get(DEPLOYMENTS, deployment)) !== undefined)
    await cluster.apply(DEPLOYMENTS, restart(deployment), { manager: RESTARTER })
  await cluster.replace(CONFIG_MAPS, unmark(restored, text === record.text ? record.managedFields : undefined))
}

/** The Deployment that is restarted when the links go. */
export function restartedBy(configMap: KubeObject): string | undefined {
  return recordOf(configMap)?.deployment
}

/** The add-ons that a ConfigMap of Kiali's has links of ours to. */
export function linkedAddons(configMap: KubeObject): string[] {
  return Object.keys(recordOf(configMap)?.urls ?? {})
}

/** Byte for byte as it was, unless somebody has edited it since. */
function restoredText(present: string, { text, urls, replaced, digest }: BeforeLink): string {
  return digestOf(present) === digest ? text : unlinked(present, urls, replaced)
}

async function findConfiguration(
  { spec }: Deployment,
  namespace: string,
  cluster: Cluster,
): Promise<ConfigMap | undefined> {
  const names = (spec.template.spec.volumes ?? []).flatMap(({ configMap }) => configMap?.name ?? [])
  const found = await Promise.all(names.map((name) => cluster.get<ConfigMap>(CONFIG_MAPS, { name, namespace })))
  return found.find((configMap) => configMap?.data?.[FILE] !== undefined)
}

function mark(configMap: ConfigMap, text: string, record: BeforeLink): ConfigMap {
  const { labels, annotations, ...metadata } = configMap.metadata
  return {
    ...withText(configMap, text),
    metadata: {
      ...metadata,
      labels: { ...labels, [LINKED_LABEL]: 'true' },
      annotations: { ...annotations, [RECORD]: JSON.stringify(record) },
    },
  }
}

/** @param managedFields who owned which field before; the API server takes them as they are given */
function unmark(configMap: ConfigMap, managedFields: unknown[] | undefined): ConfigMap {
  const { labels = {}, annotations = {}, ...metadata } = configMap.metadata
  const without = (entries: Record<string, string>, name: string) => {
    const { [name]: _, ...rest } = entries
    return rest
  }
  return {
    ...configMap,
    metadata: {
      ...metadata,
      labels: without(labels, LINKED_LABEL),
      annotations: without(annotations, RECORD),
      ...(managedFields === undefined ? {} : { managedFields }),
    },
  }
}

function withText(configMap: ConfigMap, text: string): ConfigMap {
  return { ...configMap, data: { ...configMap.data, [FILE]: text } }
}

function recordOf({ metadata }: KubeObject): BeforeLink | undefined {
  const text = metadata.annotations?.[RECORD]
  return text === undefined ? undefined : (JSON.parse(text) as BeforeLink)
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function impossible(namespace: string, why: string): UserError {
  return new UserError('LINK_IMPOSSIBLE', `Kiali in namespace ${namespace} cannot be given links: ${why}`, {
    suggestions: [
      'leave --link out',
      'set external_services.grafana.external_url in the values that Kiali is installed with',
    ],
  })
}

function hiddenLinks(names: string[], namespace: string): Warning[] {
  return names.map((name) => ({
    code: 'LINK_HIDDEN',
    message: `Kiali in namespace ${namespace} has ${name} switched off (external_services.${name}.enabled), so it shows no link to it`,
    remedy: 'https://kiali.io/docs/configuration/',
  }))
}
