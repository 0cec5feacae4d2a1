/** Shared by tests that look for strangers who get a page before a guard is in force. */
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { copied } from '../fakes/copied.ts'
import { FakeCluster } from '../fakes/fake-cluster.ts'
import { type Asked, FakeGateway } from '../fakes/fake-gateway.ts'
import { FakeTerminal } from '../fakes/fake-terminal.ts'
import { type FakeWorld, fakeWorld } from '../fakes/fake-world.ts'

/** A mesh with its gateway. Strangers ask in every way after each write, each push, and in between. */
export class WatchedMesh {
  readonly cluster: FakeCluster
  readonly gateway: FakeGateway
  readonly world: FakeWorld
  /** Pages that strangers got. */
  readonly pages: string[] = []
  /** The objects after each write. */
  readonly cuts: KubeObject[][] = []
  /** Whether strangers may enter now: before a guard is asked for the first time. */
  isOpen = false
  /** Whether istiod sends each change at once; otherwise only while the run waits. */
  readonly #eager: boolean
  readonly #places: readonly Asked[]
  #last = ''

  /** @param places every place at which strangers ask */
  constructor(objects: KubeObject[], places: readonly Asked[], eager = true) {
    this.#places = places
    this.#eager = eager
    this.cluster = new FakeCluster(objects)
    this.gateway = new FakeGateway(this.cluster)
    this.gateway.trustsProxies = true
    this.world = fakeWorld(this.cluster, new FakeTerminal())
    const { prober, clock } = this.world
    prober.page = ({ host, port, path, authorization }) =>
      this.#probe({ host, port, path, isFriend: authorization !== undefined })
    prober.guarding = ({ host, port, path }) => this.#probe({ host, port, path })
    const sleep = clock.sleep.bind(clock)
    clock.sleep = async (time) => {
      this.push()
      if (time > 40_000) this.gateway.drain()
      return sleep(time)
    }
    this.#watch()
  }

  push(): void {
    this.gateway.push(() => this.#askAsStrangers())
  }

  #watch(): void {
    this.cluster.afterNextWrite = (objects) => {
      this.cuts.push(copied(objects))
      if (this.#eager) this.push()
      this.#last = this.cluster.writes.at(-1)?.object ?? ''
      this.#watch()
    }
  }

  #probe(asked: Asked) {
    const sni = this.gateway.ask({ ...asked, sni: asked.host }).status === 0 ? undefined : asked.host
    return this.gateway.probe({ ...asked, sni })
  }

  #askAsStrangers(): void {
    if (this.isOpen) return
    for (const place of this.#places)
      for (const { by, status } of this.gateway.askOverAll(place))
        if (by === 'page' && status < 400)
          this.pages.push(`${status} at ${JSON.stringify(place)} after ${this.#last} (${this.cuts.length})`)
  }
}
