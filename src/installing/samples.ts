/** Istio's sample add-ons that are in the package: which there are, and what a sample contains. */
import type { KubeObject, Resource } from '../cluster/cluster.ts'
import {
  CLUSTER_ROLE_BINDINGS,
  CLUSTER_ROLES,
  CONFIG_MAPS,
  DEPLOYMENTS,
  SERVICE_ACCOUNTS,
  SERVICES,
  STATEFUL_SETS,
} from '../cluster/resources.ts'
import { type Finding, warns } from '../findings.ts'
import { listOf, mapOf, textOf, textsOf } from '../shapes.ts'
import { isPathSegment } from '../text.ts'
import { imageOf } from '../workloads/image.ts'
import { documentsIn } from '../yaml-reading.ts'
import type { Sample } from './catalog.ts'
import { type Istiod, minorOf } from './survey.ts'

/** The files of the package. */
export interface SampleFiles {
  /** Minor versions of Istio: `1.31`. */
  versions(): Promise<string[]>
  /** @param file below `samples/addons`, without `.yaml` */
  read(version: string, file: string): Promise<string>
}

/** Kinds in samples, in the order in which they are created: what a pod needs exists before the pod. */
export const KINDS: readonly Resource[] = [
  SERVICE_ACCOUNTS,
  CONFIG_MAPS,
  CLUSTER_ROLES,
  CLUSTER_ROLE_BINDINGS,
  SERVICES,
  DEPLOYMENTS,
  STATEFUL_SETS,
]
const IN_NO_NAMESPACE: readonly Resource[] = [CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS]

/** An object of a sample. */
export interface SampleObject {
  resource: Resource
  manifest: KubeObject
}

/** The objects in a packaged sample, in the order in which they are created. */
export function objectsIn(text: string): SampleObject[] {
  return inOrder(documentsIn(text) as KubeObject[])
}

/** In the order in which they are created. Objects of other kinds are left out. */
export function inOrder(manifests: readonly KubeObject[]): SampleObject[] {
  return KINDS.flatMap((resource) =>
    manifests.filter(({ kind }) => kind === resource.kind).map((manifest) => ({ resource, manifest })),
  )
}

/** `Service/grafana`, for the record. */
export function titleOf({ kind, metadata: { name } }: KubeObject): string {
  return `${kind}/${name}`
}

/** @param title `Service/grafana`, from a record; undefined for a kind that no sample has */
export function titled(title: string): { resource: Resource; name: string } | undefined {
  const [, kind, name] = /^(\w+)\/(.+)$/.exec(title) ?? []
  const resource = KINDS.find((one) => one.kind === kind)
  return resource === undefined || name === undefined || !isPathSegment(name) ? undefined : { resource, name }
}

export function hasNamespace(resource: Resource): boolean {
  return !IN_NO_NAMESPACE.includes(resource)
}

export function placeOf(resource: Resource, { metadata: { name } }: Pick<KubeObject, 'metadata'>, namespace: string) {
  return { name, ...(hasNamespace(resource) ? { namespace } : {}) }
}

/** For the question: such an object counts for more than the add-on. */
export function clusterWide({ resource, manifest }: SampleObject): string | undefined {
  if (hasNamespace(resource)) return undefined
  if (resource === CLUSTER_ROLES) return `in the whole cluster${hasEveryRight(manifest) ? ', with every right' : ''}`
  const { subjects, roleRef } = manifest
  const names = listOf(subjects).map((one) => textOf(mapOf(one).name) ?? '')
  const { kind, name } = mapOf(roleRef)
  return `in the whole cluster: ServiceAccount ${names.join(', ')} gets the rights of ${textOf(kind)} ${textOf(name)}`
}

/** Whether a role grants everything, as cluster-admin does. */
export function hasEveryRight({ rules }: KubeObject): boolean {
  const isEvery = (value: unknown) => textsOf(value).includes('*')
  return listOf(rules)
    .map(mapOf)
    .some(({ apiGroups, resources, verbs }) => [apiGroups, resources, verbs].every(isEvery))
}

/** The tag of the image by which the add-on is known. Without parsing: Grafana's sample has 240 KB of dashboards. */
export function versionIn(text: string, sample: Sample): string | undefined {
  return knownImageIn(text, sample)?.tag
}

export function knownImageIn(text: string, { images }: Sample): ReturnType<typeof imageOf> {
  const found = [...text.matchAll(/^[ -]*image: *["']?([^"'\s]+)["']?\s*$/gm)].map(([, image]) =>
    imageOf({ image: image ?? '' }),
  )
  return found.find((image) => image !== undefined && images.includes(image.name))
}

/** The package has no samples of this version of Istio. */
export function otherSamples({ version }: Istiod, chosen: string): Finding {
  const running = version === undefined ? 'unknown' : (minorOf(version) ?? version)
  const message = `the samples of Istio ${chosen} are used: the running version is ${running}, for which this version of kubectl telemetry has none`
  return warns('SAMPLES_OF_OTHER_VERSION', message, 'kubectl telemetry addons list   # shows the versions')
}
