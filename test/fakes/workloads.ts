/** Workloads of a mesh and their pods, as Istio 1.31 injects them (observed), and a cluster in which pods follow their template. */
import { isDeepStrictEqual } from 'node:util'
import type { ApplyOptions, KubeObject, ObjectName, Resource, WriteOptions } from '../../src/cluster/cluster.ts'
import type { Deployment, Pod } from '../../src/cluster/objects.ts'
import { UserError } from '../../src/errors.ts'
import type { WorkloadObject } from '../../src/workloads/workload-object.ts'
import { FakeCluster } from './fake-cluster.ts'

export interface FakeWorkload {
  kind?: 'Deployment' | 'StatefulSet' | 'DaemonSet'
  namespace?: string
  pods?: number
  /** The kind of proxy: a native sidecar, or a normal container as before Istio 1.27. */
  proxy?: 'native' | 'container' | 'gateway' | 'none' | 'ztunnel'
  /** Tag of the proxy's image. */
  istio?: string
  revision?: string
  /** The ports that istio-init leaves out of the capture, as its argument has them. */
  notCaptured?: string
  /** Additional fields of the metadata, the spec and the pod template. */
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
  const role = { gateway: 'router', ztunnel: 'ztunnel' }[String(proxy)] ?? 'sidecar'
  const envoy = { name: 'istio-proxy', image, args: ['proxy', role] }
  const hash = '5d9f8'
  const owner = kind === 'Deployment' ? { kind: 'ReplicaSet', name: `${name}-${hash}` } : { kind, name }
  const isContainer = proxy === 'container' || proxy === 'gateway' || proxy === 'ztunnel'
  const status = JSON.stringify({ containers: ['istio-proxy'], revision })
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `${name}-${hash}-${index}`,
      namespace: metadata.namespace ?? '',
      labels: { ...template.metadata.labels, ...(kind === 'Deployment' ? { 'pod-template-hash': hash } : {}) },
      annotations: ['none', 'gateway', 'ztunnel'].includes(proxy) ? {} : { 'sidecar.istio.io/status': status },
      ownerReferences: [{ ...owner, controller: true }],
    },
    spec: {
      ...template.spec,
      containers: [...template.spec.containers, ...(isContainer ? [envoy] : [])],
      ...(proxy === 'native' ? { initContainers: [{ name: 'istio-init', image, args: initArgs(wanted) }, envoy] } : {}),
    },
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
  }
}

function initArgs({ notCaptured = '15090,15021,15020' }: FakeWorkload): string[] {
  return ['istio-iptables', '-p', '15001', '-b', '*', '-d', notCaptured, '--log_output_level=default:info']
}

/** The settings of an injector: https://istio.io/latest/docs/setup/additional-setup/sidecar-injection/ */
export function injectorConfig(proxy: object, { name = 'istio-sidecar-injector', template = '' } = {}): KubeObject {
  const data = { values: JSON.stringify({ global: { proxy } }), config: template }
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'istio-system' }, data }
}

/** The istiod Deployment that shows the version of a revision. */
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

/** A new template makes a new generation. Each read replaces one pod, except for those of a stuck workload. */
export class RollingCluster extends FakeCluster {
  readonly stuck = new Set<string>()
  /** List requests: `pods default`. */
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
    options: ApplyOptions,
  ): Promise<T> {
    const present = this.#find(resource, manifest.metadata)
    if (present !== undefined) requireMutable(present, manifest)
    const before = JSON.stringify(present?.spec)
    const after = await super.apply<T>(resource, manifest, options)
    if (!options.dryRun && KINDS.includes(resource.kind) && JSON.stringify(after.spec) !== before)
      this.#roll(resource, manifest.metadata)
    return after
  }

  override async replace<T extends KubeObject>(resource: Resource, object: T, options: WriteOptions): Promise<T> {
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
    const generation = Number(object.metadata.generation ?? 0) + 1
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

/** In the words of Kubernetes 1.34. */
function requireMutable({ kind, metadata: { name }, spec }: KubeObject, manifest: KubeObject): void {
  const changes = (field: string) => {
    const [before, after] = [spec, manifest.spec].map((one) => (one as Record<string, unknown> | undefined)?.[field])
    return after !== undefined && !isDeepStrictEqual(before, after)
  }
  const refuse = (said: string) => {
    const what = `${kind.toLowerCase()}.apps/${name}`
    throw new UserError(
      'REJECTED',
      `the API server rejects it (apply ${what}): ${kind}.apps "${name}" is invalid: ${said}`,
    )
  }
  if (kind === 'Deployment' && changes('selector')) refuse('spec.selector: Invalid value: {}: field is immutable')
  if (kind === 'StatefulSet' && (changes('selector') || changes('volumeClaimTemplates') || changes('serviceName')))
    refuse("spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals' are forbidden")
}

function wantedOf(object: KubeObject): number {
  const { replicas } = object.spec as { replicas?: number }
  return replicas ?? (object.status as WorkloadObject['status'])?.desiredNumberScheduled ?? 1
}
