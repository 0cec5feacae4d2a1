/** Kiali's links to the other add-ons: set in its ConfigMap with a record for undo; then Kiali restarts. */
import { createHash } from 'node:crypto'
import { applyChanges, type Change, planChanges } from '../changes/changes.ts'
import { type Fragments, oursIn, reverting } from '../changes/edits.ts'
import { type ObjectEdit, planEdit } from '../changes/object-edits.ts'
import { whyNotEdited } from '../changes/reach.ts'
import { readable } from '../changes/splices.ts'
import type { RestoreStep } from '../changes/undo.ts'
import type { Cluster, KubeObject } from '../cluster/cluster.ts'
import { type ConfigMap, type Deployment, isStaying, matchesSelector } from '../cluster/objects.ts'
import { EXPOSING } from '../cluster/ownership.ts'
import { CONFIG_MAPS, DEPLOYMENTS } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import { type Finding, notes } from '../findings.ts'
import { restart } from '../manifests/restart.ts'
import { mapOf, textOf } from '../shapes.ts'
import type { FoundAddon } from './find.ts'
import { disabledIn, isLinkable, linked, unlinked } from './links.ts'

const FILE = 'config.yaml'

/** The values that kubectl telemetry set in the text, kept in the record of the edit. */
interface Links {
  /** URLs by add-on. */
  urls: Record<string, string>
  /** The name of Kiali's Deployment, which reads the configuration when it starts. */
  deployment: string
}

const FRAGMENT = 'kiali-links'

/** Removes the links from a configuration that was edited since. */
const LINK_FRAGMENTS: Fragments = {
  [FRAGMENT]: (present, before, ours) => {
    try {
      return unlinked(textOf(present) ?? '', textOf(before) ?? '', textsIn(mapOf(ours).urls))
    } catch {
      // A text that is not YAML any more has no links for Kiali either: it is the user's.
      return present
    }
  },
}

function textsIn(map: unknown): Record<string, string> {
  const texts = Object.entries(mapOf(map)).filter((entry): entry is [string, string] => typeof entry[1] === 'string')
  return Object.fromEntries(texts)
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
  const edits = editsOf(wanted, deployment.metadata.name)
  const text = String(edits(configMap)[0]?.value)
  const mark = createHash('sha256').update(text).digest('hex').slice(0, 12)
  const restarting = restart({ name: deployment.metadata.name, namespace }, mark)
  const changes = [
    ...planEdit({ resource: CONFIG_MAPS, object: configMap, edits, part: EXPOSING, fragments: LINK_FRAGMENTS }),
    ...planChanges(
      [{ resource: DEPLOYMENTS, manifest: restarting, by: 'sharing', restarts: true }],
      [deployment],
      EXPOSING,
    ),
  ]
  return { changes, warnings: hiddenLinks(disabledIn(text, Object.keys(wanted)), namespace) }
}

/** The text with the links of this run, and without those of an earlier run. */
function editsOf(urls: Record<string, string>, deployment: string): ObjectEdit['edits'] {
  return (object) => {
    const original = reverting(object, EXPOSING, LINK_FRAGMENTS)?.values ?? object
    const what = `${FILE} in ConfigMap ${object.metadata.namespace}/${object.metadata.name}`
    const value = readable(what, () => linked((original as ConfigMap).data?.[FILE] ?? '', urls))
    return [{ path: ['data', FILE], value, fragment: FRAGMENT, ours: { urls, deployment } satisfies Links }]
  }
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
