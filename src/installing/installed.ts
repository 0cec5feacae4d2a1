/** Finds the objects of installed add-ons: those that have our labels and a name of a packaged sample or of the record. */
import type { FoundObject } from '../changes/undo.ts'
import type { Cluster, KubeObject, Resource } from '../cluster/cluster.ts'
import { isInstalled } from '../cluster/ownership.ts'
import { readable } from '../cluster/reading.ts'
import type { Sample } from './catalog.ts'
import { installationIn } from './record.ts'
import { objectsIn, placeOf, type SampleFiles, titled } from './samples.ts'

/** A name under which an object of an add-on may exist. */
export interface NamedObject {
  addon: string
  resource: Resource
  manifest: Pick<KubeObject, 'metadata'>
}

/** The names of the objects of all packaged versions, in the order of their creation. */
export async function namesIn(samples: readonly Sample[], files: SampleFiles): Promise<NamedObject[]> {
  const versions = await files.versions()
  const read = samples.flatMap((sample) =>
    versions.map(async (version) =>
      (await namesOf(version, sample.file, files)).map((one) => ({ addon: sample.name, ...one })),
    ),
  )
  const all = (await Promise.all(read)).flat()
  return [
    ...new Map(all.map((one) => [`${one.addon} ${one.resource.kind} ${one.manifest.metadata.name}`, one])).values(),
  ]
}

type Name = Omit<NamedObject, 'addon'>

/** Of the files that were read: they do not change while a command runs, and parsing all of them takes most of its time. */
const known = new WeakMap<SampleFiles, Map<string, Promise<Name[]>>>()

function namesOf(version: string, file: string, files: SampleFiles): Promise<Name[]> {
  const ofFiles = known.get(files) ?? new Map<string, Promise<Name[]>>()
  known.set(files, ofFiles)
  const path = `${version}/${file}`
  const names = ofFiles.get(path) ?? files.read(version, file).then(readNames)
  ofFiles.set(path, names)
  return names
}

function readNames(text: string): Name[] {
  return objectsIn(text).map(({ resource, manifest }) => ({
    resource,
    manifest: { metadata: { name: manifest.metadata.name } },
  }))
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

/** Where installed add-ons are looked for. */
export interface Where {
  samples: readonly Sample[]
  /** Of these samples, as `namesIn` reads them. */
  names: readonly NamedObject[]
  namespace: string
  record: KubeObject | undefined
}

/** In the order of their creation. An object that may not be read is left out. */
export async function findObjects(
  { samples, names, namespace, record }: Where,
  cluster: Cluster,
): Promise<(FoundObject & { addon: string })[]> {
  const found = await Promise.all(
    [...recordedIn(record, samples, names), ...names].map(async ({ addon, resource, manifest }) => {
      const object = await readable(cluster.get(resource, placeOf(resource, manifest, namespace)))
      return object !== undefined && isInstalled(object, addon, namespace) ? [{ addon, resource, object }] : []
    }),
  )
  return found.flat()
}
