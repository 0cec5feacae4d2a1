/** Workloads of a mesh and their pods, as Istio 1.31 was seen to inject them, and a cluster in which pods follow their template. */
import type { KubeObject, ObjectName, Resource } from '../../src/cluster/cluster.ts'
import type { Deployment, Pod } from '../../src/cluster/objects.ts'
import type { WorkloadObject } from '../../src/scraping/workload.ts'
import { FakeCluster } from './fake-cluster.ts'

export interface FakeWorkload {
  kind?: 'Deployment' | 'StatefulSet' | 'DaemonSet'
  namespace?: string
  pods?: number
  /** Where the proxy is: as a native sidecar, or beside the application as before Istio 1.27. */
  proxy?: 'native' | 'beside' | 'gateway' | 'none'
  /** Of the proxy's image. */
  istio?: string
  revision?: string
  /** Fields of the object's metadata, of its spec, of its pod template. */
  metadata?: object
  spec?: object
  template?: { labels?: Record<string, string>; annotations?: Record<string, string> }
  podSpec?: object
  ports?: number[]
}

/** The workload and its pods. */
export function workload(name: string, wanted: FakeWorkload = {}): KubeObject[] {
  const { kind = 'Deployment', namespace = 'default', pods = 1, template = {}, ports = [8080] } = wanted
  const { labels, ...rest } = template
  const own = { name: 'app', image: 'app:1', ports: ports.map((containerPort) => ({ containerPort })) }
  const podTemplate = {
    metadata: { labels: { app: name, ...labels }, ...rest },
    spec: { containers: [own], ...wanted.podSpec },
  }
  const object = {
    apiVersion: 'apps/v1',
    kind,
    metadata: { name, namespace, generation: 1, managedFields: [], ...wanted.metadata },
    spec: {
      ...(kind === 'DaemonSet' ? {} : { replicas: pods }),
      selector: { matchLabels: { app: name } },
      template: podTemplate,
      ...wanted.spec,
    },
    status: statusOf(kind, pods, 1),
  }
  return [object, ...Array.from({ length: pods }, (_, index) => podOf(name, index, object, wanted))]
}

function podOf(name: string, index: number, { kind, metadata, spec }: KubeObject, wanted: FakeWorkload): Pod {
  const { proxy = 'native', istio = '1.31.0', revision = 'default' } = wanted
  const { template } = spec as WorkloadObject['spec']
  const image = `docker.io/istio/proxyv2:${istio}`
  const envoy = { name: 'istio-proxy', image, args: ['proxy', proxy === 'gateway' ? 'router' : 'sidecar'] }
  const hash = '5d9f8'
  const owner = kind === 'Deployment' ? { kind: 'ReplicaSet', name: `${name}-${hash}` } : { kind, name }
  const beside = proxy === 'beside' || proxy === 'gateway'
  const status = JSON.stringify({ containers: ['istio-proxy'], revision })
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `${name}-${hash}-${index}`,
      namespace: metadata.namespace ?? '',
      labels: { ...template.metadata.labels, ...(kind === 'Deployment' ? { 'pod-template-hash': hash } : {}) },
      annotations: proxy === 'none' || proxy === 'gateway' ? {} : { 'sidecar.istio.io/status': status },
      ownerReferences: [{ ...owner, controller: true }],
    },
    spec: {
      ...template.spec,
      containers: [...template.spec.containers, ...(beside ? [envoy] : [])],
      ...(proxy === 'native' ? { initContainers: [{ name: 'istio-init', image }, envoy] } : {}),
    },
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
  }
}

/** What tells which version injects for a revision. */
export function istiod(
  version = '1.31.0',
  revision = 'default',
  image = `docker.io/istio/pilot:${version}`,
): Deployment {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      name: revision === 'default' ? 'istiod' : `istiod-${revision}`,
      namespace: 'istio-system',
      labels: { app: 'istiod', 'istio.io/rev': revision, 'operator.istio.io/version': version },
    },
    spec: {
      template: {
        metadata: { name: 'istiod', labels: { app: 'istiod' } },
        spec: { containers: [{ name: 'discovery', image }] },
      },
    },
  }
}

function statusOf(kind: string, pods: number, generation: number, updated = pods): object {
  if (kind === 'DaemonSet')
    return {
      observedGeneration: generation,
      desiredNumberScheduled: pods,
      updatedNumberScheduled: updated,
      numberAvailable: updated,
    }
  return {
    observedGeneration: generation,
    replicas: pods,
    updatedReplicas: updated,
    readyReplicas: updated,
    availableReplicas: updated,
  }
}

const KINDS = ['Deployment', 'StatefulSet', 'DaemonSet']

/** A new template makes a new generation; its pods come one at each look, but those of a workload that is stuck never do. */
export class RollingCluster extends FakeCluster {
  readonly stuck = new Set<string>()
  /** What was listed: `pods default`. */
  readonly lists: string[] = []

  override async list<T extends KubeObject>(
    resource: Resource,
    options: Parameters<FakeCluster['list']>[1] = {},
  ): Promise<T[]> {
    this.lists.push([resource.plural, options.namespace ?? '*', options.labels ?? ''].join(' ').trim())
    return super.list<T>(resource, options)
  }

  override async apply<T extends KubeObject>(
    resource: Resource,
    manifest: KubeObject,
    options: { dryRun?: boolean } = {},
  ): Promise<T> {
    const before = JSON.stringify(this.#find(resource, manifest.metadata)?.spec)
    const after = await super.apply<T>(resource, manifest, options)
    if (!options.dryRun && KINDS.includes(resource.kind) && JSON.stringify(after.spec) !== before)
      this.#roll(resource, manifest.metadata)
    return after
  }

  override async replace<T extends KubeObject>(
    resource: Resource,
    object: T,
    options: { dryRun?: boolean } = {},
  ): Promise<T> {
    const before = JSON.stringify(this.#find(resource, object.metadata)?.spec)
    const after = await super.replace<T>(resource, object, options)
    if (!options.dryRun && KINDS.includes(resource.kind) && JSON.stringify(after.spec) !== before)
      this.#roll(resource, object.metadata)
    return after
  }

  override async get<T extends KubeObject>(resource: Resource, name: ObjectName): Promise<T | undefined> {
    const found = await super.get<T>(resource, name)
    if (found !== undefined && KINDS.includes(resource.kind)) this.#advance(resource, name)
    return found
  }

  #roll(resource: Resource, name: ObjectName): void {
    const object = this.#find(resource, name)
    if (object === undefined) return
    const generation = Number(object.metadata.generation) + 1
    object.metadata.generation = generation
    object.status = statusOf(object.kind, wantedOf(object), generation, 0)
  }

  #advance(resource: Resource, name: ObjectName): void {
    const object = this.#find(resource, name) as WorkloadObject | undefined
    if (object?.status === undefined || this.stuck.has(object.metadata.name)) return
    const { updatedReplicas, updatedNumberScheduled, observedGeneration = 0 } = object.status
    const updated = updatedReplicas ?? updatedNumberScheduled ?? 0
    const wanted = wantedOf(object)
    if (updated < wanted) object.status = statusOf(object.kind, wanted, observedGeneration, updated + 1)
  }

  #find(resource: Resource, { name, namespace }: ObjectName): KubeObject | undefined {
    return this.objects.find(
      ({ kind, metadata }) => kind === resource.kind && metadata.name === name && metadata.namespace === namespace,
    )
  }
}

function wantedOf(object: KubeObject): number {
  const { replicas } = object.spec as { replicas?: number }
  return replicas ?? (object.status as WorkloadObject['status'])?.desiredNumberScheduled ?? 1
}
