/** Pure: who signs the certificates of a cluster's workloads, by the Secrets that istiod reads and by its settings. */
import type { KeyPair } from '../../certificates/authority.ts'
import { certificatesIn, MOST_CERTIFICATES } from '../../certificates/facts.ts'
import type { SigningFiles } from '../../certificates/mesh-authority.ts'
import type { Deployment, Secret } from '../../cluster/objects.ts'
import { CONNECTING, isOwnedBy } from '../../cluster/ownership.ts'
import { variableOf } from '../../gateways/mesh-config.ts'

/**
 * `self-signed`: istiod made a CA itself. `ours`: `connect` wrote `cacerts`. `plugged-in`: somebody else did; `tls-secret` and `cert-manager`
 * say how. `istio-generated`: istiod keeps its own CA in `cacerts`. `external`: another program signs. `incomplete`: istiod cannot start.
 */
export type SignerKind =
  | 'self-signed'
  | 'ours'
  | 'plugged-in'
  | 'tls-secret'
  | 'cert-manager'
  | 'istio-generated'
  | 'external'
  | 'incomplete'

export interface Signer {
  readonly kind: SignerKind
  /** Left out where nothing readable signs: `external`, `incomplete`, and a self-signed CA that is not there yet. */
  readonly files?: SigningFiles
}

/** What `cacerts` and `istio-ca-secret` hold. */
export interface SignerSecrets {
  readonly plugged: Secret | undefined
  readonly selfSigned: Secret | undefined
}

export function signerOf({ plugged, selfSigned }: SignerSecrets, istiods: readonly Deployment[]): Signer {
  if (istiods.some(isSignedElsewhere)) return { kind: 'external' }
  if (plugged === undefined) return { kind: 'self-signed', ...withFiles(ownFiles(selfSigned)) }
  const files = filesIn(plugged)
  if (files === undefined) return { kind: 'incomplete' }
  return { kind: kindOf(plugged), files }
}

/** The CA that istiod made itself: it is used again when `cacerts` is gone. */
export function ownFiles(secret: Secret | undefined): SigningFiles | undefined {
  const signer = pairIn(secret, 'ca-cert.pem', 'ca-key.pem')
  return signer && { signer, chain: [], roots: [signer.certificate] }
}

function withFiles(files: SigningFiles | undefined): { files?: SigningFiles } {
  return files === undefined ? {} : { files }
}

function kindOf(secret: Secret): SignerKind {
  if (isOwnedBy(secret, CONNECTING)) return 'ours'
  const { annotations = {} } = secret.metadata
  if (Object.keys(annotations).some((name) => name.startsWith('cert-manager.io/'))) return 'cert-manager'
  if ('istio-generated' in (secret.data ?? {})) return 'istio-generated'
  return 'tls.crt' in (secret.data ?? {}) ? 'tls-secret' : 'plugged-in'
}

/** As istiod reads the Secret: `tls.crt` wins (`detectSigningCABundleAndCRL` in pilot/pkg/bootstrap/istio_ca.go). */
function filesIn(secret: Secret): SigningFiles | undefined {
  const { data = {} } = secret
  if ('tls.crt' in data) {
    const signer = pairIn(secret, 'tls.crt', 'tls.key')
    const roots = certificatesOf(data['ca.crt'])
    const chain = certificatesOf(data['tls.crt'])
    return signer === undefined || roots.length === 0 ? undefined : { signer, chain, roots }
  }
  const signer = pairIn(secret, 'ca-cert.pem', 'ca-key.pem')
  const roots = certificatesOf(data['root-cert.pem'])
  const hasAll = 'cert-chain.pem' in data && roots.length > 0
  return signer === undefined || !hasAll ? undefined : { signer, chain: certificatesOf(data['cert-chain.pem']), roots }
}

function pairIn(secret: Secret | undefined, certificate: string, key: string): KeyPair | undefined {
  const [first] = certificatesOf(secret?.data?.[certificate])
  const text = decoded(secret?.data?.[key])
  return first === undefined || text === '' ? undefined : { certificate: first, key: text }
}

function certificatesOf(base64: string | undefined): string[] {
  return certificatesIn(decoded(base64)).slice(0, MOST_CERTIFICATES)
}

function decoded(base64 = ''): string {
  return Buffer.from(base64, 'base64').toString('utf8')
}

/** https://istio.io/latest/docs/reference/commands/pilot-discovery/#envvars */
function isSignedElsewhere({ spec: { template } }: Deployment): boolean {
  return (
    variableOf(template, 'EXTERNAL_CA') !== '' ||
    variableOf(template, 'ENABLE_CA_SERVER') === 'false' ||
    variableOf(template, 'PILOT_CERT_PROVIDER').startsWith('k8s.io/')
  )
}
