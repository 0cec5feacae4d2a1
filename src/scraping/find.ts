/** Which workloads have a proxy of Istio in their pods, and which version of Istio injected it. Pure. */
import type { Resource } from '../cluster/cluster.ts'
import { type Deployment, hasEnded, isStaying, type Pod } from '../cluster/objects.ts'
import { isGatewayPod } from '../gateways/find.ts'
import { controllerOf } from '../workloads/controller.ts'
import { imageOf } from '../workloads/image.ts'
import { proxyImage } from '../workloads/proxy.ts'
import { workloadNames } from '../workloads/workload-names.ts'
import type { WorkloadObject } from '../workloads/workload-object.ts'
import type { Workload } from './workload.ts'

export interface ListedWorkload {
  resource: Resource
  object: WorkloadObject
}

/** A workload, with or without a proxy. */
export interface Candidate extends ListedWorkload {
  proxy: Workload['proxy'] | undefined
  istio: string | undefined
  /** The revision of the istiod that injected the proxy; `undefined` if none did. */
  revision: string | undefined
  /** Its running pods that are not being deleted. */
  pods: Pod[]
}

const INJECTED = 'sidecar.istio.io/status'

/** @param versions of istiod, by revision */
export function findCandidates(workloads: ListedWorkload[], pods: Pod[], versions: Map<string, string>): Candidate[] {
  const byOwner = new Map<string, Pod[]>()
  for (const pod of pods.filter(runs)) {
    const owner = ownerOf(pod)
    if (owner !== undefined) byOwner.set(owner, [...(byOwner.get(owner) ?? []), pod])
  }
  const staying = workloads.filter(({ object }) => isStaying(object))
  return staying.map(({ resource, object }) => {
    const own = byOwner.get(workloadNames({ resource, object }).title) ?? []
    const proxied = own.find((pod) => proxyImage(pod) !== undefined)
    return {
      ...{ resource, object, pods: own, proxy: proxied && proxyIn(proxied) },
      ...{ istio: versionOf(proxied, versions), revision: proxied && revisionOf(proxied) },
    }
  })
}

/** The version of each istiod, by the revision that it injects for. */
export function istiodVersions(deployments: Deployment[]): Map<string, string> {
  const versions = deployments.flatMap(({ metadata: { labels = {} }, spec }): [string, string][] => {
    const images = spec.template.spec.containers.map(({ image }) => tagOf(image))
    const version = images.find((tag) => tag !== undefined) ?? release(labels['operator.istio.io/version'])
    return version === undefined ? [] : [[labels['istio.io/rev'] ?? 'default', version]]
  })
  return new Map(versions)
}

/** The workload that a pod belongs to: `Deployment shop/web`; `undefined` if nothing controls it. */
export function ownerOf(pod: Pod): string | undefined {
  const controller = controllerOf(pod)
  return controller && `${controller.kind} ${pod.metadata.namespace}/${controller.name}`
}

/** Whether a pod is not being deleted and has not ended. */
export function runs(pod: Pod): boolean {
  return isStaying(pod) && !hasEnded(pod)
}

/** The kind of proxy in a pod; `undefined` without one. */
export function proxyIn(pod: Pod): Workload['proxy'] | undefined {
  return proxyImage(pod) === undefined ? undefined : isGatewayPod(pod) ? 'gateway' : 'sidecar'
}

/** The version that a new pod will have. If istiod injects the proxy, that is the version of istiod. */
function versionOf(pod: Pod | undefined, versions: Map<string, string>): string | undefined {
  if (pod === undefined) return undefined
  const revision = revisionOf(pod)
  return (revision === undefined ? undefined : versions.get(revision)) ?? tagOf(proxyImage(pod))
}

/** The revision of the istiod that injected the proxy, even if the namespace names a tag. */
function revisionOf({ metadata: { annotations } }: Pod): string | undefined {
  try {
    const { revision } = JSON.parse(annotations?.[INJECTED] ?? '{}') as { revision?: string }
    return revision
  } catch {
    return undefined
  }
}

/** `1.31.0` from `docker.io/istio/proxyv2:1.31.0-distroless`; undefined for an image that has only a digest. */
function tagOf(image: string | undefined): string | undefined {
  return release(imageOf({ image: image ?? '' })?.tag)
}

function release(text: string | undefined): string | undefined {
  return /^v?(\d+\.\d+(?:\.\d+)?)/.exec(text ?? '')?.[1]
}
