/** How an installation is undone: each object of the add-ons in the reverse order of their creation, the record last. */
import { planChanges } from '../changes/changes.ts'
import type { FoundObject, Undo, UndoStep } from '../changes/undo.ts'
import type { Cluster, KubeObject } from '../cluster/cluster.ts'
import { isStaying } from '../cluster/objects.ts'
import { INSTALLING, installedAddon, isChangedBy, isInstalled, SCRAPING } from '../cluster/ownership.ts'
import { listOwned, readable } from '../cluster/reading.ts'
import { CONFIG_MAPS } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import { SAMPLES, type Sample } from './catalog.ts'
import { placeOf } from './plan.ts'
import { installationIn, RECORD, recordManifest } from './record.ts'
import { objectsIn, type SampleFiles } from './samples.ts'

export interface UninstallRequest {
  samples: readonly Sample[]
  /** `-n`; every namespace with a record when left out. */
  namespace?: string | undefined
}

export interface PackagedSamples {
  samples: SampleFiles
}

type Needs = { cluster: Cluster } & PackagedSamples

/** An installation in one namespace. */
interface Installed {
  namespace: string
  /** Left out when somebody deleted it. */
  record?: KubeObject
  /** In the order of their creation. */
  objects: (FoundObject & { addon: string })[]
}

/**
 * Only objects with a name of the samples and with our labels are deleted, and those without a namespace only if they name this one: a
 * tenant may write a record of its own.
 * @throws UserError ADDON_IN_USE from `plan`
 */
export function undoInstallation(request: UninstallRequest, needs: Needs): Undo {
  return {
    part: INSTALLING,
    plan: async () => {
      const installed = await findInstalled(request, needs)
      requireUnscraped(installed)
      return { steps: installed.flatMap((one) => stepsOf(one, request)), warnings: [] }
    },
    remaining: async (tried) => {
      const found = await findInstalled(request, needs)
      return found.flatMap(({ objects }) => objects).filter(({ object }) => tried.has(object.metadata.uid ?? ''))
    },
    question: (objects) => `Uninstall these ${objects}?`,
  }
}

async function findInstalled({ samples, namespace }: UninstallRequest, needs: Needs): Promise<Installed[]> {
  const { cluster } = needs
  const within = namespace === undefined ? {} : { namespace }
  const owned = await listOwned(cluster, CONFIG_MAPS, INSTALLING, within)
  const records = owned.filter(({ metadata }) => metadata.name === RECORD)
  // Without a record the labels still say in which namespace they were installed.
  const namespaces = new Set([
    ...owned.map(({ metadata }) => metadata.namespace ?? ''),
    ...(namespace === undefined ? [] : [namespace]),
  ])
  const names = await namesIn(samples, needs)
  return Promise.all(
    [...namespaces].map(async (place) => {
      const record = records.find(({ metadata }) => metadata.namespace === place)
      const found = await Promise.all(
        names.map(async ({ addon, resource, manifest }) => {
          const object = await readable(cluster.get(resource, placeOf(resource, manifest, place)))
          return object !== undefined && isInstalled(object, addon, place) ? [{ addon, resource, object }] : []
        }),
      )
      return { namespace: place, ...(record === undefined ? {} : { record }), objects: found.flat() }
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

function stepsOf({ namespace, record, objects }: Installed, { samples }: UninstallRequest): UndoStep[] {
  const going = samples.map(({ name }) => name)
  const deletions = objects.toReversed().map(({ resource, object }): UndoStep => ({ does: 'delete', resource, object }))
  if (record === undefined || !isStaying(record)) return deletions
  const entries = Object.entries(installationIn(record))
  const left = entries.filter(([name]) => !going.includes(name))
  if (left.length === 0) return [...deletions, { does: 'delete', resource: CONFIG_MAPS, object: record }]
  if (left.length === entries.length) return deletions
  const manifest = recordManifest(namespace, Object.fromEntries(left))
  const [change] = planChanges([{ resource: CONFIG_MAPS, manifest }], [record], INSTALLING)
  // Reading does not show which keys an apply of fewer keys removes.
  return change === undefined
    ? deletions
    : [...deletions, { does: 'change', change: { ...change, action: 'configured' } }]
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
