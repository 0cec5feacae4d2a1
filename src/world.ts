/** Interfaces to everything outside of the program. `adapters.ts` picks the implementations; tests use fakes. */
import type { AuthorityStore } from './certificates/authority-store.ts'
import type { TrustStores } from './certificates/trust-stores.ts'
import type { Cluster } from './cluster/cluster.ts'
import type { Prober } from './probing/prober.ts'
import type { Terminal } from './terminal/terminal.ts'
import type { Clock } from './time/clock.ts'

export interface Dependencies {
  cluster: Cluster
  terminal: Terminal
  authorities: AuthorityStore
  trustStores: TrustStores
  prober: Prober
  clock: Clock
  /** Name of this machine: `me@laptop`. */
  machine: string
  /** Unpredictable random bytes. */
  random(bytes: number): Uint8Array
  /** A new RSA private key, PKCS#8 PEM. @param bits 2048 by default */
  generateKey(bits?: number): Promise<string>
  /**
   * Writes a new file; never overwrites an existing one.
   * @param mode permissions: `0o600`
   * @throws UserError FILE_EXISTS, FILE_NOT_WRITTEN
   */
  writeFile(path: string, data: string | Uint8Array, mode: number): Promise<void>
}
