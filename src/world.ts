/** What operations need of the world. `telemetry-command.ts` picks the real ones; tests bring their own. */
import type { AuthorityStore } from './certificates/authority-store.ts'
import type { TrustStores } from './certificates/trust-stores.ts'
import type { Cluster } from './cluster/cluster.ts'
import type { Prober } from './probing/prober.ts'
import type { Terminal } from './terminal/terminal.ts'

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
  trustStores: TrustStores
  prober: Prober
  clock: Clock
  /** Whose machine this is: `me@laptop`. */
  machine: string
  /** Random bytes, unpredictable. */
  random(bytes: number): Uint8Array
  /** A new RSA private key, PKCS#8 PEM. @param bits 2048 when left out */
  generateKey(bits?: number): Promise<string>
  /**
   * Writes a new file, never over one that is there.
   * @param mode 0o600, say
   * @throws UserError FILE_EXISTS, FILE_NOT_WRITTEN
   */
  writeFile(path: string, data: string | Uint8Array, mode: number): Promise<void>
}

/** Something to know that is no failure, with the next command. */
export interface Warning {
  code: string
  message: string
  remedy: string
}
