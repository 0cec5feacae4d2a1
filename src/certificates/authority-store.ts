/** Stores CAs with their keys: on the user's machine, never in the cluster. */
import type { Authority, KeyPair } from './authority.ts'
import type { AuthorityUse } from './authority-uses.ts'

export interface AuthorityStore {
  /** @returns the domain's CA, if this machine has it */
  find(domain: string): Promise<Authority | undefined>
  /** Stores a new CA. @returns the stored one, which is another run's if that was faster */
  keep(authority: Authority): Promise<Authority>
  /**
   * Begins a rotation: stores the domain's next CA next to the current one, and both certificates in the file that clients trust.
   * @returns the stored next CA, which is another run's if that was faster
   */
  keepNext(domain: string, next: KeyPair): Promise<KeyPair>
  /** Ends a rotation: the next CA replaces the current one, which is deleted. */
  promoteNext(domain: string): Promise<void>
  /** For which gateways the domain's CA works; none without a record. */
  usesOf(domain: string): Promise<AuthorityUse[]>
  /** Records a gateway for which the domain's CA works. The CA must be stored. */
  recordUse(domain: string, use: AuthorityUse): Promise<void>
  /** Lists all CAs of this machine. */
  list(): Promise<{ domain: string; directory: string }[]>
  /** Deletes the domain's CA: certificates that it signed can no longer be renewed. */
  remove(domain: string): Promise<void>
  /** The file with the domain's CA certificate, for trust stores and for curl's --cacert. */
  certificatePath(domain: string): string
}
