/** EndpointSlices, and a cluster with watches of them and tunnels to pods. */
import type {
  KubeObject,
  ListOptions,
  ObjectName,
  Resource,
  Upgraded,
  WatchEvent,
  WatchOptions,
} from '../../src/cluster/cluster.ts'
import type { EndpointSlice } from '../../src/cluster/objects.ts'
import { FakeCluster } from './fake-cluster.ts'
import { FakeKubelet, SPEAKS_HTTP } from './fake-kubelet.ts'

type Endpoint = NonNullable<EndpointSlice['endpoints']>[number]
type Event = WatchEvent<EndpointSlice>

export function endpoint(pod: string, conditions: Endpoint['conditions'] = { ready: true }): Endpoint {
  return { ...(conditions && { conditions }), targetRef: { kind: 'Pod', name: pod } }
}

export function slice(
  name: string,
  endpoints: EndpointSlice['endpoints'],
  ports: EndpointSlice['ports'] = [{ name: '', port: 3000 }],
): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name, namespace: 'default' },
    ...(ports !== undefined && { ports }),
    ...(endpoints !== undefined && { endpoints }),
  }
}

export class FakeWatchCluster extends FakeCluster {
  /** Running watches in order of their start. */
  readonly watches: FakeWatch[] = []
  /** How many watches have been started. */
  startedWatches = 0
  readonly asked: WatchOptions[] = []
  /** Errors of the next watches. */
  readonly refusals: Error[] = []
  /** Slices that a new watch reports first. */
  slices: EndpointSlice[] = []
  readonly kubelets: { pod: string; kubelet: FakeKubelet }[] = []
  /** The answer of pods to the first bytes of a connection. */
  answer: string | undefined
  /** What pods answer when they are asked whether they speak HTTPS; nothing if it is undefined. */
  scheme: string | undefined = SPEAKS_HTTP
  /** Requested tunnels, also failed ones. */
  dials = 0
  /** Errors of tunnels, by pod. */
  readonly unreachable = new Map<string, Error>()

  /** Promises that lists wait for, by the plural of their kind. */
  readonly delays = new Map<string, Promise<void>>()

  override async list<T extends KubeObject>(resource: Resource, options?: ListOptions): Promise<T[]> {
    await this.delays.get(resource.plural)
    return super.list<T>(resource, options)
  }

  override async *watch<T extends KubeObject>(
    _resource: Resource,
    options: WatchOptions,
  ): AsyncIterable<WatchEvent<T>> {
    this.startedWatches++
    this.asked.push(options)
    const refusal = this.refusals.shift()
    if (refusal !== undefined) throw refusal
    const watch = new FakeWatch(options.signal)
    this.watches.push(watch)
    for (const object of this.slices) watch.send('ADDED', object)
    try {
      for await (const event of watch.events()) yield event as unknown as WatchEvent<T>
    } finally {
      this.watches.splice(this.watches.indexOf(watch), 1)
    }
  }

  reconnected = 0

  override reconnect(): void {
    this.reconnected++
  }

  override async portForward({ name }: Required<ObjectName>): Promise<Upgraded> {
    this.dials++
    const refusal = this.unreachable.get(name)
    if (refusal !== undefined) throw refusal
    const kubelet = new FakeKubelet()
    kubelet.answer = this.answer
    kubelet.scheme = this.scheme
    this.kubelets.push({ pod: name, kubelet })
    return kubelet.upgraded
  }

  /** Changes a slice, and reports it to all watches. */
  change(...slices: EndpointSlice[]): void {
    this.slices = slices
    for (const object of slices) for (const watch of this.watches) watch.send('MODIFIED', object)
  }
}

class FakeWatch {
  readonly #queue: (Event | Error | 'end')[] = []
  #wake: () => void = () => {}

  constructor(signal: AbortSignal) {
    signal.addEventListener('abort', () => this.fail(new Error('called off')))
  }

  send(type: Event['type'], object: EndpointSlice): void {
    this.#push({ type, object })
  }

  end(): void {
    this.#push('end')
  }

  fail(error: Error): void {
    this.#push(error)
  }

  async *events(): AsyncIterable<Event> {
    for (;;) {
      const next = this.#queue.shift()
      if (next === 'end') return
      if (next instanceof Error) throw next
      if (next !== undefined) yield next
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
    }
  }

  #push(event: Event | Error | 'end'): void {
    this.#queue.push(event)
    this.#wake()
  }
}
