/** Which workloads have a proxy of Istio in their pods, and which Istio put it there: pure, over what was listed once. */
import type { Resource } from '../cluster/cluster.ts'
import type { Deployment, Pod } from '../cluster/objects.ts'
import { isGatewayPod } from '../gateways/find.ts'
import type { Workload, WorkloadObject } from './workload.ts'

export interface ListedWorkload {
  resource: Resource
  object: WorkloadObject
}

/** A workload, with or without a proxy. */
export interface Candidate extends ListedWorkload {
  proxy: Workload['proxy'] | undefined
  istio: string | undefined
  /** Its pods that are there to stay. */
  pods: Pod[]
}

/** Istio's container, an init container where it is a native sidecar. */
export const PROXY = 'istio-proxy'
const INJECTED = 'sidecar.istio.io/status'

/** @param versions of istiod, by revision */
export function findCandidates(workloads: ListedWorkload[], pods: Pod[], versions: Map<string, string>): Candidate[] {
  const byOwner = new Map<string, Pod[]>()
  for (const pod of pods.filter(isStaying)) {
    const owner = ownerOf(pod)
    if (owner !== undefined) byOwner.set(owner, [...(byOwner.get(owner) ?? []), pod])
  }
  return workloads.map(({ resource, object }) => {
    const { namespace, name } = object.metadata
    const own = byOwner.get(`${resource.kind} ${namespace}/${name}`) ?? []
    const proxied = own.find((pod) => proxyImage(pod) !== undefined)
    return { resource, object, pods: own, proxy: proxied && kindOfProxy(proxied), istio: versionOf(proxied, versions) }
  })
}

/** Of each istiod, by the revision that it injects for. */
export function istiodVersions(deployments: Deployment[]): Map<string, string> {
  const versions = deployments.flatMap(({ metadata: { labels = {} }, spec }): [string, string][] => {
    const images = spec.template.spec.containers.map(({ image }) => tagOf(image))
    const version = images.find((tag) => tag !== undefined) ?? release(labels['operator.istio.io/version'])
    return version === undefined ? [] : [[labels['istio.io/rev'] ?? 'default', version]]
  })
  return new Map(versions)
}

/** The workload that a pod belongs to: `Deployment shop/web`. A ReplicaSet is named after its Deployment and its pods' hash. */
export function ownerOf({ metadata }: Pod): string | undefined {
  const owners = (metadata.ownerReferences ?? []) as { kind: string; name: string; controller?: boolean }[]
  const owner = owners.find(({ controller }) => controller)
  if (owner === undefined) return undefined
  if (owner.kind !== 'ReplicaSet') return `${owner.kind} ${metadata.namespace}/${owner.name}`
  const hash = `-${metadata.labels?.['pod-template-hash']}`
  return owner.name.endsWith(hash) ? `Deployment ${metadata.namespace}/${owner.name.slice(0, -hash.length)}` : undefined
}

function isStaying({ metadata, status }: Pod): boolean {
  return metadata.deletionTimestamp === undefined && !['Succeeded', 'Failed'].includes(status?.phase ?? '')
}

function proxyImage({ spec }: Pod): string | undefined {
  const proxy = [...spec.containers, ...(spec.initContainers ?? [])].find(({ name }) => name === PROXY)
  return proxy && (proxy.image ?? '')
}

function kindOfProxy(pod: Pod): Workload['proxy'] {
  return isGatewayPod(pod) ? 'gateway' : 'sidecar'
}

/** What a new pod is going to have: where istiod injects the proxy, that is istiod's own version. */
function versionOf(pod: Pod | undefined, versions: Map<string, string>): string | undefined {
  if (pod === undefined) return undefined
  const revision = revisionOf(pod)
  return (revision === undefined ? undefined : versions.get(revision)) ?? tagOf(proxyImage(pod))
}

/** Which istiod injected it: the revision itself, also where a namespace names a tag. */
function revisionOf({ metadata: { annotations } }: Pod): string | undefined {
  try {
    const { revision } = JSON.parse(annotations?.[INJECTED] ?? '{}') as { revision?: string }
    return revision
  } catch {
    return undefined
  }
}

/** `1.31.0` of `docker.io/istio/proxyv2:1.31.0-distroless`; nothing of an image that is named by its digest alone. */
function tagOf(image: string | undefined): string | undefined {
  return release(/:([^:/@]+)(?:@|$)/.exec(image ?? '')?.[1])
}

function release(text: string | undefined): string | undefined {
  return /^v?(\d+\.\d+(?:\.\d+)?)/.exec(text ?? '')?.[1]
}
