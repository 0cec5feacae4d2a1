/** Plans an installation: which add-ons are written, from which sample, and every object. */
import { type Change, planChanges } from '../changes/changes.ts'
import { planNamespace } from '../changes/namespaces.ts'
import type { KubeObject } from '../cluster/cluster.ts'
import { EXPOSING, INSTALLING, installedLabels, isChangedBy, isInstalled, SCRAPING } from '../cluster/ownership.ts'
import { CONFIG_MAPS } from '../cluster/resources.ts'
import { type Finding, notes, warns } from '../findings.ts'
import { sh } from '../shell.ts'
import type { Dependencies } from '../world.ts'
import { QUICK_START, requireSamples, SAMPLE_NAMES, SAMPLES, type Sample } from './catalog.ts'
import { kialiFacts } from './kiali.ts'
import { placed, withChecksum } from './place.ts'
import { type Installation, installationIn, RECORD, recordManifest } from './record.ts'
import { clusterWide, placeOf, type SampleFiles, type SampleObject, titled, titleOf, versionIn } from './samples.ts'
import { type Outside, type ReadSample, readSamples, type Source, type SourceRequest } from './source/source.ts'
import { type Istiod, type RunningAddon, requireIstiod, survey } from './survey.ts'
import { planNames, type Replaced, replacedFinding } from './taken-names.ts'

export interface InstallRequest extends SourceRequest {
  /** In the order of the catalogue; the user chooses when left out, or without a terminal the quick start's. */
  samples?: readonly Sample[] | undefined
  /** `-n`; that of istiod when left out. */
  namespace?: string | undefined
  revision?: string | undefined
  /** Milliseconds until the next pod of an add-on has to be ready. */
  timeout: number
  /** Whether objects with a field that Kubernetes does not change are deleted and created again. */
  replace?: boolean
  yes: boolean
  dryRun: 'none' | 'client' | 'server'
}

export type Needs = Pick<Dependencies, 'cluster' | 'terminal' | 'clock' | 'random'> & {
  samples: SampleFiles
  outside: Outside
}

/** An add-on of the request. */
export interface PlannedAddon {
  name: string
  /** Of the sample. */
  version: string
  sha256: string
  /** Somebody else installed it, so it stays as it is: where it runs. */
  others?: RunningAddon
  /** Why it cannot be installed. */
  refused?: Finding
  /** In the order in which they are written. */
  changes: Change[]
  /** Edited by another part of kubectl telemetry since this sample was installed (Kiali's links, Prometheus' jobs): they stay as they are. */
  edited: Change[]
}

export interface InstallPlan {
  readonly request: InstallRequest
  readonly istiod: Istiod
  readonly namespace: string
  /** Of the namespace, if it does not exist. */
  readonly creation?: Change | undefined
  readonly source: Source & { sha256: string }
  readonly addons: readonly PlannedAddon[]
  /** Uninstalled because one of these takes their place: before that one is written. */
  readonly replaced: readonly Replaced[]
  readonly record: Change
  /** The record without those that were replaced: at the end, because it has the names by which their objects are found. */
  readonly lastRecord?: Change | undefined
  readonly warnings: readonly Finding[]
}

/**
 * @throws UserError ISTIOD_NOT_FOUND, ISTIOD_AMBIGUOUS, NAMESPACE_ENDING, NOT_OURS (a foreign object has the name of the record),
 * REPLACED_IN_USE, and those of `readSamples`
 */
export async function planInstall(request: InstallRequest, needs: Needs): Promise<InstallPlan> {
  const { cluster } = needs
  const found = await survey(cluster)
  const istiod = requireIstiod(found.istiods, request)
  const { namespace = istiod.namespace } = request
  const creation = await planNamespace(namespace, { part: INSTALLING, labels: installedLabels(namespace) }, cluster)
  const foreign = found.addons.filter((one) => !isOurs(one, namespace))
  const here = ({ workload }: RunningAddon) => workload.metadata.namespace === namespace
  const chosen = request.samples ?? (await chooseSamples(request, foreign, needs.terminal))
  // Named, an add-on is installed although it runs in another namespace: any tenant may run one there.
  const isNamed = request.samples !== undefined || (needs.terminal.interactive && !request.yes)
  const others = (name: string) => foreign.find((one) => one.name === name && (here(one) || !isNamed))
  const { source, samples: read, warnings } = await readSamples(request, chosen, { istiod, namespace }, needs)
  const written = read.filter(({ sample }) => others(sample.name) === undefined)
  const [record, present] = await Promise.all([
    cluster.get(CONFIG_MAPS, { name: RECORD, namespace }),
    presentOf(written, namespace, needs),
  ])
  const installed = installationIn(record)
  const inCommand = read.map(({ sample }) => sample.name)
  // Without names nobody asked for this add-on rather than for the other one.
  const replaceable = isNamed && request.replace ? SAMPLE_NAMES.filter((name) => !inCommand.includes(name)) : []
  const { refused, accepted, replaced } = await planNames(written, { namespace, present, record, replaceable }, needs)
  const wanted = accepted.map(({ sample }) => sample.name)
  const outdated = await outdatedIn(accepted, installed, namespace, needs)
  const going = replaced.map(({ name }) => name)
  const kiali = wanted.includes('kiali')
    ? await kialiFacts({ wanted, going, namespace, istiod, present }, needs)
    : undefined
  const addons = read.map(({ sample, text, sha256, objects }): PlannedAddon => {
    const { name } = sample
    const planned = { name, version: versionIn(text, sample) ?? 'unknown', sha256, changes: [], edited: [] }
    const [running, why] = [others(name), refused.get(name)]
    if (running !== undefined) return { ...planned, others: running }
    if (why !== undefined) return { ...planned, refused: why }
    const manifests = withChecksum(objects.map((one) => placed(one, { addon: name, namespace, kiali })))
    const { changes, edited } = changesOf(manifests, present, installed[name]?.sha256 === sha256)
    return { ...planned, changes: [...changes, ...(outdated.get(name) ?? [])], edited }
  })
  const installation = { ...installed, ...installationOf(addons, source) }
  const asksGone = (name: string) => name === 'jaeger' && installed.kiali !== undefined && !wanted.includes('kiali')
  const findings = [
    ...warnings,
    ...refused.values(),
    ...replaced.map((one) => replacedFinding(one, namespace, asksGone(one.name))),
    ...(kiali !== undefined && kiali.prometheus === undefined ? [withoutPrometheus(namespace)] : []),
    ...accepted.flatMap(({ sample }) => foreign.filter(({ name }) => name === sample.name).map(runsElsewhere)),
  ]
  const planned = { request, istiod, namespace, creation, source, addons, replaced, warnings: findings }
  return { ...planned, ...planRecords(namespace, installation, going, record) }
}

async function chooseSamples(
  { yes }: InstallRequest,
  foreign: readonly RunningAddon[],
  terminal: Needs['terminal'],
): Promise<Sample[]> {
  if (yes || !terminal.interactive) return requireSamples(QUICK_START)
  const choices = SAMPLES.map(({ name, title }) => {
    const places = foreign.filter((one) => one.name === name).map(({ workload }) => workload.metadata.namespace)
    return { name: places.length === 0 ? title : `${title} (others run it in ${places.join(', ')})`, value: name }
  })
  const ticked = QUICK_START.filter((name) => foreign.every((one) => one.name !== name))
  return requireSamples(await terminal.checkbox('Which add-ons should be installed?', choices, ticked))
}

function withoutPrometheus(namespace: string): Finding {
  const message = `namespace ${namespace} has no Prometheus that Kiali could ask, so its graph will be empty`
  return warns('KIALI_WITHOUT_PROMETHEUS', message, sh`kubectl telemetry addons install prometheus -n ${namespace}`)
}

function runsElsewhere({ name, workload }: RunningAddon): Finding {
  const message = `${name} also runs in namespace ${workload.metadata.namespace}, where others installed it; that one is left unchanged`
  return notes('ADDON_RUNS_TWICE', message, 'kubectl telemetry addons list')
}

function isOurs({ name, workload }: RunningAddon, namespace: string): boolean {
  return workload.metadata.namespace === namespace && isInstalled(workload, name, namespace)
}

/** The present objects that have the names of wanted ones. */
async function presentOf(wanted: readonly ReadSample[], namespace: string, { cluster }: Needs): Promise<KubeObject[]> {
  const objects = wanted.flatMap((one) => one.objects)
  const found = await Promise.all(
    objects.map(({ resource, manifest }) => cluster.get(resource, placeOf(resource, manifest, namespace))),
  )
  return found.filter((object) => object !== undefined)
}

/** Deletions of objects that an earlier sample had, by add-on. Anybody may have written the record, so only our labels count. */
async function outdatedIn(
  wanted: readonly ReadSample[],
  installed: Installation,
  namespace: string,
  { cluster }: Needs,
): Promise<Map<string, Change[]>> {
  const found = wanted.map(async ({ sample: { name: addon }, objects }): Promise<[string, Change[]]> => {
    const current = objects.map(({ manifest }) => titleOf(manifest))
    const former = (installed[addon]?.objects ?? [])
      .filter((title) => !current.includes(title))
      .flatMap((title) => titled(title) ?? [])
    const present = await Promise.all(
      former.map(async ({ resource, name }) => {
        const object = await cluster.get(resource, placeOf(resource, { metadata: { name } }, namespace))
        return object !== undefined && isInstalled(object, addon, namespace) ? [{ resource, manifest: object }] : []
      }),
    )
    const going = present.flat().map((one) => ({ ...one, by: 'removing' as const }))
    return [
      addon,
      planChanges(
        going,
        going.map(({ manifest }) => manifest),
        INSTALLING,
      ),
    ]
  })
  return new Map(await Promise.all(found))
}

/** @param isSame whether this sample is installed already */
function changesOf(
  manifests: readonly SampleObject[],
  present: readonly KubeObject[],
  isSame: boolean,
): Pick<PlannedAddon, 'changes' | 'edited'> {
  const all = planChanges(
    manifests.map((one) => {
      const about = clusterWide(one)
      return { ...one, tolerant: true, ...(about === undefined ? {} : { about }) }
    }),
    present,
    INSTALLING,
  )
  const isEdited = ({ present }: Change) =>
    isSame && present !== undefined && [EXPOSING, SCRAPING].some((part) => isChangedBy(present, part))
  return {
    changes: all.filter((change) => !isEdited(change)),
    edited: all.filter(isEdited).map((change) => ({ ...change, action: 'unchanged' })),
  }
}

function installationOf(addons: readonly PlannedAddon[], { kind, version: istio, from }: Source): Installation {
  const written = addons.filter(({ changes }) => changes.length > 0)
  return Object.fromEntries(
    written.map(({ name, version, sha256, changes, edited }) => {
      const staying = [...changes, ...edited].filter(({ by }) => by !== 'removing')
      const objects = staying.map(({ manifest }) => titleOf(manifest)).sort()
      // A path says something about the user's machine, and nothing to others.
      const place = kind === 'url' || kind === 'release' ? { from } : {}
      return [name, { source: kind, ...(istio === undefined ? {} : { istio }), ...place, version, sha256, objects }]
    }),
  )
}

function planRecord(namespace: string, installation: Installation, present: KubeObject | undefined): Change {
  const manifest = recordManifest(namespace, installation)
  const [change] = planChanges([{ resource: CONFIG_MAPS, manifest }], present ? [present] : [], INSTALLING)
  return change as Change
}

/** @param going add-ons that are replaced */
function planRecords(
  namespace: string,
  installation: Installation,
  going: readonly string[],
  present: KubeObject | undefined,
): Pick<InstallPlan, 'record' | 'lastRecord'> {
  const record = planRecord(namespace, installation, present)
  const staying = Object.entries(installation).filter(([name]) => !going.includes(name))
  if (staying.length === Object.keys(installation).length) return { record }
  const last = planRecord(namespace, Object.fromEntries(staying), present)
  // Reading does not show which keys an apply of fewer keys removes.
  return { record, lastRecord: { ...last, action: 'configured' } }
}
