/** What operations need of a Kubernetes cluster, and nothing more. `kube-cluster.ts` is the real one, `test/fakes` has another. */
import type { Duplex } from 'node:stream'

export interface Metadata {
  name: string
  namespace?: string
  uid?: string
  resourceVersion?: string
  labels?: Record<string, string>
  annotations?: Record<string, string>
  deletionTimestamp?: string
  managedFields?: unknown[]
  [field: string]: unknown
}

/** Any object as the API server has it, or as we want it (then it is called a manifest). */
export interface KubeObject {
  apiVersion: string
  kind: string
  metadata: Metadata
  [field: string]: unknown
}

/** One kind of object and where the API server serves it. */
export interface Resource {
  /** '' is the core group. */
  group: string
  version: string
  plural: string
  kind: string
}

export interface ListOptions {
  /** Every namespace when left out. */
  namespace?: string
  /** A label selector, as `kubectl -l` takes it. */
  labels?: string
  /** Names, labels and versions only; the API server leaves out everything else (a Secret's data, say). */
  metadataOnly?: boolean
}

export interface ApplyOptions {
  dryRun?: boolean
  /** Who has the fields then; `MANAGER` of ownership.ts when left out. */
  manager?: string | undefined
}

export interface ObjectName {
  name: string
  namespace?: string
}

export interface WatchOptions {
  namespace: string
  /** A label selector, as `kubectl -l` takes it. */
  labels: string
  signal: AbortSignal
}

export interface WatchEvent<T> {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'
  object: T
}

/** A connection that has been upgraded, and what is spoken on it. */
export interface Upgraded {
  socket: Duplex
  /** SPDY frames in WebSocket messages, whose borders mean nothing, or as they are. */
  protocol: 'websocket' | 'spdy'
}

/** Who wants to do what: the question of a SubjectAccessReview. */
export interface Access {
  /** `system:serviceaccount:NAMESPACE:NAME`. */
  user: string
  groups: string[]
  verb: string
  group: string
  resource: string
  namespace: string
}

/** A GET that the API server itself sends to a pod's address. */
export interface PodRequest {
  scheme?: 'http' | 'https'
  port: number
  path: string
  query?: Record<string, string>
  /** Milliseconds. */
  timeout?: number
}

/** `failed`: the API server got no answer from the pod, for this reason. */
export type PodAnswer = { status: number; body: string } | { failed: string }

export interface Cluster {
  /** The kubeconfig context in use. */
  readonly context: string
  /** The context's namespace, as kubectl takes it when none is named. */
  readonly namespace: string
  /** The API server's URL. */
  readonly server: string
  /** Versions of an API group that are served, the preferred one first; empty when the group is not there. */
  servedVersions(group: string): Promise<string[]>
  /** All objects, read page by page. */
  list<T extends KubeObject>(resource: Resource, options?: ListOptions): Promise<T[]>
  /** `undefined` when there is none of that name. */
  get<T extends KubeObject>(resource: Resource, name: ObjectName): Promise<T | undefined>
  /**
   * Server-side apply: one raw PATCH with our field manager and without `force`, so that a field of somebody else's is a
   * conflict (a UserError), never overwritten. Returns the object as it is (or, with `dryRun`, would be) afterwards.
   */
  apply<T extends KubeObject>(resource: Resource, manifest: KubeObject, options?: ApplyOptions): Promise<T>
  /**
   * Writes an object of somebody else's whole, as it was read but for what we change: refused as CONFLICT when it has changed since
   * (its resourceVersion). For fields that cannot be shared, such as a text in a ConfigMap.
   */
  replace<T extends KubeObject>(resource: Resource, object: T, options?: { dryRun?: boolean }): Promise<T>
  /** Deletes exactly this object (same uid). `gone` when somebody was faster. */
  delete(resource: Resource, object: KubeObject, options?: { dryRun?: boolean }): Promise<'deleted' | 'gone'>
  /**
   * What happens to objects, until it is called off: first all that are there as `ADDED`, then every change. Ends when the server ends it
   * (which it does now and then) or the connection breaks.
   */
  watch<T extends KubeObject>(resource: Resource, options: WatchOptions): AsyncIterable<WatchEvent<T>>
  /** Requests come soon: what takes a while may begin now. */
  connect(): Promise<void>
  /**
   * A connection to a pod's portforward endpoint: a byte stream of SPDY/3.1 frames.
   * @throws UserError FORBIDDEN, NOT_FOUND, CLUSTER_UNREACHABLE
   */
  portForward(pod: Required<ObjectName>): Promise<Upgraded>
  /**
   * What a pod answers to the API server, which connects to it anew, shows no certificate and trusts every one; asked once.
   * @throws UserError FORBIDDEN, NOT_FOUND, CLUSTER_UNREACHABLE
   */
  askPod(pod: Required<ObjectName>, request: PodRequest): Promise<PodAnswer>
  /** Whether somebody else may do something; `undefined` when we may not ask. */
  mayAccess(access: Access): Promise<boolean | undefined>
  /** Leaves the connection that requests share, which may be dead: what is under way on it fails, the next request opens another. */
  reconnect(): void
  /** Ends the connection, so that the process can end. */
  close(): Promise<void>
}

/** `gateway.networking.istio.io`, as kubectl prints it: the kind in lower case and its group. */
export function kindName(resource: Pick<Resource, 'kind' | 'group'>): string {
  const kind = resource.kind.toLowerCase()
  return resource.group === '' ? kind : `${kind}.${resource.group}`
}

/** `apiVersion` of a resource: `v1`, `networking.istio.io/v1`. */
export function apiVersion(resource: Pick<Resource, 'group' | 'version'>): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`
}
