/** New leaves for what is exposed over HTTPS, signed by the authority that clients trust already. */
import { issueLeaf } from '../certificates/authority.ts'
import { tlsSecret } from '../manifests/tls-secret.ts'
import {
  type CertificatesChanged,
  type Changing,
  type ChangingNeeds,
  changeCertificates,
  type NewCertificate,
} from './change-certificates.ts'
import type { Dependencies } from './dependencies.ts'
import { findHttpsGateways, type GatewayChoice, type HttpsGateway, requireOwnSecret } from './https-gateways.ts'
import { leafOf, requireAuthority, withKeyLike } from './serving-certificate.ts'

export interface CertRotateRequest extends GatewayChoice, Changing {
  /** Of the new keys; those of the keys before when left out. */
  bits?: number | undefined
}

type Needs = ChangingNeeds & Pick<Dependencies, 'random' | 'generateKey' | 'machine'>

/** @throws UserError AUTHORITY_ELSEWHERE, AUTHORITY_EXPIRED, NOT_OURS, CONSENT_REQUIRED; see also changes.ts */
export async function certRotate(request: CertRotateRequest, dependencies: Needs): Promise<CertificatesChanged> {
  const gateways = await findHttpsGateways(request, dependencies.cluster)
  const wanted = await Promise.all(gateways.map((gateway) => reissued(gateway, request.bits, dependencies)))
  return changeCertificates('Make a new certificate', wanted, request, dependencies)
}

async function reissued(gateway: HttpsGateway, bits: number | undefined, world: Needs): Promise<NewCertificate> {
  const { namespace, secret, hosts } = gateway
  const { clock, random, generateKey, machine } = world
  const authority = await requireAuthority(requireOwnSecret(gateway), secret, world)
  const issuing = { now: clock.now(), random, generateKey: (like?: number) => generateKey(bits ?? like) }
  const leaf = await issueLeaf(authority, hosts, withKeyLike(secret && leafOf(secret), issuing))
  const manifest = tlsSecret({
    namespace,
    ...leaf,
    authorityCertificate: authority.certificate,
    signedOn: machine,
  })
  return { gateway, manifest }
}
