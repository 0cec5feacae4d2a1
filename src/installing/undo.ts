/** How an installation is undone: each object of the add-ons in the reverse order of their creation, the record last. */
import { planChanges } from '../changes/changes.ts'
import { whyNamespaceStays } from '../changes/namespaces.ts'
import type { FoundObject, Undo, UndoStep } from '../changes/undo.ts'
import type { Cluster, KubeObject } from '../cluster/cluster.ts'
import { isStaying } from '../cluster/objects.ts'
import { INSTALLING, installedAddon, isChangedBy, SCRAPING } from '../cluster/ownership.ts'
import { listOwned } from '../cluster/reading.ts'
import { CONFIG_MAPS, NAMESPACES } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import type { Clock } from '../time/clock.ts'
import { SAMPLES, type Sample } from './catalog.ts'
import { isGone } from './deleted.ts'
import { findObjects, namesIn } from './installed.ts'
import { findCreated } from './namespace.ts'
import { type Installation, installationIn, RECORD, recordManifest } from './record.ts'
import type { SampleFiles } from './samples.ts'

export interface UninstallRequest {
  samples: readonly Sample[]
  /** `-n`; every namespace with a record when left out. */
  namespace?: string | undefined
}

export interface PackagedSamples {
  samples: SampleFiles
}

type Needs = { cluster: Cluster; clock: Clock } & PackagedSamples

/** An installation in one namespace. */
interface Installed {
  namespace: string
  /** Left out when somebody deleted it. */
  record?: KubeObject
  /** The namespace, where `addons install` created it. */
  creation?: FoundObject
  /** In the order of their creation. */
  objects: (FoundObject & { addon: string })[]
}

/**
 * Only objects that have our labels and a name of a packaged sample or of the record are deleted, and those without a namespace only if
 * their labels name this one: a tenant may write a record of its own.
 * @throws UserError ADDON_IN_USE from `plan`
 */
export function undoInstallation(request: UninstallRequest, needs: Needs): Undo {
  return {
    part: INSTALLING,
    plan: async () => {
      const installed = await findInstalled(request, needs)
      requireUnscraped(installed)
      return { steps: installed.flatMap((one) => stepsOf(one, request, needs.cluster)), warnings: [] }
    },
    remaining: async (tried) => {
      const found = await findInstalled(request, needs)
      const isTried = ({ object: { metadata } }: FoundObject) => tried.has(metadata.uid ?? '')
      const namespaces = found.flatMap(({ creation }) => (creation === undefined ? [] : [creation])).filter(isTried)
      const ended = await Promise.all(namespaces.map((one) => isGone(one, needs.cluster, needs.clock)))
      return [
        ...found.flatMap(({ objects }) => objects).filter(isTried),
        ...namespaces.filter((_, index) => !ended[index]),
      ]
    },
    question: (objects) => `Uninstall these ${objects}?`,
  }
}

async function findInstalled({ samples, namespace }: UninstallRequest, needs: Needs): Promise<Installed[]> {
  const { cluster } = needs
  const within = namespace === undefined ? {} : { namespace }
  const [owned, created] = await Promise.all([
    listOwned(cluster, CONFIG_MAPS, INSTALLING, within),
    findCreated(namespace, cluster),
  ])
  const records = owned.filter(({ metadata }) => metadata.name === RECORD)
  // Without a record the labels still say in which namespace they were installed.
  const namespaces = new Set([
    ...owned.map(({ metadata }) => metadata.namespace ?? ''),
    ...created.map(({ metadata }) => metadata.name),
    ...(namespace === undefined ? [] : [namespace]),
  ])
  const names = await namesIn(samples, needs.samples)
  return Promise.all(
    [...namespaces].map(async (place) => {
      const record = records.find(({ metadata }) => metadata.namespace === place)
      const objects = await findObjects({ samples, names, namespace: place, record }, cluster)
      const object = created.find(({ metadata }) => metadata.name === place)
      const creation = object && { resource: NAMESPACES, object }
      const known = { ...(record === undefined ? {} : { record }), ...(creation === undefined ? {} : { creation }) }
      return { namespace: place, ...known, objects }
    }),
  )
}

function stepsOf(installed: Installed, { samples }: UninstallRequest, cluster: Cluster): UndoStep[] {
  const { objects, creation } = installed
  const going = samples.map(({ name }) => name)
  const left = Object.entries(installationIn(installed.record)).filter(([name]) => !going.includes(name))
  const deletions = objects.toReversed().map(({ resource, object }): UndoStep => ({ does: 'delete', resource, object }))
  const steps = [...deletions, ...recordSteps(installed, Object.fromEntries(left))]
  if (creation === undefined || !isStaying(creation.object) || left.length > 0) return steps
  const unless = () => whyNamespaceStays(creation.object, cluster)
  return [...steps, { does: 'delete', ...creation, effect: ', if nothing else is in it', unless }]
}

/** @param left the add-ons that stay installed */
function recordSteps({ namespace, record }: Installed, left: Installation): UndoStep[] {
  if (record === undefined || !isStaying(record)) return []
  const count = Object.keys(left).length
  if (count === 0) return [{ does: 'delete', resource: CONFIG_MAPS, object: record }]
  if (count === Object.keys(installationIn(record)).length) return []
  const manifest = recordManifest(namespace, left)
  const [change] = planChanges([{ resource: CONFIG_MAPS, manifest }], [record], INSTALLING)
  // Reading does not show which keys an apply of fewer keys removes.
  return change === undefined ? [] : [{ does: 'change', change: { ...change, action: 'configured' } }]
}

/** @throws UserError ADDON_IN_USE: Istio's workloads would stay changed for a Prometheus that is gone */
function requireUnscraped(installed: readonly Installed[]): void {
  const scraping = installed.flatMap(({ objects }) => objects).find(({ object }) => isChangedBy(object, SCRAPING))
  if (scraping === undefined) return
  const message = `nothing was uninstalled: ${scraping.addon} scrapes over mutual TLS`
  throw new UserError('ADDON_IN_USE', message, { suggestions: ['kubectl telemetry cleanup --scraping   # first'] })
}

/** The names by which `expose` knows the add-ons of these objects. */
export function exposedNames(objects: readonly KubeObject[]): string[] {
  const installed = objects.map(installedAddon)
  const samples = SAMPLES.filter(({ name }) => installed.includes(name))
  return [...new Set(samples.map(({ name, exposedAs = name }) => exposedAs))]
}
