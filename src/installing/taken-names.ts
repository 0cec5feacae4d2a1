/** Names that two add-ons have: Jaeger's, Zipkin's and SkyWalking's Services are called `tracing`. With `--replace` one takes the place of another. */
import { type Change, planChanges } from '../changes/changes.ts'
import type { FoundObject } from '../changes/undo.ts'
import type { Cluster, KubeObject } from '../cluster/cluster.ts'
import {
  EXPOSING,
  INSTALLING,
  isChangedBy,
  isInstalled,
  isOwnedBy,
  OWNED,
  type Part,
  SCRAPING,
} from '../cluster/ownership.ts'
import { findIstioVersion, listIfServed } from '../cluster/reading.ts'
import { SERVICES, virtualServices } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import { type Finding, fails, notes } from '../findings.ts'
import { sh } from '../shell.ts'
import { SAMPLES } from './catalog.ts'
import { findObjects, namesIn } from './installed.ts'
import { installationIn } from './record.ts'
import { LOSS } from './replacing.ts'
import { hasNamespace, type SampleFiles, type SampleObject, titleOf } from './samples.ts'
import type { ReadSample } from './source/source.ts'
import { isWorkload } from './survey.ts'

/** An installed add-on that is uninstalled, because another one needs names that it has. */
export interface Replaced {
  name: string
  /** The add-on that takes its place. */
  by: string
  version?: string
  /** Deletions of its objects that the other does not have. */
  changes: Change[]
}

/** What the names are compared with. */
interface Scene {
  namespace: string
  /** The present objects that have the names of wanted ones. */
  present: readonly KubeObject[]
  record: KubeObject | undefined
  /** Names of installed add-ons that may be replaced. */
  replaceable: readonly string[]
}

/** @throws UserError REPLACED_IN_USE, and FORBIDDEN if it cannot be seen whether an add-on that would be replaced is exposed */
export async function planNames(
  written: readonly ReadSample[],
  scene: Scene,
  needs: Needs,
): Promise<{ refused: Map<string, Finding>; accepted: ReadSample[]; replaced: Replaced[] }> {
  const refused = refusalsIn(written, scene)
  const accepted = written.filter(({ sample }) => !refused.has(sample.name))
  return { refused, accepted, replaced: await planReplaced(accepted, scene, needs) }
}

interface Needs {
  cluster: Cluster
  samples: SampleFiles
}

/** @returns by add-on, why it cannot be installed */
function refusalsIn(written: readonly ReadSample[], scene: Scene): Map<string, Finding> {
  const refused = new Map<string, Finding>()
  const earlier: SampleObject[] = []
  for (const { sample, objects } of written) {
    const taken = objects.filter(({ manifest }) => isTaken(manifest, sample.name, earlier, scene))
    if (taken.length > 0) refused.set(sample.name, refusal(sample.name, taken, scene))
    // Of the same command: nothing of it is present yet.
    earlier.push(...objects)
  }
  return refused
}

function isTaken(
  manifest: KubeObject,
  addon: string,
  earlier: readonly SampleObject[],
  { present, namespace, replaceable }: Scene,
): boolean {
  const before = present.find((object) => isNamesake(object, manifest))
  if (before !== undefined && isInstalled(before, addon, namespace)) return false
  if (earlier.some((one) => isNamesake(one.manifest, manifest))) return true
  return before !== undefined && !replaceable.some((other) => isInstalled(before, other, namespace))
}

function isNamesake(one: KubeObject, other: KubeObject): boolean {
  return one.kind === other.kind && one.metadata.name === other.metadata.name
}

function refusal(addon: string, taken: readonly SampleObject[], { present, namespace }: Scene): Finding {
  const names = taken.map(({ manifest: { kind, metadata } }) => `${kind} ${metadata.name}`).join(', ')
  const owners = taken.map(({ manifest }) => {
    const before = present.find((object) => isNamesake(object, manifest))
    return before && SAMPLES.find(({ name }) => isInstalled(before, name, namespace))?.name
  })
  const places = SAMPLES.filter(({ name }) => owners.includes(name)).map(({ name }) => name)
  const replace = owners.includes(undefined)
    ? []
    : [`${sh`kubectl telemetry addons install ${addon} -n ${namespace} --replace`}   # uninstalls ${places.join(', ')}`]
  const [first] = taken
  const { resource, manifest } = first as SampleObject
  const where = hasNamespace(resource) ? sh`kubectl -n ${namespace} get` : 'kubectl get'
  const look = `${where} ${sh`${resource.plural} ${manifest.metadata.name} --show-labels`}   # whose is it?`
  const message = `${addon} was not installed: these objects belong to something else, or to another add-on of this command: ${names}`
  return fails('ADDON_NAMES_TAKEN', message, ...replace, look)
}

/** The installed add-ons that wanted ones replace. @param wanted those that are not refused */
async function planReplaced(
  wanted: readonly ReadSample[],
  scene: Scene,
  { cluster, samples: files }: Needs,
): Promise<Replaced[]> {
  const { namespace, record, present, replaceable } = scene
  const installed = installationIn(record)
  const candidates = wanted.flatMap(({ sample: { name: by }, objects }) =>
    SAMPLES.filter(({ name }) => replaceable.includes(name)).flatMap((sample) => {
      const isShared = present.some(
        (object) =>
          isInstalled(object, sample.name, namespace) && objects.some(({ manifest }) => isNamesake(object, manifest)),
      )
      const titles = objects.map(({ manifest }) => titleOf(manifest))
      const isRecorded = installed[sample.name]?.objects.some((title) => titles.includes(title)) ?? false
      return isShared || isRecorded ? [{ sample, by, objects, isShared }] : []
    }),
  )
  const found = await Promise.all(
    candidates.map(async ({ sample, by, objects, isShared }) => {
      const names = await namesIn([sample], files)
      const theirs = await findObjects({ samples: [sample], names, namespace, record }, cluster)
      // Anybody may have written the record. It shows the end of a run that was killed, after which no object is left.
      if (!isShared && theirs.length > 0) return []
      const leaving = theirs.filter(({ object }) => !objects.some(({ manifest }) => isNamesake(object, manifest)))
      const { name } = sample
      return [{ name, by, ...versionOf(installed[name]), theirs, changes: deletionsOf(leaving) }]
    }),
  )
  const replaced = found.flat()
  for (const { name, theirs } of replaced) await requireUnused(name, theirs, namespace, cluster)
  return replaced.map(({ theirs: _, ...one }) => one)
}

function versionOf(installed: { version: string } | undefined): { version?: string } {
  return installed === undefined ? {} : { version: installed.version }
}

function deletionsOf(objects: readonly FoundObject[]): Change[] {
  const going = objects.toReversed()
  const wanted = going.map(({ resource, object }) => {
    const about = isWorkload({ ...object, kind: resource.kind }) ? { about: LOSS } : {}
    return { resource, manifest: object, by: 'removing' as const, ...about }
  })
  const present = going.map(({ object }) => object)
  return planChanges(wanted, present, INSTALLING)
}

/** What leads to it would lead to the other one, which has other pages, and which other people may be allowed to see. */
async function requireUnused(
  name: string,
  objects: readonly FoundObject[],
  namespace: string,
  cluster: Cluster,
): Promise<void> {
  if (objects.length === 0) return
  const isEdited = (part: Part) => objects.some(({ object }) => isChangedBy(object, part))
  const scraping = 'kubectl telemetry cleanup --scraping   # first'
  if (isEdited(SCRAPING)) throw inUse(`scrape-secure has changed ${name}`, scraping)
  const uninstall = `${sh`kubectl telemetry addons uninstall ${name} -n ${namespace}`}   # removes exposures and links, too`
  if (isEdited(EXPOSING)) throw inUse(`expose has changed ${name}`, uninstall)
  const version = await findIstioVersion(cluster)
  const routes = version === undefined ? [] : await listIfServed(cluster, virtualServices(version), { labels: OWNED })
  const hosts = objects
    .filter(({ resource }) => resource === SERVICES)
    .map(({ object }) => `"${object.metadata.name}.${namespace}.`)
  // Of any shape: a tenant may have written it. Then it only refuses.
  const leading = routes.find((one) => {
    const text = JSON.stringify(one.spec ?? {})
    return isOwnedBy(one, EXPOSING) && hosts.some((host) => text.includes(host))
  })
  if (leading === undefined) return
  const { namespace: place, name: route } = leading.metadata
  throw inUse(`${name} is exposed: VirtualService ${place}/${route} leads to it`, uninstall)
}

function inUse(why: string, suggestion: string): UserError {
  return new UserError('REPLACED_IN_USE', `nothing was changed: ${why}`, { suggestions: [suggestion] })
}

/** What happens to it, before the question. @param kiali whether Kiali stays as it was configured for it */
export function replacedFinding({ name, by }: Replaced, namespace: string, kiali: boolean): Finding {
  const message = `${by} takes names of ${name} in namespace ${namespace}, so ${name} is uninstalled: all of its objects are deleted, and what its pods keep is lost`
  const kialis = kiali ? `; Kiali asked ${name}, and shows no traces until it is installed again` : ''
  return notes(
    'ADDON_REPLACED',
    message + kialis,
    ...(kiali ? [sh`kubectl telemetry addons install kiali -n ${namespace}`] : []),
    `${sh`kubectl telemetry addons install ${name} -n ${namespace} --replace`}   # to undo it`,
  )
}
