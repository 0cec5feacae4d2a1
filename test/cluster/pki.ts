/** Certificates of an API server, from its own CA. */
import { createPublicKey } from 'node:crypto'
import { type Extension, keyIdentifier, signCertificate } from '../../src/certificates/x509.ts'
import { countedBytes, DAY, key } from '../certificates/issuing.ts'

export interface Pair {
  certificate: string
  key: string
}

const name = (commonName: string) => ({ organization: 'test', commonName })

/** @param keyIndex which of the shared keys */
export async function clusterAuthority(keyIndex = 0): Promise<Pair> {
  const extensions: Extension[] = [
    { name: 'basicConstraints', critical: true, cA: true },
    { name: 'keyUsage', critical: true, keyCertSign: true },
    { name: 'subjectKeyIdentifier' },
  ]
  return sign(await key(keyIndex), `authority ${keyIndex}`, extensions)
}

/** The API server's certificate for 127.0.0.1 and localhost; self-signed without a CA. */
export async function serverCertificate(authority?: Pair): Promise<Pair> {
  const altNames = [
    { type: 7, ip: '127.0.0.1' },
    { type: 2, value: 'localhost' },
  ]
  const extensions = [...leafOf(authority), { name: 'subjectAltName', altNames }]
  return sign(await key(1), 'kube-apiserver', extensions, authority)
}

/** A user's certificate. @param notAfter when it expires */
export async function clientCertificate(authority: Pair, notAfter: Date): Promise<Pair> {
  return sign(
    await key(1),
    'jane',
    [...leafOf(authority), { name: 'extKeyUsage', clientAuth: true }],
    authority,
    notAfter,
  )
}

function leafOf(authority: Pair | undefined): Extension[] {
  const constraints = { name: 'basicConstraints', critical: true, cA: false }
  if (authority === undefined) return [constraints]
  return [constraints, { name: 'authorityKeyIdentifier', keyIdentifier: keyIdentifier(authority.certificate) }]
}

function sign(
  subjectKey: string,
  subject: string,
  extensions: Extension[],
  authority?: Pair,
  notAfter = new Date(Date.now() + DAY),
): Pair {
  const certificate = signCertificate({
    publicKey: createPublicKey(subjectKey).export({ type: 'spki', format: 'pem' }).toString(),
    subject: name(subject),
    issuer: name(authority === undefined ? subject : 'authority 0'),
    serial: `41${Buffer.from(countedBytes(15)).toString('hex')}`,
    notBefore: new Date(notAfter.getTime() - 2 * DAY),
    notAfter,
    extensions,
    signingKey: authority?.key ?? subjectKey,
  })
  return { certificate, key: subjectKey }
}
