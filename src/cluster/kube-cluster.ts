/** A real cluster behind an API server. */

import { isDeepStrictEqual } from 'node:util'
import { hasCode } from '../errors.ts'
import { isPathSegment, isPlainPath } from '../text.ts'
import {
  type Access,
  type ApplyOptions,
  apiVersion,
  type Cluster,
  type Command,
  inNamespace,
  type KubeObject,
  kindName,
  type ListOptions,
  type ObjectName,
  type PodAnswer,
  type PodRequest,
  type Resource,
  type Upgraded,
  type WatchEvent,
  type WatchOptions,
  type WriteOptions,
} from './cluster.ts'
import { DISCOVERY, namespacedIn } from './discovery.ts'
import { isGroup, isList, isObject, isReview, slim } from './kube-answers.ts'
import { KubeRequests, type KubeRequestsOptions } from './kube-requests.ts'
import { KubeUpgrades } from './kube-upgrades.ts'
import { type KubeConfigChoice, loadKubeConfig } from './kubeconfig/kube-config.ts'
import { PODS, pathOf } from './resources.ts'

const PAGE = 500

interface ObjectList {
  metadata: { continue?: string }
  items: KubeObject[]
}

export class KubeCluster implements Cluster {
  readonly #requests: KubeRequests
  /** HTTP/1.1 has no pings: a watch ends before proxies close a connection that is silent for half a minute. */
  readonly #watchSeconds: number
  readonly #upgrades: KubeUpgrades

  constructor(choice: KubeConfigChoice, options: KubeRequestsOptions) {
    this.#watchSeconds = options.fewRequests ? 25 : 300
    this.#requests = new KubeRequests(
      (context) => loadKubeConfig({ ...choice, context: context ?? choice.context }),
      options,
    )
    this.#upgrades = new KubeUpgrades(this.#requests)
  }

  get context(): string {
    return this.#requests.context
  }

  get namespace(): string {
    return this.#requests.namespace
  }

  get server(): string {
    return this.#requests.peer.server
  }

  get clockAhead(): number | undefined {
    return this.#requests.clockAhead
  }

  get verifiedBy(): string {
    return this.#requests.peer.verifiedBy
  }

  async servedVersions(group: string): Promise<string[]> {
    const call = { method: 'GET', path: `/apis/${group}`, what: `discover ${group}`, shape: isGroup } as const
    const found = await this.#requests.send<{ versions: { version: string }[] }>(call, 'undefined')
    return found?.versions.map(({ version }) => version) ?? []
  }

  async namespacedKinds(): Promise<Resource[] | undefined> {
    return namespacedIn(await Promise.all(DISCOVERY.map((call) => this.#requests.send(call))))
  }

  async list<T extends KubeObject>(resource: Resource, options: ListOptions = {}): Promise<T[]> {
    if (options.namespace !== undefined && !isPathSegment(options.namespace)) return []
    const items = await this.#pages(resource, options).catch((error: unknown) => {
      // Like client-go's pager: the API server forgets the rest of a slow list, and then gives all of it at once.
      if (hasCode(error, 'LIST_EXPIRED')) return this.#page(resource, options, {})
      throw error
    })
    // Items of a list have neither (with metadata only, they have those of the envelope).
    const listed = Array.isArray(items) ? items : (items?.items ?? [])
    return listed.map(
      (item) => ({ ...slim(item, resource), apiVersion: apiVersion(resource), kind: resource.kind }) as T,
    )
  }

  async #pages(resource: Resource, options: ListOptions): Promise<KubeObject[]> {
    const items: KubeObject[] = []
    let next: string | undefined
    do {
      const page = await this.#page(resource, options, { limit: String(PAGE), continue: next })
      for (const item of page?.items ?? []) items.push(slim(item, resource))
      next = page?.metadata.continue || undefined
    } while (next !== undefined)
    return items
  }

  #page(
    resource: Resource,
    { namespace, labels, fields, metadataOnly = false }: ListOptions,
    part: { limit?: string; continue?: string | undefined },
  ): Promise<ObjectList | undefined> {
    return this.#requests.send<ObjectList>({
      method: 'GET',
      path: pathOf(resource, namespace),
      query: { labelSelector: labels, fieldSelector: fields, ...part },
      ...(metadataOnly ? { accept: 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1' } : {}),
      what: `list ${resource.plural}${inNamespace(namespace)}`,
      shape: isList,
    })
  }

  async get<T extends KubeObject>(resource: Resource, { name, namespace }: ObjectName): Promise<T | undefined> {
    // No object can have such a name; it comes from a field of another object.
    if (!isPathSegment(name) || (namespace !== undefined && !isPathSegment(namespace))) return undefined
    const path = pathOf(resource, namespace, name)
    const what = `read ${kindName(resource)}/${name}`
    return this.#requests.send<T>({ method: 'GET', path, what, shape: isObject }, 'undefined')
  }

  async apply<T extends KubeObject>(resource: Resource, manifest: KubeObject, options: ApplyOptions): Promise<T> {
    const { dryRun = false, manager, force } = options
    const { name, namespace } = manifest.metadata
    const applied = await this.#requests.send<T>({
      method: 'PATCH',
      path: pathOf(resource, namespace, name),
      query: { fieldManager: manager, dryRun: dryRun ? 'All' : undefined, force: force ? 'true' : undefined },
      contentType: 'application/apply-patch+yaml',
      body: manifest,
      what: `apply ${kindName(resource)}/${name}${inNamespace(namespace)}`,
      shape: isObject,
    })
    return applied as T
  }

  async replace<T extends KubeObject>(resource: Resource, object: T, options: WriteOptions): Promise<T> {
    const { dryRun = false, manager } = options
    const { name, namespace } = object.metadata
    const replacing = this.#requests.send<T>({
      method: 'PUT',
      path: pathOf(resource, namespace, name),
      query: { fieldManager: manager, dryRun: dryRun ? 'All' : undefined },
      body: object,
      what: `replace ${kindName(resource)}/${name}${inNamespace(namespace)}`,
      shape: isObject,
    })
    try {
      return (await replacing) as T
    } catch (error) {
      if (dryRun || !hasCode(error, 'CONFLICT')) throw error
      // A request that is repeated after a lost answer conflicts with itself; then the object already has the wanted content.
      const present = await this.get<T>(resource, { name, ...(namespace === undefined ? {} : { namespace }) })
      if (present !== undefined && isDeepStrictEqual(contentOf(present), contentOf(object))) return present
      throw error
    }
  }

  async setManagedFields(resource: Resource, object: KubeObject, managedFields: unknown[]): Promise<void> {
    const { name, namespace, resourceVersion } = object.metadata
    await this.#requests.send({
      method: 'PATCH',
      path: pathOf(resource, namespace, name),
      contentType: 'application/merge-patch+json',
      body: { metadata: { resourceVersion, managedFields } },
      what: `change the field managers of ${kindName(resource)}/${name}${inNamespace(namespace)}`,
    })
  }

  async delete(resource: Resource, object: KubeObject, { dryRun = false } = {}): Promise<'deleted' | 'gone'> {
    const { name, namespace, uid } = object.metadata
    const deleting = this.#requests.send(
      {
        method: 'DELETE',
        path: pathOf(resource, namespace, name),
        // In the body, because the API server ignores the query of a DELETE with a body.
        body: { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid }, ...(dryRun && { dryRun: ['All'] }) },
        what: `delete ${kindName(resource)}/${name}${inNamespace(namespace)}`,
      },
      'undefined',
    )
    try {
      return (await deleting) === undefined ? 'gone' : 'deleted'
    } catch (error) {
      // Another object has the name now: ours is gone, and the new one must not be changed.
      if (hasCode(error, 'CONFLICT')) return 'gone'
      throw error
    }
  }

  async mayAccess({ user, groups, verb, group, resource, namespace }: Access): Promise<boolean | undefined> {
    const review = {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec: { user, groups, resourceAttributes: { verb, group, resource, namespace } },
    }
    try {
      const answer = await this.#requests.send<{ status: { allowed: boolean } }>({
        method: 'POST',
        path: '/apis/authorization.k8s.io/v1/subjectaccessreviews',
        body: review,
        what: 'create subjectaccessreviews',
        shape: isReview,
      })
      return answer?.status.allowed
    } catch (error) {
      // Most users may not ask about others; then only the probe at the end shows it.
      if (hasCode(error, 'FORBIDDEN')) return undefined
      throw error
    }
  }

  async *watch<T extends KubeObject>(
    resource: Resource,
    { namespace, labels, signal }: WatchOptions,
  ): AsyncIterable<WatchEvent<T>> {
    const path = pathOf(resource, namespace)
    // Bookmarks come about once a minute: the connection of a watch that is silent for longer is dead.
    const timeoutSeconds = String(this.#watchSeconds)
    const query = { watch: 'true', labelSelector: labels, allowWatchBookmarks: 'true', timeoutSeconds }
    for await (const line of this.#requests.lines({ path, query, what: `watch ${resource.plural}` }, signal)) {
      const event = JSON.parse(line) as WatchEvent<T> | { type: 'ERROR' }
      // 410: the resource version is too old, and the caller has to watch again.
      if (event.type === 'ERROR') return
      yield event
    }
  }

  async connect(): Promise<void> {
    // The first request reports the error.
    await this.#requests.connect().catch(() => {})
  }

  portForward(pod: Required<ObjectName>): Promise<Upgraded> {
    return this.#upgrades.portForward(pod)
  }

  exec(pod: Required<ObjectName>, command: Command): Promise<Upgraded> {
    return this.#upgrades.exec(pod, command)
  }

  async askPod({ namespace, name }: Required<ObjectName>, request: PodRequest): Promise<PodAnswer> {
    const { method = 'GET', scheme = 'http', port, path, query, userAgent, timeout } = request
    if (!isPlainPath(path)) return { failed: `the path ${JSON.stringify(path)} is not a plain one` }
    const target = `${scheme === 'https' ? 'https:' : ''}${encodeURIComponent(name)}:${port}`
    const call = {
      method,
      path: `${pathOf(PODS, namespace)}/${target}/proxy${path}`,
      ...(query === undefined ? {} : { query }),
      ...(userAgent === undefined ? {} : { userAgent }),
      what: `ask pod/${name} in namespace ${namespace} through the API server's proxy`,
    }
    return this.#requests.pass(call, timeout)
  }

  async readLog(...[{ namespace, name }, { container, previous, lines }]: Parameters<Cluster['readLog']>) {
    const query = { container, tailLines: String(lines), previous: previous ? 'true' : undefined }
    const what = `read the log of pod/${name} in namespace ${namespace}`
    const path = `${pathOf(PODS, namespace, name)}/log`
    const answer = await this.#requests.pass({ method: 'GET', path, query, what })
    return 'failed' in answer ? '' : answer.body
  }

  reconnect(): void {
    this.#requests.reconnect()
  }

  async close(): Promise<void> {
    await this.#requests.close()
  }
}

function contentOf({ metadata: { labels = {}, annotations = {} }, ...content }: KubeObject): object {
  return { ...content, labels, annotations }
}
