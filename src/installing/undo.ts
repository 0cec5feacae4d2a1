/** How an installation is undone: each object of the add-ons in the reverse order of their creation, the record last. */
import { planChanges } from '../changes/changes.ts'
import type { FoundObject, Undo, UndoStep } from '../changes/undo.ts'
import type { Cluster, KubeObject, Resource } from '../cluster/cluster.ts'
import { isStaying } from '../cluster/objects.ts'
import { INSTALLING, installedAddon, isChangedBy, isInstalled, SCRAPING } from '../cluster/ownership.ts'
import { listOwned, readable } from '../cluster/reading.ts'
import { CONFIG_MAPS, NAMESPACES } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import type { Clock } from '../time/clock.ts'
import { SAMPLES, type Sample } from './catalog.ts'
import { isGone } from './deleted.ts'
import { findCreated, whyKept } from './namespace.ts'
import { placeOf } from './plan.ts'
import { type Installation, installationIn, RECORD, recordManifest } from './record.ts'
import { objectsIn, type SampleFiles, titled } from './samples.ts'

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
  const names = await namesIn(samples, needs)
  return Promise.all(
    [...namespaces].map(async (place) => {
      const record = records.find(({ metadata }) => metadata.namespace === place)
      const found = await Promise.all(
        [...recordedIn(record, samples, names), ...names].map(async ({ addon, resource, manifest }) => {
          const object = await readable(cluster.get(resource, placeOf(resource, manifest, place)))
          return object !== undefined && isInstalled(object, addon, place) ? [{ addon, resource, object }] : []
        }),
      )
      const object = created.find(({ metadata }) => metadata.name === place)
      const creation = object && { resource: NAMESPACES, object }
      const known = { ...(record === undefined ? {} : { record }), ...(creation === undefined ? {} : { creation }) }
      return { namespace: place, ...known, objects: found.flat() }
    }),
  )
}

interface NamedObject {
  addon: string
  resource: Resource
  manifest: Pick<KubeObject, 'metadata'>
}

/** Names that a sample from elsewhere has. Anybody may have written the record, so they only say where to look for our labels. */
function recordedIn(
  record: KubeObject | undefined,
  samples: readonly Sample[],
  names: readonly NamedObject[],
): NamedObject[] {
  const installed = Object.entries(installationIn(record))
  return installed
    .filter(([addon]) => samples.some(({ name }) => name === addon))
    .flatMap(([addon, { objects }]) =>
      objects.flatMap((title) => {
        const found = titled(title)
        if (found === undefined) return []
        const { resource, name } = found
        const isKnown = names.some(
          (one) => one.addon === addon && one.resource === resource && one.manifest.metadata.name === name,
        )
        return isKnown ? [] : [{ addon, resource, manifest: { metadata: { name } } }]
      }),
    )
}

/** Names of the objects of all packaged versions. */
async function namesIn(samples: readonly Sample[], { samples: files }: Needs) {
  const versions = await files.versions()
  const read = samples.flatMap((sample) =>
    versions.map(async (version) =>
      objectsIn(await files.read(version, sample.file)).map((one) => ({ addon: sample.name, ...one })),
    ),
  )
  const all = (await Promise.all(read)).flat()
  return [
    ...new Map(all.map((one) => [`${one.addon} ${one.resource.kind} ${one.manifest.metadata.name}`, one])).values(),
  ]
}

function stepsOf(installed: Installed, { samples }: UninstallRequest, cluster: Cluster): UndoStep[] {
  const { objects, creation } = installed
  const going = samples.map(({ name }) => name)
  const left = Object.entries(installationIn(installed.record)).filter(([name]) => !going.includes(name))
  const deletions = objects.toReversed().map(({ resource, object }): UndoStep => ({ does: 'delete', resource, object }))
  const steps = [...deletions, ...recordSteps(installed, Object.fromEntries(left))]
  if (creation === undefined || !isStaying(creation.object) || left.length > 0) return steps
  const unless = () => whyKept(creation.object, cluster)
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
