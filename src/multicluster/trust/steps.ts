/** The steps of which a change of the root consists, in one cluster: each writes one thing, or waits until it has its effect. */

import type { SigningFiles } from '../../certificates/mesh-authority.ts'
import { applyChanges, type Change, planChanges } from '../../changes/changes.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import type { Pod, Secret } from '../../cluster/objects.ts'
import { CONNECTING } from '../../cluster/ownership.ts'
import { DEPLOYMENTS, PODS, SECRETS } from '../../cluster/resources.ts'
import { UserError } from '../../errors.ts'
import { CACERTS, cacerts } from '../../manifests/cacerts.ts'
import { sh } from '../../shell.ts'
import { until } from '../../time/until.ts'
import { awaitRollout } from '../../workloads/await-rollout.ts'
import { workloadNames } from '../../workloads/workload-names.ts'
import type { WorkloadObject } from '../../workloads/workload-object.ts'
import type { Dependencies } from '../../world.ts'
import type { ClusterProgress, Member } from '../members.ts'
import type { Mesh } from '../mesh.ts'
import { fingerprintOf } from './fingerprints.ts'
import { notServing, otherwisePublished, unpublished } from './phases.ts'
import type { ProxyTrust } from './proxies.ts'
import { readAllProxies, readPublished, readServed, type TrustNeeds } from './read.ts'
import { findRestarts, planRestart, type Restart } from './restarts.ts'

/** One cluster while its trust changes. */
export interface Site {
  readonly member: Member
  readonly mesh: Mesh
  readonly needs: TrustNeeds & Pick<Dependencies, 'clock' | 'machine'>
  readonly progress: ClusterProgress
  /** Milliseconds for each wait. */
  readonly timeout: number
  /** Reports what was done, one line. */
  tell(line: string): void
}

/** @param root PEM of the root to which the cluster changes */
export async function planCacerts(
  { mesh, needs }: Pick<Site, 'mesh' | 'needs'>,
  files: SigningFiles,
  root: string,
): Promise<Change> {
  const { signer, chain, roots } = files
  const manifest = cacerts({
    namespace: mesh.namespace,
    ...signer,
    chain: chain.join(''),
    roots: roots.join(''),
    meshRoot: fingerprintOf(root) ?? '',
    machine: needs.machine,
  })
  const present = await needs.cluster.get<Secret>(SECRETS, { name: CACERTS, namespace: mesh.namespace })
  const all = present === undefined ? [] : [present]
  return planChanges([{ resource: SECRETS, manifest }], all, CONNECTING)[0] as Change
}

export async function writeCacerts(site: Site, files: SigningFiles, root: string): Promise<void> {
  await applyChanges(site.needs.cluster, [await planCacerts(site, files, root)], site.progress)
}

/** Restarts every istiod: it reads roots only when it starts. */
export async function restartIstiods(site: Site): Promise<void> {
  const when = timeOf(site)
  for (const { metadata } of site.mesh.istiods) {
    const { name, namespace = '' } = metadata
    const object = await site.needs.cluster.get<WorkloadObject>(DEPLOYMENTS, { name, namespace })
    if (object !== undefined) await restartObject(site, { resource: DEPLOYMENTS, object }, when)
  }
}

function timeOf({ needs }: Site): string {
  return needs.clock.now().toISOString()
}

/** One workload after the other, each until all of its pods are ready again. */
export async function restartWorkloads(site: Site, proxies: readonly ProxyTrust[]): Promise<void> {
  const when = timeOf(site)
  const { workloads } = await findRestarts(proxies, site.needs.cluster)
  for (const [index, one] of workloads.entries()) {
    site.tell(`restarts ${workloadNames(one).phrase} (${index + 1} of ${workloads.length})`)
    await restartObject(site, one, when)
  }
}

/** @param when left out: removes our annotation, which restarts it as well */
export async function restartObject(
  { needs, progress, timeout }: Site,
  { resource, object }: Pick<Restart, 'resource' | 'object'>,
  when: string | undefined,
): Promise<void> {
  const { name, namespace = '' } = object.metadata
  // It may have been scaled since it was read.
  const present = (await needs.cluster.get<WorkloadObject>(resource, { name, namespace })) ?? object
  await applyChanges(
    needs.cluster,
    [planRestart({ resource, object: { ...present, kind: resource.kind } }, when)],
    progress,
  )
  await awaitRollout(resource, present, { timeout }, needs)
}

/** Milliseconds between two looks. */
const PAUSE = 1_000

/** Waits until istiod has given these roots to every namespace with proxies. @throws UserError TRUST_NOT_PUBLISHED */
export async function awaitPublished(
  site: Site,
  roots: readonly string[],
  which: 'at least' | 'exactly',
): Promise<void> {
  const { mesh, needs, timeout } = site
  const missing = which === 'exactly' ? otherwisePublished : unpublished
  await until(
    {
      look: async () => missing(await readPublished(mesh, await pods(needs.cluster), needs.cluster), roots),
      isDone: (left) => left.length === 0,
      pause: PAUSE,
      timeout,
      giveUp: (left) =>
        new UserError(
          'TRUST_NOT_PUBLISHED',
          `istiod has not written the roots into ConfigMap istio-ca-root-cert of ${left.length} namespaces within ${timeout / 1000} s: ${left.slice(0, 5).join(', ')}`,
          { suggestions: [sh`kubectl -n ${mesh.namespace} logs deploy/istiod`] },
        ),
    },
    needs.clock,
  )
}

/**
 * Waits until every pod of istiod serves a certificate of a CA: the kubelet hands over a changed Secret within two minutes.
 * @param authority PEM of that CA, or of the root above it
 * @throws UserError SIGNER_NOT_SERVED
 */
export async function awaitServed(site: Site, authority: string): Promise<void> {
  const { mesh, needs, timeout } = site
  await until(
    {
      look: async () => notServing(await readServed(mesh, await pods(needs.cluster), needs), authority),
      isDone: (left) => left.length === 0,
      pause: PAUSE,
      timeout,
      giveUp: (left) =>
        new UserError(
          'SIGNER_NOT_SERVED',
          `istiod does not sign with the new CA after ${timeout / 1000} s: ${left.map(({ pod, why }) => `pod ${pod}: ${why}`).join('; ')}`,
          { suggestions: [sh`kubectl -n ${mesh.namespace} logs deploy/istiod`, '--timeout 5m   # waits longer'] },
        ),
    },
    needs.clock,
  )
}

function pods(cluster: Cluster): Promise<Pod[]> {
  return cluster.list<Pod>(PODS)
}

/** All proxies, read now. */
export async function proxiesNow({ needs }: Pick<Site, 'needs'>): Promise<ProxyTrust[]> {
  return readAllProxies(await pods(needs.cluster), needs)
}
