/** Roots and workload certificates as istiod makes them. */
import { createPublicKey } from 'node:crypto'
import { serialNumber, signCertificate } from '../../../src/certificates/x509.ts'
import { countedBytes, key } from '../../certificates/issuing.ts'

export interface Root {
  certificate: string
  key: string
}

/** Valid around the time of the fake clock. */
const VALID = { notBefore: new Date('2026-11-01T00:00:00Z'), notAfter: new Date('2026-12-31T00:00:00Z') }

function publicKeyOf(privateKey: string): string {
  return createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }).toString()
}

/** A self-signed root: several have one name, as those of istiods. */
export async function root(keyIndex: number): Promise<Root> {
  const own = await key(keyIndex)
  const name = { organization: 'cluster.local', commonName: `root ${keyIndex}` }
  const certificate = signCertificate({
    publicKey: publicKeyOf(own),
    subject: name,
    issuer: name,
    serial: serialNumber(countedBytes(16)),
    ...VALID,
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, critical: true },
    ],
    signingKey: own,
  })
  return { certificate, key: own }
}

/** @param spiffe `spiffe://cluster.local/ns/bar/sa/httpbin` */
export async function workloadCertificate(spiffe: string, by: Root): Promise<string> {
  return signCertificate({
    publicKey: publicKeyOf(await key(9)),
    subject: { organization: '', commonName: '' },
    issuer: by.certificate,
    serial: serialNumber(countedBytes(16)),
    ...VALID,
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 6, value: spiffe }] }],
    signingKey: by.key,
  })
}
