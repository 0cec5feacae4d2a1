/** The real trust stores of this machine. */
import { getCACertificates } from 'node:tls'
import type { TrustStores } from './trust-stores.ts'

export class SystemTrustStores implements TrustStores {
  async systemRoots(): Promise<string[]> {
    return getCACertificates('system')
  }
}
