/** New leaves, signed by the CA that clients trust already. */
import { type Authority, issueLeaf, type KeyPair, trustBundle } from '../certificates/authority.ts'
import { tlsSecret } from '../manifests/tls-secret.ts'
import { type CertificateChangeResult, changeCertificates, type NewCertificate } from './change.ts'
import { findHttpsGateways, type HttpsGateway } from './https-gateways.ts'
import type { CertRotateRequest, Needs } from './rotation.ts'
import { leafOf } from './secret-content.ts'
import { withKeyLike } from './serving-certificate.ts'
import { findSignable } from './signing.ts'

export async function rotateLeaves(request: CertRotateRequest, world: Needs): Promise<CertificateChangeResult> {
  const { ours, findings } = await findHttpsGateways(request, world.cluster)
  const { signable, warnings } = await findSignable(ours, world)
  const wanted = await Promise.all(
    signable.map(({ gateway, authority }) => reissue(gateway, authority, request.bits, world)),
  )
  const change = { what: 'Create a new certificate', wanted, warnings: [...findings, ...warnings] }
  return changeCertificates({ ...change, apart: true }, request, world)
}

/** A Secret with a new leaf, signed by this CA, for the hosts of the Gateway. */
export async function reissue(
  gateway: HttpsGateway,
  authority: Authority,
  bits: number | undefined,
  { clock, random, generateKey, machine }: Needs,
): Promise<NewCertificate> {
  const { secret, hosts } = gateway
  const issuing = { now: clock.now(), random, generateKey: (like?: number) => generateKey(bits ?? like) }
  const leaf = await issueLeaf(authority, hosts, withKeyLike(secret && leafOf(secret), issuing))
  return secretWith(gateway, leaf, authority, machine)
}

/** @param signedOn the machine that signed the leaf */
export function secretWith(
  gateway: HttpsGateway,
  leaf: KeyPair,
  authority: Authority,
  signedOn: string | undefined,
): NewCertificate {
  const { namespace } = gateway
  const manifest = tlsSecret({ namespace, ...leaf, authorityCertificate: trustBundle(authority), signedOn })
  return { gateway, manifest }
}
