/** Where authorities are kept: on the machine of the person who made them, never in the cluster. */
import type { Authority } from './authority.ts'

export interface AuthorityStore {
  /** The domain's authority, if this machine has it. */
  find(domain: string): Promise<Authority | undefined>
  /** Keeps a new authority and returns the one that is kept: somebody else's, if a second run was faster. */
  keep(authority: Authority): Promise<Authority>
  /** Every authority that this machine has. */
  list(): Promise<{ domain: string; directory: string }[]>
  /** Forgets the domain's authority for good: what it signed can no longer be renewed. */
  remove(domain: string): Promise<void>
  /** The file with the domain's authority certificate, for people to trust and for curl's --cacert. */
  certificatePath(domain: string): string
}
