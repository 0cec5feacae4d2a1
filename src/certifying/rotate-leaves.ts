/** New leaves, signed by the authority that clients trust already. */
import { type Authority, issueLeaf, type KeyPair, trustedWith } from '../certificates/authority.ts'
import { tlsSecret } from '../manifests/tls-secret.ts'
import { type CertificatesChanged, changeCertificates, type NewCertificate } from './change.ts'
import { findHttpsGateways, type HttpsGateway, requireOwnSecret } from './https-gateways.ts'
import type { CertRotateRequest, RotatingNeeds } from './rotate.ts'
import { leafOf, requireAuthority, withKeyLike } from './serving-certificate.ts'

export async function rotateLeaves(request: CertRotateRequest, world: RotatingNeeds): Promise<CertificatesChanged> {
  const gateways = await findHttpsGateways(request, world.cluster)
  const wanted = await Promise.all(
    gateways.map(async (gateway) => {
      const authority = await requireAuthority(requireOwnSecret(gateway), gateway.secret, world)
      return reissued(gateway, authority, request.bits, world)
    }),
  )
  return changeCertificates('Make a new certificate', wanted, request, world)
}

/** A Secret with a new leaf of this authority for the hosts of the Gateway. */
export async function reissued(
  gateway: HttpsGateway,
  authority: Authority,
  bits: number | undefined,
  { clock, random, generateKey, machine }: RotatingNeeds,
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
  const manifest = tlsSecret({ namespace, ...leaf, authorityCertificate: trustedWith(authority), signedOn })
  return { gateway, manifest }
}
