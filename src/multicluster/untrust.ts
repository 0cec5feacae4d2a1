/** `multicluster cleanup --trust`: each cluster trusts only its own root again, in the same phases backwards. */

import type { SigningFiles } from '../certificates/mesh-authority.ts'
import { applyChanges, type Change } from '../changes/changes.ts'
import { planRemoval } from '../changes/removal.ts'
import type { Service } from '../cluster/objects.ts'
import { appliedFields, CONNECTING, changedBy, isOwnedBy, MULTICLUSTER } from '../cluster/ownership.ts'
import { findIstioVersion, listOwned } from '../cluster/reading.ts'
import { CONFIG_MAPS, gateways, SECRETS, SERVICES, serviceEntries, WORKLOADS } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import { CACERTS, cacertsNotes } from '../manifests/cacerts.ts'
import { sh } from '../shell.ts'
import type { WorkloadObject } from '../workloads/workload-object.ts'
import { isPortOurs } from './entry-gateway.ts'
import type { CleanupResult } from './exporting/cleanup.ts'
import { type ClusterObject, ClusterProgress, inCluster, type Member } from './members.ts'
import { isInstalled } from './mesh.ts'
import { findRecordObject } from './record.ts'
import { type Bare, deletionOf, planBare, removeBare } from './trust/bare.ts'
import { distinctRoots, fingerprintOf, isSameList } from './trust/fingerprints.ts'
import { isSignedElsewhere, lacks, unionFor } from './trust/phases.ts'
import { ownFiles } from './trust/signer.ts'
import { awaitPublished, awaitServed, restartIstiods, restartObject, type Site, writeCacerts } from './trust/steps.ts'
import {
  applyIn,
  type ClusterChanges,
  type ClusterReading,
  objectsOf,
  planRestarts,
  planSecret,
  readAnyClusters,
  runTrust,
  siteOf,
  type TrustRequest,
  type TrustRun,
  type TrustWorld,
} from './trust/trust-run.ts'
import { inEach, isReadBy, type Open, settleAll } from './trust/walk.ts'

/** A cluster, and what `connect` left in it. */
interface Left extends ClusterReading {
  /** The CA that istiod made itself; undefined where `cacerts` is not ours, so that the trust stays. */
  readonly own: SigningFiles | undefined
  /** Workloads that were restarted. */
  readonly restarted: readonly { resource: (typeof WORKLOADS)[number]; object: WorkloadObject }[]
  readonly entry: readonly Change[]
  /** Of a cluster without Istio. */
  readonly bare: Bare
}

/** @throws UserError STILL_EXPORTED, OWN_CA_MISSING, and those of the phases */
export async function untrust(request: TrustRequest, world: TrustWorld): Promise<CleanupResult> {
  const all = await readAllLeft(world)
  const run = await planUntrust(all, request, world)
  const { outcome, problems, changes } = await runTrust(run, request, world)
  const objects = objectsOf(changes).map((one) => ({ ...one, action: actionOf(one.action) }))
  const after = outcome === 'applied' ? await readAllLeft(world) : all
  const kept = after.flatMap(({ bare }) => bare.kept)
  const remaining = outcome === 'applied' ? remainingOf(after) : []
  return { outcome: outcome === 'waiting' ? 'applied' : outcome, objects, remaining, problems: [...problems, ...kept] }
}

async function readAllLeft(world: TrustWorld): Promise<Left[]> {
  const all = await readAnyClusters(world)
  return Promise.all(all.map((one) => inCluster(one, () => readLeft(one))))
}

/** What should be gone, and is not. */
function remainingOf(all: readonly Left[]): CleanupResult['remaining'] {
  return all.flatMap(({ name, mesh, reading, restarted, entry, bare }) => {
    const secret = isInstalled(mesh) && reading.signer.kind === 'ours' ? reading.secrets.plugged : undefined
    const objects = [
      ...(secret === undefined ? [] : [{ resource: SECRETS, object: secret }]),
      ...restarted,
      ...[...entry, ...bare.deletions].map(({ resource, manifest }) => ({ resource, object: manifest })),
    ]
    return objects.map(({ resource, object: { metadata } }) => {
      const { namespace = '' } = metadata
      return { cluster: name, kind: resource.kind, group: resource.group, namespace, name: metadata.name }
    })
  })
}

function actionOf(action: ClusterObject['action']): CleanupResult['objects'][number]['action'] {
  return action === 'deleted' ? 'deleted' : 'restored'
}

async function readLeft(one: ClusterReading): Promise<Left> {
  const { member, mesh, reading } = one
  await requireNothingExported(member)
  const isOurs = isInstalled(mesh) && reading.signer.kind === 'ours'
  const own = isOurs ? ownFiles(reading.secrets.selfSigned) : undefined
  if (isOurs && own === undefined) {
    const message = `there is no Secret ${mesh.namespace}/istio-ca-secret: istiod never had a CA of its own to which it could return`
    throw new UserError('OWN_CA_MISSING', message, {
      suggestions: [
        `${sh`istioctl uninstall --purge --context ${member.cluster.context}`}   # then run the command again: it deletes the Secret cacerts`,
      ],
    })
  }
  const [restarted, entry, bare] = await Promise.all([readRestarted(member), planEntryRemoval(one), planBare(one)])
  return { ...one, own, restarted, entry, bare }
}

async function requireNothingExported({ cluster }: Member): Promise<void> {
  const version = await findIstioVersion(cluster)
  if (version === undefined) return
  const kinds = [gateways(version), serviceEntries(version)]
  const found = (await Promise.all(kinds.map((kind) => listOwned(cluster, kind, MULTICLUSTER)))).flat()
  if (found.length === 0) return
  const [first] = found
  const message = `services are still exported (${first?.kind} ${first?.metadata.namespace}/${first?.metadata.name}): calls would fail without the shared root`
  throw new UserError('STILL_EXPORTED', message, {
    suggestions: ['kubectl telemetry multicluster cleanup   # the same contexts; then again with --trust'],
  })
}

async function readRestarted({ cluster }: Member): Promise<Left['restarted']> {
  const lists = await Promise.all(
    WORKLOADS.map(async (resource) => {
      const found = await cluster.list<WorkloadObject>(resource, { labels: changedBy(CONNECTING) })
      return found
        .filter((object) => appliedFields(object, CONNECTING) !== undefined)
        .map((object) => ({ resource, object }))
    }),
  )
  return lists.flat()
}

/** The record, and the port of the gateway's Service. */
async function planEntryRemoval({ member: { cluster }, mesh }: ClusterReading): Promise<Change[]> {
  const [record, services] = await Promise.all([findRecordObject(mesh, cluster), cluster.list<Service>(SERVICES)])
  const ports = services.filter(isPortOurs).flatMap((object) => planRemoval({ resource: SERVICES, object }, CONNECTING))
  const isOurs = record !== undefined && isOwnedBy(record, CONNECTING)
  return [...ports, ...(isOurs ? deletionOf(CONFIG_MAPS, record) : [])]
}

async function planUntrust(all: readonly Left[], request: TrustRequest, world: TrustWorld): Promise<TrustRun> {
  const roots = distinctRoots(all.flatMap(({ own }) => own?.roots ?? []))
  const changes = await Promise.all(all.map((one) => inCluster(one, () => changesOf(one, world))))
  return {
    changes,
    makes: false,
    question: 'Return these clusters to their own roots?',
    undo: 'kubectl telemetry multicluster cleanup --trust   # to complete it',
    carryOut: async (progress) => {
      for (const { member, entry } of all) await applyIn({ member, list: entry }, progress)
      const back = all.flatMap((one) =>
        one.own === undefined ? [] : [returning(one, one.own, { roots, site: siteOf(one, request, progress, world) })],
      )
      const open = await ownSigners(back, request)
      if (open.length > 0) return open
      await inEach(back, deleteCacerts)
      await inEach(
        all.map((one) => ({ ...siteOf(one, request, progress, world), one })),
        removeMarks,
      )
      for (const one of all) {
        const own = new ClusterProgress(one.member, progress)
        await inCluster(one, () => removeBare(one.bare, one, own))
      }
      return []
    },
  }
}

/** A cluster on its way back. */
interface Returning extends Site {
  readonly reading: ClusterReading['reading']
  readonly own: SigningFiles
  readonly ownRoot: string
  readonly union: readonly string[]
}

function returning(one: Left, own: SigningFiles, { roots, site }: { roots: readonly string[]; site: Site }): Returning {
  const present = one.reading.signer.files?.roots ?? []
  const ownRoot = own.roots[0] ?? ''
  return { ...site, reading: one.reading, own, ownRoot, union: unionFor(present, [roots], ownRoot) }
}

/** Both roots are trusted again, then istiod signs with its own CA, then every proxy has a certificate of it. */
async function ownSigners(back: readonly Returning[], request: TrustRequest): Promise<Open[]> {
  const way = { ...request, sites: back }
  const of = (site: Site) => back.find(({ member }) => member === site.member) as Returning
  await inEach(back, async (site) => {
    const { files } = site.reading.signer
    if (files === undefined) return
    const isWritten = isSameList(files.roots, site.union)
    if (!isWritten) await writeCacerts(site, { ...files, roots: site.union }, meshRootOf(site))
    if (!isWritten || !isReadBy(site.reading, site.union)) await restartIstiods(site)
    await awaitPublished(site, site.union, 'at least')
  })
  const untrusting = await settleAll(way, (site) => lacks(of(site).union), 'trust both roots')
  if (untrusting.length > 0) return untrusting
  await inEach(back, async (site) => {
    await writeCacerts(site, { ...site.own, roots: site.union }, meshRootOf(site))
    await awaitServed(site, site.ownRoot)
    site.tell('istiod signs with its own CA again')
  })
  return settleAll(way, (site) => isSignedElsewhere(of(site).ownRoot), 'have a certificate of their own CA')
}

/** The root that the Secret names stays the same, so that another run can tell where this one stopped. */
function meshRootOf({ reading, ownRoot }: Returning): string {
  const { plugged } = reading.secrets
  const named = plugged && cacertsNotes(plugged).meshRoot
  return reading.signer.files?.roots.find((root) => fingerprintOf(root) === named) ?? ownRoot
}

async function deleteCacerts(site: Returning): Promise<void> {
  const { needs, mesh, progress } = site
  const present = await needs.cluster.get(SECRETS, { name: CACERTS, namespace: mesh.namespace })
  if (present !== undefined && isOwnedBy(present, CONNECTING))
    await applyChanges(needs.cluster, deletionOf(SECRETS, present), progress)
}

/** Without our annotation each workload restarts once more, and trusts only its own root. istiod first: it gives the roots to the others. */
async function removeMarks({ one, ...site }: Site & { one: Left }): Promise<void> {
  const names = new Set(one.mesh.istiods.map(({ metadata }) => metadata.name))
  const isIstiod = ({ object: { metadata } }: Left['restarted'][number]) =>
    metadata.namespace === one.mesh.namespace && names.has(metadata.name)
  const restarted = await readRestarted(one.member)
  for (const each of restarted.filter(isIstiod)) await restartObject(site, each, undefined)
  if (one.own !== undefined) await awaitPublished(site, one.own.roots, 'exactly')
  for (const each of restarted.filter((other) => !isIstiod(other))) await restartObject(site, each, undefined)
  if (one.own !== undefined) site.tell('trusts only its own root')
}

async function changesOf(one: Left, world: TrustWorld): Promise<ClusterChanges> {
  const { member, reading, own, entry } = one
  if (own === undefined)
    return {
      member,
      list: [...entry, ...one.restarted.flatMap((each) => planRemoval(each, CONNECTING)), ...one.bare.deletions],
    }
  const root = own.roots[0] ?? ''
  const restarts = await planRestarts(
    one,
    reading.proxies.filter((proxy) => lacks([root])(proxy) || isSignedElsewhere(root)(proxy)),
    world,
  )
  const present = reading.secrets.plugged
  return {
    member,
    list: [
      ...entry,
      await planSecret(one, own, root, world),
      ...restarts,
      ...(present === undefined ? [] : deletionOf(SECRETS, present)),
    ],
  }
}
