/** Makes a client certificate like Istio's, but from an unknown CA: mutual TLS has to refuse it. */
import { createPublicKey } from 'node:crypto'
import type { IssuanceInputs, KeyPair } from './authority.ts'
import { type Extension, serialNumber, signCertificate } from './x509.ts'

/** Milliseconds. */
const HOUR = 60 * 60 * 1000
/** URI, RFC 5280 4.2.1.6. */
const URI_NAME = 6

/** @param identity the identity that the certificate claims: `spiffe://cluster.local/ns/NAMESPACE/sa/NAME` */
export async function foreignCertificate(
  identity: string,
  { now, random, generateKey }: IssuanceInputs,
): Promise<KeyPair> {
  const key = await generateKey()
  const name = { organization: 'nobody', commonName: 'stranger' }
  const extensions: Extension[] = [
    { name: 'basicConstraints', critical: true, cA: false },
    { name: 'keyUsage', critical: true, digitalSignature: true, keyEncipherment: true },
    { name: 'extKeyUsage', serverAuth: true, clientAuth: true },
    { name: 'subjectAltName', critical: true, altNames: [{ type: URI_NAME, value: identity }] },
  ]
  const certificate = signCertificate({
    publicKey: createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString(),
    subject: name,
    issuer: name,
    serial: serialNumber(random(16)),
    notBefore: new Date(now.getTime() - HOUR),
    notAfter: new Date(now.getTime() + HOUR),
    extensions,
    signingKey: key,
  })
  return { certificate, key }
}
