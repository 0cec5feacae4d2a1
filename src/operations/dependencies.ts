/** What operations need of the world. `base-command.ts` picks the real ones; tests bring their own. */
import type { AuthorityStore } from '../certificates/authority-store.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { Prober } from '../probing/prober.ts'
import type { Terminal } from '../terminal/terminal.ts'

export interface Clock {
  now(): Date
  /**
   * @param milliseconds how long to wait
   * @param signal ends it early, without an error
   */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>
}

export interface Dependencies {
  cluster: Cluster
  terminal: Terminal
  authorities: AuthorityStore
  prober: Prober
  clock: Clock
  /** Random bytes, unpredictable. */
  random(bytes: number): Uint8Array
  /** A new RSA-2048 private key, PKCS#8 PEM. */
  generateKey(): Promise<string>
}

/** Something to know that is no failure, with the next command. */
export interface Warning {
  code: string
  message: string
  remedy: string
}
