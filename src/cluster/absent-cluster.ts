/** Stands in when no cluster is configured: every access fails with the reason, while work without a cluster continues. */
import type { UserError } from '../errors.ts'
import type { Cluster } from './cluster.ts'

export class AbsentCluster implements Cluster {
  readonly context = ''
  readonly namespace = ''
  readonly server = ''
  readonly clockAhead = undefined
  readonly verifiedBy = ''
  readonly #why: UserError

  constructor(why: UserError) {
    this.#why = why
  }

  servedVersions(): Promise<never> {
    return Promise.reject(this.#why)
  }

  namespacedKinds(): Promise<never> {
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

  setManagedFields(): Promise<never> {
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

  exec(): Promise<never> {
    return Promise.reject(this.#why)
  }

  askPod(): Promise<never> {
    return Promise.reject(this.#why)
  }

  readLog(): Promise<never> {
    return Promise.reject(this.#why)
  }

  mayAccess(): Promise<never> {
    return Promise.reject(this.#why)
  }

  reconnect(): void {}

  async close(): Promise<void> {}
}
