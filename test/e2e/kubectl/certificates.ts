/** Certificates of the comparison with kubectl: one CA and servers that it, an intermediate, or nobody vouches for. */
import { createPublicKey, randomBytes } from 'node:crypto'
import { type Extension, keyIdentifier, serialNumber, signCertificate } from '../../../src/certificates/x509.ts'
import { DAY, key } from '../../certificates/issuing.ts'
import type { Pair } from '../../cluster/pki.ts'

interface Wanted {
  commonName: string
  /** Which of the keys of this test run. */
  keyIndex: number
  /** Names and addresses; without any, the certificate has only its common name. */
  names?: string[]
  isAuthority?: boolean
  issuer?: Pair
  /** Days from now. */
  lasts?: number
  usage?: 'serverAuth' | 'clientAuth'
}

async function issue({
  commonName,
  keyIndex,
  names = [],
  isAuthority,
  issuer,
  lasts = 1,
  usage,
}: Wanted): Promise<Pair> {
  const own = await key(keyIndex)
  const altNames = names.map((name) => (/^[\d.]+$|:/.test(name) ? { type: 7, ip: name } : { type: 2, value: name }))
  const extensions: Extension[] = [
    { name: 'basicConstraints', critical: true, cA: isAuthority ?? false },
    ...(isAuthority ? [{ name: 'keyUsage', critical: true, keyCertSign: true }, { name: 'subjectKeyIdentifier' }] : []),
    ...(issuer === undefined
      ? []
      : [{ name: 'authorityKeyIdentifier', keyIdentifier: keyIdentifier(issuer.certificate) }]),
    ...(usage === undefined ? [] : [{ name: 'extKeyUsage', [usage]: true }]),
    ...(altNames.length === 0 ? [] : [{ name: 'subjectAltName', altNames }]),
  ]
  const subject = { organization: 'comparison', commonName }
  const notAfter = new Date(Date.now() + lasts * DAY)
  const certificate = signCertificate({
    publicKey: createPublicKey(own).export({ type: 'spki', format: 'pem' }).toString(),
    subject,
    issuer: issuer?.certificate ?? subject,
    serial: serialNumber(randomBytes(16)),
    notBefore: new Date(notAfter.getTime() - 30 * DAY),
    notAfter,
    extensions,
    signingKey: issuer?.key ?? own,
  })
  return { certificate, key: own }
}

/** Every name that a row gives to the server or to a proxy. */
const NAMES = ['127.0.0.1', '::1', 'localhost', 'kube.example.com', 'api.kube.example.com', 'proxy.example.com']

export interface Certificates {
  authority: Pair
  /** A CA that nothing trusts by itself. */
  stranger: Pair
  intermediate: Pair
  server: Pair
  /** With the certificate of the intermediate. */
  chained: Pair
  commonNameOnly: Pair
  expired: Pair
  otherName: Pair
  selfSigned: Pair
  /** `*.example.com`, `a*.example.org`, `localhost.` */
  patterns: Pair
  forClients: Pair
  client: Pair
  otherClient: Pair
}

let made: Promise<Certificates> | undefined

/** Makes them once. */
export function certificates(): Promise<Certificates> {
  made ??= make()
  return made
}

async function make(): Promise<Certificates> {
  const authority = await issue({ commonName: 'root', keyIndex: 0, isAuthority: true, lasts: 9 })
  const stranger = await issue({ commonName: 'stranger', keyIndex: 2, isAuthority: true, lasts: 9 })
  const intermediate = await issue({
    commonName: 'between',
    keyIndex: 3,
    isAuthority: true,
    issuer: authority,
    lasts: 8,
  })
  const leaf = (commonName: string, more: Partial<Wanted>) =>
    issue({ commonName, keyIndex: 1, names: NAMES, issuer: authority, ...more })
  const below = await leaf('chained', { issuer: intermediate })
  return {
    authority,
    stranger,
    intermediate,
    server: await leaf('server', { usage: 'serverAuth' }),
    chained: { ...below, certificate: below.certificate + intermediate.certificate },
    commonNameOnly: await leaf('127.0.0.1', { names: [] }),
    expired: await leaf('expired', { lasts: -1 }),
    otherName: await leaf('other', { names: ['other.example.com'] }),
    selfSigned: await issue({ commonName: 'self', keyIndex: 1, names: NAMES }),
    patterns: await leaf('patterns', { names: ['*.example.com', 'a*.example.org', 'localhost.', '*.test'] }),
    forClients: await leaf('server for clients', { usage: 'clientAuth' }),
    client: await leaf('jane', { names: [], usage: 'clientAuth' }),
    otherClient: await leaf('joe', { names: [], usage: 'clientAuth', keyIndex: 3 }),
  }
}
