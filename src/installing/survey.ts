/** Which add-ons run in the cluster, and which Istio they are for. Two requests. */
import type { Cluster, KubeObject, Resource } from '../cluster/cluster.ts'
import { isStaying } from '../cluster/objects.ts'
import { INSTALLING, isOwnedBy } from '../cluster/ownership.ts'
import { readable } from '../cluster/reading.ts'
import { DEPLOYMENTS, STATEFUL_SETS } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import { sh } from '../shell.ts'
import { imageOf } from '../workloads/image.ts'
import { rolloutOf } from '../workloads/rollout.ts'
import type { WorkloadObject } from '../workloads/workload-object.ts'
import { SAMPLES } from './catalog.ts'

/** An add-on that runs. */
export interface RunningAddon {
  name: string
  resource: Resource
  workload: WorkloadObject
  /** The tag of its image; left out for an image with only a digest. */
  version?: string
  ready: number
  wanted: number
  /** Created by `addons install`. The label only says so; nothing is changed because of it. */
  ours: boolean
}

/** A control plane. */
export interface Istiod {
  namespace: string
  /** `1.31.0`; left out for an image with only a digest. */
  version?: string
  /** `default` without revision. */
  revision: string
}

export interface Survey {
  addons: RunningAddon[]
  istiods: Istiod[]
}

/** @throws UserError FORBIDDEN without the permission to list Deployments */
export async function survey(cluster: Cluster): Promise<Survey> {
  const [deployments, statefulSets] = await Promise.all([
    cluster.list<WorkloadObject>(DEPLOYMENTS),
    readable(cluster.list<WorkloadObject>(STATEFUL_SETS)),
  ])
  const staying = [
    ...deployments.map((workload) => ({ resource: DEPLOYMENTS, workload })),
    ...(statefulSets ?? []).map((workload) => ({ resource: STATEFUL_SETS, workload })),
  ].filter(({ workload }) => isStaying(workload))
  return {
    addons: SAMPLES.flatMap(({ name, images }) =>
      staying.flatMap(({ resource, workload }) => running(name, images, resource, workload)),
    ),
    istiods: deployments.filter(isStaying).flatMap(istiodIn),
  }
}

function running(name: string, images: string[], resource: Resource, workload: WorkloadObject): RunningAddon[] {
  const found = imagesOf(workload).find((one) => images.includes(one.name))
  if (found === undefined) return []
  const { ready, wanted } = rolloutOf({ ...workload, kind: resource.kind })
  const version = found.tag === undefined ? {} : { version: found.tag }
  return [{ name, resource, workload, ...version, ready, wanted, ours: isOwnedBy(workload, INSTALLING) }]
}

function imagesOf({ spec }: WorkloadObject) {
  return spec.template.spec.containers.flatMap((container) => imageOf(container) ?? [])
}

function istiodIn(deployment: WorkloadObject): Istiod[] {
  const { labels = {}, namespace = '' } = deployment.metadata
  if (labels.app !== 'istiod') return []
  const tag = imagesOf(deployment).find(({ name }) => name === 'pilot')?.tag
  const version = tag ?? labels['operator.istio.io/version']
  return [{ namespace, ...(version === undefined ? {} : { version }), revision: labels['istio.io/rev'] ?? 'default' }]
}

/**
 * The control plane for which add-ons are chosen. Anybody can label a Deployment of their own `app: istiod`, so several are a question.
 * @param revision `--revision`
 * @param namespace `-n`: the one that is there, if several fit
 * @throws UserError ISTIOD_NOT_FOUND, ISTIOD_AMBIGUOUS
 */
export function requireIstiod(
  istiods: readonly Istiod[],
  { revision, namespace }: { revision?: string | undefined; namespace?: string | undefined },
): Istiod {
  const revised = istiods.filter((one) => revision === undefined || one.revision === revision)
  const there = revised.filter((one) => one.namespace === namespace)
  const fitting = there.length > 0 ? there : revised
  const [first, second] = fitting
  const places = fitting.map(placeOf).join(', ')
  if (first === undefined) {
    const message =
      revision === undefined
        ? 'no istiod was found: no Deployment has the label app=istiod'
        : `no istiod of revision ${JSON.stringify(revision)} was found; there is ${istiods.map(placeOf).join(', ') || 'none'}`
    throw new UserError('ISTIOD_NOT_FOUND', message, {
      suggestions: revision === undefined ? ['istioctl install'] : istiods.map((one) => sh`--revision ${one.revision}`),
    })
  }
  if (second === undefined) return first
  throw new UserError('ISTIOD_AMBIGUOUS', `${fitting.length} istiods fit: ${places}`, {
    suggestions: [...new Set(fitting.flatMap((one) => [sh`--revision ${one.revision}`, sh`-n ${one.namespace}`]))],
  })
}

function placeOf({ namespace, revision, version }: Istiod): string {
  return `${namespace} (revision ${revision}, ${version ?? 'unknown version'})`
}

/** The packaged version for an istiod: of the same minor version, else the nearest older one, else the oldest. */
export function fittingVersion(packaged: readonly string[], { version }: Istiod): { version: string; exact: boolean } {
  const wanted = version === undefined ? undefined : minorOf(version)
  const sorted = packaged.toSorted((one, other) => numberOf(one) - numberOf(other))
  const older = sorted.filter((one) => wanted === undefined || numberOf(one) <= numberOf(wanted))
  const chosen = older.at(-1) ?? sorted[0] ?? ''
  return { version: chosen, exact: chosen === wanted }
}

/** `1.31` from `1.31.0`, `v1.31.2-distroless`. */
export function minorOf(version: string): string | undefined {
  return /^v?(\d+\.\d+)(?:\D|$)/.exec(version)?.[1]
}

function numberOf(minor: string): number {
  const [major = 0, second = 0] = minor.split('.').map(Number)
  return major * 1_000 + second
}

export function isWorkload(object: KubeObject): object is WorkloadObject {
  return object.kind === 'Deployment' || object.kind === 'StatefulSet'
}
