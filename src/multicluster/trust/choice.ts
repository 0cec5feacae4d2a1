/** Checks the files of `--root-cert`, `--root-key` and `--cacerts`, before anything is read from a cluster. */
import type { KeyPair } from '../../certificates/authority.ts'
import { certificatesIn } from '../../certificates/facts.ts'
import { type SigningFiles, whyUnusable } from '../../certificates/mesh-authority.ts'
import { requireUserRoot, type UserKeyPair } from '../../certificates/user-authority.ts'
import { usageError } from '../../errors.ts'

/** The texts of the files in a directory, by their names. */
export interface CacertsDirectory {
  readonly directory: string
  readonly files: Readonly<Record<(typeof CACERTS_FILES)[number], string>>
}

/** As Istio's tools/certs writes them, and as `cacerts` has them. */
export const CACERTS_FILES = ['ca-cert.pem', 'ca-key.pem', 'cert-chain.pem', 'root-cert.pem'] as const

/** What the flags name. */
export interface TrustFiles {
  readonly root?: UserKeyPair | undefined
  /** By the name of a cluster. */
  readonly cacerts: ReadonlyMap<string, CacertsDirectory>
}

/** @throws UserError CA_INVALID, CACERTS_INVALID (exit 2) */
export function requireTrustFiles(
  { root, cacerts }: TrustFiles,
  now: Date,
): { root?: KeyPair; files: Map<string, SigningFiles> } {
  const files = new Map([...cacerts].map(([name, directory]) => [name, filesOf(directory, now)] as const))
  return root === undefined ? { files } : { root: requireUserRoot(root, now), files }
}

function filesOf({ directory, files }: CacertsDirectory, now: Date): SigningFiles {
  const roots = certificatesIn(files['root-cert.pem'])
  const [certificate = ''] = certificatesIn(files['ca-cert.pem'])
  const chain = certificatesIn(files['cert-chain.pem'])
  const found = { signer: { certificate, key: files['ca-key.pem'] }, chain, roots }
  const why = whyUnusable(found, now)
  if (why === undefined) return found
  throw usageError('CACERTS_INVALID', `--cacerts: istiod could not sign with the files in ${directory}: ${why}`)
}
