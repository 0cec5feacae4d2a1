/** `multicluster certificates`: the files of `cacerts` for each cluster, made without any cluster. */
import type { KeyPair } from '../certificates/authority.ts'
import { createMeshRoot, issueIntermediate, whyUnusable } from '../certificates/mesh-authority.ts'
import type { UserKeyPair } from '../certificates/user-authority.ts'
import type { Dependencies } from '../world.ts'
import { requireTrustFiles } from './trust/choice.ts'
import { fingerprintOf } from './trust/fingerprints.ts'
import { unusable } from './trust/target.ts'

export interface CertificatesRequest {
  /** Short names. */
  readonly clusters: readonly string[]
  readonly out: string
  /** `--root-cert`, `--root-key`; a root is made when left out. */
  readonly root?: UserKeyPair | undefined
  /** Of istiod. */
  readonly namespace: string
}

export interface CertificatesResult {
  /** SHA-256 of the root. */
  root: string
  /** Whether the root was made, so that its key is in the directory. */
  made: boolean
  namespace: string
  clusters: { name: string; directory: string; fingerprint: string }[]
  files: string[]
}

type Needs = Pick<Dependencies, 'clock' | 'random' | 'generateKey' | 'writeFiles'>

/** @throws UserError CA_INVALID (exit 2), FILE_EXISTS, FILE_NOT_WRITTEN */
export async function makeCertificates(
  { clusters, out, root: given, namespace }: CertificatesRequest,
  { clock, random, generateKey, writeFiles }: Needs,
): Promise<CertificatesResult> {
  const now = clock.now()
  const making = { now, random, generateKey }
  const { root: checked } = requireTrustFiles({ root: given, cacerts: new Map() }, now)
  const root = checked ?? (await createMeshRoot(making))
  const signers = await Promise.all(
    clusters.map(async (name) => ({
      name,
      signer: await issueIntermediate(root, { cluster: name, namespace }, making),
    })),
  )
  const made = signers.map(({ name, signer }) => ({ name, signer, files: filesFor(name, signer, root) }))
  for (const { name, signer } of signers) {
    const why = whyUnusable({ signer, chain: [signer.certificate], roots: [root.certificate] }, now)
    if (why !== undefined) throw unusable(name, why)
  }
  const files = [...made.flatMap((one) => one.files), ...(checked === undefined ? rootFiles(root) : [])]
  const paths = await writeFiles(out, files)
  return {
    root: fingerprintOf(root.certificate) ?? '',
    made: checked === undefined,
    namespace,
    clusters: made.map(({ name, signer }) => ({
      name,
      directory: `${out}/${name}`,
      fingerprint: fingerprintOf(signer.certificate) ?? '',
    })),
    files: paths,
  }
}

/** Istio's tools/certs has the same names. */
function filesFor(name: string, { certificate, key }: KeyPair, root: KeyPair) {
  return [
    { path: [name, 'ca-cert.pem'], data: certificate, mode: 0o644 },
    { path: [name, 'ca-key.pem'], data: key, mode: 0o600 },
    { path: [name, 'cert-chain.pem'], data: certificate, mode: 0o644 },
    { path: [name, 'root-cert.pem'], data: root.certificate, mode: 0o644 },
  ]
}

function rootFiles({ certificate, key }: KeyPair) {
  return [
    { path: ['root-cert.pem'], data: certificate, mode: 0o644 },
    { path: ['root-key.pem'], data: key, mode: 0o600 },
  ]
}
