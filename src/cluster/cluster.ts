/** Interface to a Kubernetes cluster. `kube-cluster.ts` implements it, and `test/fakes` has a fake. */
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

/** An object in the cluster, or a manifest: an object that we want. */
export interface KubeObject {
  apiVersion: string
  kind: string
  metadata: Metadata
  [field: string]: unknown
}

/** A kind of object, and its path in the API. */
export interface Resource {
  /** '' for the core group. */
  group: string
  version: string
  plural: string
  kind: string
}

export interface ListOptions {
  /** All namespaces if left out. */
  namespace?: string
  /** A label selector in the format of `kubectl -l`. */
  labels?: string
  /** A field selector in the format of `kubectl --field-selector`. */
  fields?: string
  /** Whether to read only the metadata, and not, for example, the data of Secrets. */
  metadataOnly?: boolean
}

export interface WriteOptions {
  dryRun?: boolean
  /** Manages the written fields afterwards: see `Part` in ownership.ts. */
  manager: string
}

export interface ApplyOptions extends WriteOptions {
  /**
   * Others lose the fields that conflict. Only for a manifest with the resourceVersion of an object of which it was proven what they lose
   * (changes/empty-maps.ts).
   */
  force?: boolean
}

export interface ObjectName {
  name: string
  namespace?: string
}

export interface WatchOptions {
  namespace: string
  /** A label selector in the format of `kubectl -l`. */
  labels: string
  signal: AbortSignal
}

export interface WatchEvent<T> {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'
  object: T
}

/** An upgraded connection and its protocol. */
export interface Upgraded {
  socket: Duplex
  /** Of `portForward`: SPDY frames, for `websocket` inside of WebSocket messages, whose borders have no meaning. */
  protocol: 'websocket' | 'spdy'
}

/** A program in a container, and its arguments. No shell reads them. */
export interface Command {
  container: string
  argv: readonly string[]
}

/**
 * How a program ended. `failed`: it did not run, or not to its end, for this reason; `absent` if the container has no such program. All texts
 * are untrusted.
 */
export type ProgramEnd =
  | { exitCode: number; stdout: string; stderr: string; cut: { stdout: boolean; stderr: boolean } }
  | { failed: string; absent: boolean }

/** A user and an action: the question of a SubjectAccessReview. */
export interface Access {
  /** `system:serviceaccount:NAMESPACE:NAME`. */
  user: string
  groups: string[]
  verb: string
  group: string
  resource: string
  namespace: string
}

/** A request that the API server sends to a pod's address. */
export interface PodRequest {
  /** GET if left out. */
  method?: 'GET' | 'HEAD'
  scheme?: 'http' | 'https'
  port: number
  path: string
  query?: Record<string, string>
  userAgent?: string
  /** Milliseconds. */
  timeout?: number
}

/** `failed`: why the API server got no answer from the pod. */
export type PodAnswer = { status: number; body: string } | { failed: string }

/** Which cluster it is, for what this machine remembers about it. */
export interface ClusterIdentity {
  /** UID of the namespace kube-system; left out where it may not be read. */
  uid?: string
  /** From the kubeconfig, as in `Cluster`. */
  server: string
  verifiedBy: string
}

export interface Cluster {
  /** The kubeconfig context in use. */
  readonly context: string
  /** The context's namespace, which is kubectl's default. */
  readonly namespace: string
  /** The API server's URL. */
  readonly server: string
  /** How many milliseconds the API server's clock is ahead of this machine's; `undefined` before it has answered. */
  readonly clockAhead: number | undefined
  /** What verifies the API server: a fingerprint of the kubeconfig's CAs; without any, the URL, for which public CAs vouch. */
  readonly verifiedBy: string
  /** Served versions of an API group, the preferred one first; empty if the group is not served. */
  servedVersions(group: string): Promise<string[]>
  /** The kinds of objects that a namespace can have. @returns `undefined` if the API server does not name all */
  namespacedKinds(): Promise<Resource[] | undefined>
  /** Lists all objects, page by page. */
  list<T extends KubeObject>(resource: Resource, options?: ListOptions): Promise<T[]>
  /** @returns `undefined` if there is no object with this name */
  get<T extends KubeObject>(resource: Resource, name: ObjectName): Promise<T | undefined>
  /**
   * Server-side apply with this field manager. Without `force` a field of another manager is a conflict (a UserError) and is never
   * overwritten. A manifest with a uid or a resourceVersion is only for this object: any other is a CONFLICT, and so is none for a uid.
   * @returns the object after the change; with `dryRun` the object that would result
   */
  apply<T extends KubeObject>(resource: Resource, manifest: KubeObject, options: ApplyOptions): Promise<T>
  /**
   * Writes a whole object that another owner made, after reading and changing it. Fails with CONFLICT if it was changed since it was
   * read (resourceVersion). For fields that cannot be shared, such as a text in a ConfigMap.
   */
  replace<T extends KubeObject>(resource: Resource, object: T, options: WriteOptions): Promise<T>
  /** Replaces only the managedFields of an object. Fails with CONFLICT if the object was changed since it was read. */
  setManagedFields(resource: Resource, object: KubeObject, managedFields: unknown[]): Promise<void>
  /** Deletes exactly this object (by its uid). @returns `gone` if it did not exist any more */
  delete(resource: Resource, object: KubeObject, options?: { dryRun?: boolean }): Promise<'deleted' | 'gone'>
  /**
   * Reports existing objects as `ADDED`, then every change, until the signal is aborted, the server ends the watch (which it regularly
   * does) or the connection breaks.
   */
  watch<T extends KubeObject>(resource: Resource, options: WatchOptions): AsyncIterable<WatchEvent<T>>
  /** Begins to connect before the first request. */
  connect(): Promise<void>
  /**
   * A connection to a pod's portforward endpoint: a byte stream of SPDY/3.1 frames.
   * @throws UserError FORBIDDEN, NOT_FOUND, CLUSTER_UNREACHABLE
   */
  portForward(pod: Required<ObjectName>): Promise<Upgraded>
  /**
   * A connection to a pod's exec endpoint, which runs one program without stdin. It ends with a Status on the error channel: the protocol
   * is v5.channel.k8s.io or v4.channel.k8s.io, as messages of WebSocket (their first byte is the channel) or as SPDY streams.
   * @throws UserError FORBIDDEN, NOT_FOUND, REJECTED for a container that the pod does not have, CLUSTER_UNREACHABLE
   */
  exec(pod: Required<ObjectName>, command: Command): Promise<Upgraded>
  /**
   * Asks a pod once through the API server's proxy, which opens a new connection, sends no client certificate and accepts any server.
   * @throws UserError FORBIDDEN, NOT_FOUND, CLUSTER_UNREACHABLE
   */
  askPod(pod: Required<ObjectName>, request: PodRequest): Promise<PodAnswer>
  /**
   * The end of a container's log.
   * @param previous of the container before its last restart
   * @throws UserError FORBIDDEN, NOT_FOUND, CLUSTER_UNREACHABLE, and REJECTED if there is no such log
   */
  readLog(pod: Required<ObjectName>, log: { container: string; previous: boolean; lines: number }): Promise<string>
  /** Whether another user may do something; `undefined` without the permission to ask. */
  mayAccess(access: Access): Promise<boolean | undefined>
  /** Drops the shared connection, which may be dead: pending requests fail, and the next one opens another. */
  reconnect(): void
  /** Ends the connection, so that the process can end. */
  close(): Promise<void>
}

/** For messages. Some objects exist once in the cluster. */
export function inNamespace(namespace: string | undefined): string {
  return namespace === undefined ? '' : ` in namespace ${namespace}`
}

/** `gateway.networking.istio.io`: the kind in lower case and its group, as kubectl prints it. */
export function kindName(resource: Pick<Resource, 'kind' | 'group'>): string {
  const kind = resource.kind.toLowerCase()
  return resource.group === '' ? kind : `${kind}.${resource.group}`
}

/** `apiVersion` of a resource: `v1`, `networking.istio.io/v1`. */
export function apiVersion(resource: Pick<Resource, 'group' | 'version'>): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`
}
