/** Where authorities are kept: on the machine of the person who made them, never in the cluster. */
import type { Authority, KeyPair } from './authority.ts'

export interface AuthorityStore {
  /** The domain's authority, if this machine has it. */
  find(domain: string): Promise<Authority | undefined>
  /** Keeps a new authority and returns the one that is kept: somebody else's, if a second run was faster. */
  keep(authority: Authority): Promise<Authority>
  /**
   * Begins a rotation: keeps the domain's next authority beside the one that signs, and both in the file that clients trust.
   * @returns the one that is kept: somebody else's, if another run was faster
   */
  keepNext(domain: string, next: KeyPair): Promise<KeyPair>
  /** Ends a rotation: the next authority takes the place of the one before, which is forgotten. */
  promoteNext(domain: string): Promise<void>
  /** Every authority that this machine has. */
  list(): Promise<{ domain: string; directory: string }[]>
  /** Forgets the domain's authority for good: what it signed can no longer be renewed. */
  remove(domain: string): Promise<void>
  /** The file with the domain's authority certificate, for people to trust and for curl's --cacert. */
  certificatePath(domain: string): string
}
