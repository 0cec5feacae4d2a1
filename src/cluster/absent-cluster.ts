/** Stands in where there is no cluster to connect to: what needs one fails with the reason, what does not goes on. */
import type { UserError } from '../errors.ts'
import type { Cluster } from './cluster.ts'

export class AbsentCluster implements Cluster {
  readonly context = ''
  readonly namespace = ''
  readonly server = ''
  readonly #why: UserError

  constructor(why: UserError) {
    this.#why = why
  }

  servedVersions(): Promise<never> {
    return Promise.reject(this.#why)
  }

  list(): Promise<never> {
    return Promise.reject(this.#why)
  }

  get(): Promise<never> {
    return Promise.reject(this.#why)
  }

  apply(): Promise<never> {
    return Promise.reject(this.#why)
  }

  replace(): Promise<never> {
    return Promise.reject(this.#why)
  }

  delete(): Promise<never> {
    return Promise.reject(this.#why)
  }

  // biome-ignore lint/correctness/useYield: there is nothing to yield
  async *watch(): AsyncIterable<never> {
    throw this.#why
  }

  async connect(): Promise<void> {}

  portForward(): Promise<never> {
    return Promise.reject(this.#why)
  }

  askPod(): Promise<never> {
    return Promise.reject(this.#why)
  }

  mayAccess(): Promise<never> {
    return Promise.reject(this.#why)
  }

  reconnect(): void {}

  async close(): Promise<void> {}
}
