/** Kiali's links to the other add-ons: set in its ConfigMap with a record for undo; then Kiali restarts. */
import { createHash } from 'node:crypto'
import { applyChanges, type Change, planChanges } from '../changes/changes.ts'
import { type Fragments, oursIn, reverting } from '../changes/edits.ts'
import { type ObjectEdit, planEdit } from '../changes/object-edits.ts'
import { whyNotEdited } from '../changes/reach.ts'
import { readable } from '../changes/splices.ts'
import type { RestoreStep } from '../changes/undo.ts'
import type { Cluster, KubeObject } from '../cluster/cluster.ts'
import { type ConfigMap, type Deployment, isStaying, matchesSelector, type Service } from '../cluster/objects.ts'
import { EXPOSING } from '../cluster/ownership.ts'
import { readable as ifPermitted } from '../cluster/reading.ts'
import { CONFIG_MAPS, DEPLOYMENTS, SERVICES } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import { type Finding, notes } from '../findings.ts'
import { restart } from '../manifests/restart.ts'
import { mapOf, textOf } from '../shapes.ts'
import { imageOf } from '../workloads/image.ts'
import type { FoundAddon } from './find.ts'
import { jaegerAddress, jaegerIn } from './jaeger.ts'
import {
  isLinkable,
  type JaegerAddress,
  type Linking,
  type LinkSettings,
  linked,
  recordedSettings,
  settingsIn,
  unlinked,
} from './links.ts'

const FILE = 'config.yaml'

/** The values that kubectl telemetry set in the text, kept in the record of the edit. */
interface Links {
  /** URLs by add-on. */
  urls: Record<string, string>
  /** What was set; a record of the version that only set `external_url` lacks it. */
  settings: LinkSettings
  /** The name of Kiali's Deployment, which reads the configuration when it starts. */
  deployment: string
}

const FRAGMENT = 'kiali-links'

/** Removes the links from a configuration that was edited since. */
const LINK_FRAGMENTS: Fragments = {
  [FRAGMENT]: (present, before, ours) => {
    try {
      const { settings, urls } = mapOf(ours)
      return unlinked(textOf(present) ?? '', textOf(before) ?? '', recordedSettings(settings, urls))
    } catch {
      // A text that is not YAML any more has no links for Kiali either: it is the user's.
      return present
    }
  },
}

/**
 * @param urls by add-on, for browsers
 * @throws UserError LINK_IMPOSSIBLE when Kiali's configuration is not in a ConfigMap of its own
 */
export async function planLinks(
  { service, namespace }: FoundAddon,
  urls: Record<string, string>,
  cluster: Cluster,
): Promise<{ changes: Change[]; warnings: Finding[] }> {
  const deployments = await cluster.list<Deployment>(DEPLOYMENTS, { namespace })
  const deployment = deployments.find(
    (one) => isStaying(one) && matchesSelector(one.spec.template, service.spec.selector),
  )
  const configMap = deployment && (await findConfiguration(deployment, namespace, cluster))
  if (deployment === undefined || configMap === undefined)
    throw impossible(namespace, 'its Deployment mounts no ConfigMap with a config.yaml')
  if ((configMap.metadata.ownerReferences as unknown[] | undefined)?.length)
    throw impossible(namespace, `an operator manages ConfigMap ${configMap.metadata.name} and would undo the change`)

  const wanted = Object.fromEntries(Object.entries(urls).filter(([name]) => isLinkable(name)))
  const jaeger = await jaegerBeside(namespace, wanted.tracing, cluster)
  const linking = { urls: wanted, version: versionOf(deployment), jaeger }
  const edits = (object: KubeObject) => editsOf(object, linking, deployment.metadata.name)
  const [edit] = edits(configMap)
  const text = String(edit?.value)
  const { settings, hidden } = settingsIn(originalOf(configMap), linking)
  const mark = createHash('sha256').update(text).digest('hex').slice(0, 12)
  const restarting = restart({ name: deployment.metadata.name, namespace }, mark)
  const about = settings.tracing?.enabled ? { about: 'switches tracing on, with Jaeger' } : {}
  const edited = planEdit({
    resource: CONFIG_MAPS,
    object: configMap,
    edits,
    part: EXPOSING,
    fragments: LINK_FRAGMENTS,
  })
  const changes = [
    ...edited.map((change) => ({ ...change, ...about })),
    ...planChanges(
      [{ resource: DEPLOYMENTS, manifest: restarting, by: 'sharing', restarts: true }],
      [deployment],
      EXPOSING,
    ),
  ]
  return { changes, warnings: hiddenLinks(hidden, namespace) }
}

/**
 * The Jaeger that this Kiali shall ask. Only in Kiali's own namespace: a tenant's must not become its source.
 * @param page its address for browsers, with the path of its pages
 */
async function jaegerBeside(
  namespace: string,
  page: string | undefined,
  cluster: Cluster,
): Promise<JaegerAddress | undefined> {
  if (page === undefined) return undefined
  const services = (await ifPermitted(cluster.list<Service>(SERVICES, { namespace }))) ?? []
  const found = jaegerIn(namespace, services)
  return found && jaegerAddress(found, new URL(page).pathname.replace(/\/$/, ''))
}

/** The first number of the tag of Kiali's image; undefined for a digest, and for tags such as `latest` and `nightly`. */
function versionOf({ spec }: Deployment): number | undefined {
  const image = spec.template.spec.containers.map(imageOf).find((one) => one?.name.startsWith('kiali'))
  const [, major] = /^v?(\d+)\.\d/.exec(image?.tag ?? '') ?? []
  return major === undefined ? undefined : Number(major)
}

/** The text without the links of an earlier run. */
function originalOf(object: KubeObject): string {
  const original = reverting(object, EXPOSING, LINK_FRAGMENTS)?.values ?? object
  return (original as ConfigMap).data?.[FILE] ?? ''
}

/** The text with the links of this run, and without those of an earlier run. */
function editsOf(object: KubeObject, linking: Linking, deployment: string): ReturnType<ObjectEdit['edits']> {
  const text = originalOf(object)
  const what = `${FILE} in ConfigMap ${object.metadata.namespace}/${object.metadata.name}`
  const { settings } = settingsIn(text, linking)
  const value = readable(what, () => linked(text, settings))
  const ours: Links = { urls: linking.urls, settings, deployment }
  return [{ path: ['data', FILE], value, fragment: FRAGMENT, ours }]
}

/** The step that restores Kiali's configuration and restarts Kiali with it. @param configMap its metadata is enough */
export function restoreLinks(configMap: KubeObject, cluster: Cluster): RestoreStep {
  const { namespace = '' } = configMap.metadata
  const deployment = restartedBy(configMap)
  const { kind, group } = DEPLOYMENTS
  return {
    does: 'restore',
    resource: CONFIG_MAPS,
    object: configMap,
    changes: [],
    fragments: LINK_FRAGMENTS,
    consequences: deployment === undefined ? [] : [{ kind, group, namespace, name: deployment }],
    restart: async (progress) => {
      const running = deployment && (await cluster.get(DEPLOYMENTS, { name: deployment, namespace }))
      // The record may have been written by anybody: restarting must not remove fields that no restart of ours has set.
      if (!running || whyNotEdited(running, EXPOSING) !== undefined) return
      const manifest = restart({ name: running.metadata.name, namespace })
      const changes = planChanges([{ resource: DEPLOYMENTS, manifest, by: 'sharing' }], [running], EXPOSING)
      await applyChanges(cluster, changes, progress)
    },
  }
}

const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/

/** The Deployment that restarts when the links are removed. */
function restartedBy(configMap: KubeObject): string | undefined {
  const deployment = textOf(linksIn(configMap).deployment)
  return deployment !== undefined && NAME.test(deployment) ? deployment : undefined
}

/** The add-ons to which kubectl telemetry set links in a ConfigMap of Kiali. */
export function linkedAddons(configMap: KubeObject): string[] {
  return Object.keys(mapOf(linksIn(configMap).urls))
}

/** As anybody may have written it. */
function linksIn(configMap: KubeObject): Partial<Record<keyof Links, unknown>> {
  return mapOf(oursIn(configMap, EXPOSING, FRAGMENT))
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

function impossible(namespace: string, why: string): UserError {
  return new UserError('LINK_IMPOSSIBLE', `cannot add links to Kiali in namespace ${namespace}: ${why}`, {
    suggestions: [
      'leave out --link',
      'set external_services.grafana.external_url in the values of the Kiali installation',
    ],
  })
}

function hiddenLinks(names: string[], namespace: string): Finding[] {
  return names.map((name) =>
    notes(
      'LINK_HIDDEN',
      `Kiali in namespace ${namespace} has ${name} switched off (external_services.${name}.enabled), so it shows no link to it`,
      'https://kiali.io/docs/configuration/',
    ),
  )
}
