/** The real cluster. */
import { isDeepStrictEqual } from 'node:util'
import {
  type Access,
  type ApplyOptions,
  apiVersion,
  type Cluster,
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
} from './cluster.ts'
import { KubeRequests, type KubeRequestsOptions } from './kube-requests.ts'
import { type KubeConfigChoice, loadKubeConfig } from './kubeconfig/kube-config.ts'
import { MANAGER } from './ownership.ts'
import { PODS } from './resources.ts'

const PAGE = 500

const TUNNELS = {
  spdy: { method: 'POST', protocol: 'SPDY/3.1', headers: { 'x-stream-protocol-version': 'portforward.k8s.io' } },
  websocket: {
    method: 'GET',
    protocol: 'websocket',
    headers: { 'sec-websocket-version': '13', 'sec-websocket-protocol': 'SPDY/3.1+portforward.k8s.io' },
  },
} as const

interface ObjectList {
  metadata: { continue?: string }
  items: KubeObject[]
}

export class KubeCluster implements Cluster {
  readonly #requests: KubeRequests
  /** Nothing keeps a silent connection of HTTP/1.1 open, so it is ended before what is in between does that after half a minute. */
  readonly #watchSeconds: number
  #tunnels: Upgraded['protocol'][] = ['spdy', 'websocket']

  constructor(choice: KubeConfigChoice, options: KubeRequestsOptions) {
    this.#watchSeconds = options.asksLittle ? 25 : 300
    this.#requests = new KubeRequests(
      (context) => loadKubeConfig({ ...choice, context: context ?? choice.context }),
      options,
    )
  }

  get context(): string {
    return this.#requests.context
  }

  get namespace(): string {
    return this.#requests.namespace
  }

  get server(): string {
    return this.#requests.server
  }

  async servedVersions(group: string): Promise<string[]> {
    const path = `/apis/${group}`
    const found = await this.#requests.send<{ versions: { version: string }[] }>(
      { method: 'GET', path, what: `discover ${group}` },
      'undefined',
    )
    return found?.versions.map(({ version }) => version) ?? []
  }

  async list<T extends KubeObject>(resource: Resource, options: ListOptions = {}): Promise<T[]> {
    const { namespace, labels, metadataOnly = false } = options
    const items: KubeObject[] = []
    let next: string | undefined
    do {
      const page = await this.#requests.send<ObjectList>({
        method: 'GET',
        path: pathOf(resource, namespace),
        query: { labelSelector: labels, limit: String(PAGE), continue: next },
        ...(metadataOnly ? { accept: 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1' } : {}),
        what: `list ${resource.plural}${namespace === undefined ? '' : ` in namespace ${namespace}`}`,
      })
      items.push(...(page?.items ?? []))
      next = page?.metadata.continue || undefined
    } while (next !== undefined)
    // Items of a list carry neither (or, with metadata only, that of the envelope).
    return items.map((item) => ({ ...item, apiVersion: apiVersion(resource), kind: resource.kind }) as T)
  }

  async get<T extends KubeObject>(resource: Resource, { name, namespace }: ObjectName): Promise<T | undefined> {
    const path = pathOf(resource, namespace, name)
    return this.#requests.send<T>({ method: 'GET', path, what: `read ${kindName(resource)}/${name}` }, 'undefined')
  }

  async apply<T extends KubeObject>(resource: Resource, manifest: KubeObject, options: ApplyOptions = {}): Promise<T> {
    const { dryRun = false, manager = MANAGER } = options
    const { name, namespace } = manifest.metadata
    const applied = await this.#requests.send<T>({
      method: 'PATCH',
      path: pathOf(resource, namespace, name),
      query: { fieldManager: manager, dryRun: dryRun ? 'All' : undefined },
      contentType: 'application/apply-patch+yaml',
      body: manifest,
      what: `apply ${kindName(resource)}/${name} in namespace ${namespace}`,
    })
    return applied as T
  }

  async replace<T extends KubeObject>(resource: Resource, object: T, { dryRun = false } = {}): Promise<T> {
    const { name, namespace } = object.metadata
    const replacing = this.#requests.send<T>({
      method: 'PUT',
      path: pathOf(resource, namespace, name),
      query: { fieldManager: MANAGER, dryRun: dryRun ? 'All' : undefined },
      body: object,
      what: `replace ${kindName(resource)}/${name} in namespace ${namespace}`,
    })
    try {
      return (await replacing) as T
    } catch (error) {
      if (dryRun || (error as { code?: string }).code !== 'CONFLICT') throw error
      // A request that is repeated because its answer was lost conflicts with itself: then all is as we wanted it.
      const present = await this.get<T>(resource, { name, ...(namespace === undefined ? {} : { namespace }) })
      if (present !== undefined && isDeepStrictEqual(contentOf(present), contentOf(object))) return present
      throw error
    }
  }

  async delete(resource: Resource, object: KubeObject, { dryRun = false } = {}): Promise<'deleted' | 'gone'> {
    const { name, namespace, uid } = object.metadata
    const deleting = this.#requests.send(
      {
        method: 'DELETE',
        path: pathOf(resource, namespace, name),
        // In the body, not in the query: the API server does not look at the query of a DELETE that has a body.
        body: { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid }, ...(dryRun && { dryRun: ['All'] }) },
        what: `delete ${kindName(resource)}/${name} in namespace ${namespace}`,
      },
      'undefined',
    )
    try {
      return (await deleting) === undefined ? 'gone' : 'deleted'
    } catch (error) {
      // Another object has taken the name since: ours is gone, and that one is not ours to touch.
      if ((error as { code?: string }).code === 'CONFLICT') return 'gone'
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
      })
      return answer?.status.allowed
    } catch (error) {
      // Most users may not ask about others; then the probe at the end has to tell.
      if ((error as { code?: string }).code === 'FORBIDDEN') return undefined
      throw error
    }
  }

  async *watch<T extends KubeObject>(
    resource: Resource,
    { namespace, labels, signal }: WatchOptions,
  ): AsyncIterable<WatchEvent<T>> {
    const path = pathOf(resource, namespace)
    // Bookmarks come about once a minute: a watch without a word for longer is of a connection that is dead.
    const timeoutSeconds = String(this.#watchSeconds)
    const query = { watch: 'true', labelSelector: labels, allowWatchBookmarks: 'true', timeoutSeconds }
    for await (const line of this.#requests.lines({ path, query, what: `watch ${resource.plural}` }, signal)) {
      const event = JSON.parse(line) as WatchEvent<T> | { type: 'ERROR' }
      // 410: too much has happened since; whoever watches begins anew.
      if (event.type === 'ERROR') return
      yield event
    }
  }

  async connect(): Promise<void> {
    // Why it cannot be had is told to the first request.
    await this.#requests.connect().catch(() => {})
  }

  /**
   * SPDY itself, else in a WebSocket as kubectl prefers it since 1.31: the API server then unpacks and packs all that passes, which costs a
   * third of the throughput. Whichever has worked is asked for first from then on.
   */
  async portForward({ namespace, name }: Required<ObjectName>): Promise<Upgraded> {
    const path = `${pathOf(PODS, namespace, name)}/portforward`
    const what = `forward ports to pod/${name} in namespace ${namespace}`
    for (const protocol of this.#tunnels) {
      const socket = await this.#requests.upgrade({ ...TUNNELS[protocol], path, what })
      if (socket === undefined) continue
      // A new list: somebody else may be half-way through this one.
      this.#tunnels = [protocol, ...this.#tunnels.filter((other) => other !== protocol)]
      return { socket, protocol }
    }
    throw await this.#requests.explain({ method: 'POST', path, what })
  }

  async askPod({ namespace, name }: Required<ObjectName>, request: PodRequest): Promise<PodAnswer> {
    const { scheme = 'http', port, path, query, timeout } = request
    const pod = pathOf(PODS, namespace)
    const target = `${scheme === 'https' ? 'https:' : ''}${name}:${port}`
    const call = {
      method: 'GET' as const,
      path: `${pod}/${target}/proxy${path}`,
      ...(query === undefined ? {} : { query }),
      what: `ask pod/${name} in namespace ${namespace} through the API server's proxy`,
    }
    return this.#requests.pass(call, timeout)
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

function pathOf(resource: Omit<Resource, 'kind'>, namespace: string | undefined, name?: string): string {
  const root = resource.group === '' ? `/api/${resource.version}` : `/apis/${resource.group}/${resource.version}`
  const scope = namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`
  return `${root}${scope}/${resource.plural}${name === undefined ? '' : `/${encodeURIComponent(name)}`}`
}
