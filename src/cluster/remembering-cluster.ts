/**
 * A cluster that reads nothing twice: several surveys of one command share their reads. Each write clears the memory, so that later reads
 * see its result.
 */
import type {
  Access,
  ApplyOptions,
  Cluster,
  Command,
  KubeObject,
  ListOptions,
  ObjectName,
  PodAnswer,
  PodRequest,
  Resource,
  Upgraded,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from './cluster.ts'
import { readable } from './reading.ts'

export class RememberingCluster implements Cluster {
  readonly #cluster: Cluster
  readonly #reads = new Map<string, Promise<unknown>>()

  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  get context(): string {
    return this.#cluster.context
  }

  get namespace(): string {
    return this.#cluster.namespace
  }

  get server(): string {
    return this.#cluster.server
  }

  get clockAhead(): number | undefined {
    return this.#cluster.clockAhead
  }

  get verifiedBy(): string {
    return this.#cluster.verifiedBy
  }

  servedVersions(group: string): Promise<string[]> {
    return this.#once(['versions', group], () => this.#cluster.servedVersions(group))
  }

  namespacedKinds(): Promise<Resource[] | undefined> {
    return this.#once(['kinds'], () => this.#cluster.namespacedKinds())
  }

  /** Finds the objects of one namespace in a list of all namespaces, if that has been read. */
  async list<T extends KubeObject>(resource: Resource, options: ListOptions = {}): Promise<T[]> {
    const { namespace, labels, fields, metadataOnly } = options
    const keyOf = (place?: string) => ['list', resource, place, labels, fields, metadataOnly]
    if (namespace !== undefined) {
      const everywhere = this.#reads.get(JSON.stringify(keyOf()))
      const all = everywhere && ((await readable(everywhere)) as T[] | undefined)
      if (all !== undefined) return all.filter(({ metadata }) => metadata.namespace === namespace)
    }
    return [...(await this.#once(keyOf(namespace), () => this.#cluster.list<T>(resource, options)))]
  }

  get<T extends KubeObject>(resource: Resource, { name, namespace }: ObjectName): Promise<T | undefined> {
    const where = { name, ...(namespace === undefined ? {} : { namespace }) }
    return this.#once(['get', resource, namespace, name], () => this.#cluster.get<T>(resource, where))
  }

  mayAccess(access: Access): Promise<boolean | undefined> {
    return this.#once(['access', access], () => this.#cluster.mayAccess(access))
  }

  apply<T extends KubeObject>(resource: Resource, manifest: KubeObject, options: ApplyOptions): Promise<T> {
    return this.#writing(options, this.#cluster.apply<T>(resource, manifest, options))
  }

  replace<T extends KubeObject>(resource: Resource, object: T, options: WriteOptions): Promise<T> {
    return this.#writing(options, this.#cluster.replace(resource, object, options))
  }

  setManagedFields(resource: Resource, object: KubeObject, managedFields: unknown[]): Promise<void> {
    return this.#writing({}, this.#cluster.setManagedFields(resource, object, managedFields))
  }

  delete(resource: Resource, object: KubeObject, options: { dryRun?: boolean } = {}): Promise<'deleted' | 'gone'> {
    return this.#writing(options, this.#cluster.delete(resource, object, options))
  }

  watch<T extends KubeObject>(resource: Resource, options: WatchOptions): AsyncIterable<WatchEvent<T>> {
    return this.#cluster.watch(resource, options)
  }

  connect(): Promise<void> {
    return this.#cluster.connect()
  }

  portForward(pod: Required<ObjectName>): Promise<Upgraded> {
    return this.#cluster.portForward(pod)
  }

  exec(pod: Required<ObjectName>, command: Command): Promise<Upgraded> {
    return this.#cluster.exec(pod, command)
  }

  askPod(pod: Required<ObjectName>, request: PodRequest): Promise<PodAnswer> {
    return this.#cluster.askPod(pod, request)
  }

  readLog(...[pod, log]: Parameters<Cluster['readLog']>): Promise<string> {
    return this.#cluster.readLog(pod, log)
  }

  reconnect(): void {
    this.#cluster.reconnect()
  }

  close(): Promise<void> {
    return this.#cluster.close()
  }

  #once<T>(key: unknown, read: () => Promise<T>): Promise<T> {
    const text = JSON.stringify(key)
    const known = this.#reads.get(text) as Promise<T> | undefined
    const reading = known ?? read()
    this.#reads.set(text, reading)
    return reading
  }

  /** A read during a write may return the state before it, and is not remembered. */
  async #writing<T>({ dryRun = false }: { dryRun?: boolean }, write: Promise<T>): Promise<T> {
    const forget = () => {
      if (!dryRun) this.#reads.clear()
    }
    forget()
    return write.finally(forget)
  }
}
