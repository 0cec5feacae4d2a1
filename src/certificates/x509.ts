/** Builds and signs X.509 v3 certificates. The only file that uses node-forge; node:crypto reads and verifies elsewhere. */
import { createPrivateKey, sign } from 'node:crypto'
import forge from 'node-forge'

export interface CertificateRequest {
  /** PEM (SPKI) of the certificate's public key. */
  publicKey: string
  subject: Name
  /** A name, or the issuer's certificate (PEM), whose name is copied byte for byte. */
  issuer: Name | string
  /** Hex; see `serialNumber`. */
  serial: string
  notBefore: Date
  notAfter: Date
  extensions: Extension[]
  /** PEM (PKCS#8) of the issuer's key. */
  signingKey: string
}

export interface Name {
  organization: string
  commonName: string
  /** Istio's tools put the name of a cluster here. */
  locality?: string
}

/** In the format of node-forge, or an `id` with a DER `value` for extensions that node-forge cannot write. */
export type Extension = { name: string; [setting: string]: unknown } | { id: string; critical: boolean; value: string }

/** Signs with SHA-256 and returns PEM. */
export function signCertificate(request: CertificateRequest): string {
  const certificate = forge.pki.createCertificate()
  certificate.publicKey = forge.pki.publicKeyFromPem(request.publicKey)
  certificate.serialNumber = request.serial
  certificate.validity.notBefore = request.notBefore
  certificate.validity.notAfter = request.notAfter
  certificate.setSubject(attributes(request.subject))
  certificate.setIssuer(
    typeof request.issuer === 'string'
      ? forge.pki.certificateFromPem(request.issuer).subject.attributes
      : attributes(request.issuer),
  )
  // forge changes the extension objects that it gets, so it gets copies.
  certificate.setExtensions(request.extensions.map((extension) => ({ ...extension })))
  const key: Pick<forge.pki.rsa.PrivateKey, 'sign'> = { sign: () => signatureOf(certificate, request.signingKey) }
  certificate.sign(key as forge.pki.rsa.PrivateKey, forge.md.sha256.create())
  return forge.pki.certificateToPem(certificate).replaceAll('\r\n', '\n')
}

/**
 * By OpenSSL: the same bytes as forge's own RSA, which is in JavaScript and takes a hundred times as long.
 * @param key PEM @throws TypeError for another kind of key than RSA
 */
function signatureOf({ tbsCertificate }: forge.pki.Certificate, pem: string): string {
  const key = createPrivateKey(pem)
  if (key.asymmetricKeyType !== 'rsa') throw new TypeError(`${key.asymmetricKeyType} keys do not sign here`)
  const signed = Buffer.from(forge.asn1.toDer(tbsCertificate as forge.asn1.Asn1).getBytes(), 'binary')
  return sign('sha256', signed, key).toString('binary')
}

/**
 * The key identifier of a CA in the format of forge's authorityKeyIdentifier: the one in its certificate, otherwise SHA-1 of its
 * public key (RFC 5280 4.2.1.2).
 */
export function keyIdentifier(certificate: string): string {
  const read = forge.pki.certificateFromPem(certificate)
  const own = read.getExtension('subjectKeyIdentifier') as { subjectKeyIdentifier?: string } | null
  return own?.subjectKeyIdentifier === undefined
    ? read.generateSubjectKeyIdentifier().getBytes()
    : forge.util.hexToBytes(own.subjectKeyIdentifier)
}

/** Whether the key usage of an RSA certificate allows it to sign others. No key usage allows everything. */
export function maySign(certificate: string): boolean {
  const usage = forge.pki.certificateFromPem(certificate).getExtension('keyUsage') as { keyCertSign?: boolean } | null
  return usage === null || usage.keyCertSign === true
}

const SUBJECT_KEY_IDENTIFIER = '2.5.29.14'

/** Whether a certificate of any kind of key has a key identifier. @param der a certificate */
export function hasKeyIdentifier(der: Uint8Array): boolean {
  try {
    return extensionsIn(der).some(({ id }) => id === SUBJECT_KEY_IDENTIFIER)
  } catch {
    return false
  }
}

/** How many CAs may follow this one in a chain; `undefined` without a limit. */
export function pathLength(certificate: string): number | undefined {
  const basic = forge.pki.certificateFromPem(certificate).getExtension('basicConstraints')
  return (basic as { pathLenConstraint?: number } | null)?.pathLenConstraint
}

/** Whether a leaf is valid for a CA, including the CA's name constraints. */
export function accepts(authority: string, leaf: string, now: Date): boolean {
  try {
    const roots = forge.pki.createCaStore([authority])
    // @types/node-forge lacks the date.
    const options = { validityCheckDate: now } as Parameters<typeof forge.pki.verifyCertificateChain>[2]
    return forge.pki.verifyCertificateChain(roots, [forge.pki.certificateFromPem(leaf)], options)
  } catch {
    return false
  }
}

/**
 * A file with leaf, key and CA, encrypted with a password (AES-256 in PBES2), for Java, Windows and others.
 * @param chain PEM: the leaf, then its issuers
 */
export function pkcs12(chain: string[], key: string, password: string, friendlyName: string): Buffer {
  const certificates = chain.map((pem) => forge.pki.certificateFromPem(pem))
  const bag = forge.pkcs12.toPkcs12Asn1(forge.pki.privateKeyFromPem(key), certificates, password, {
    algorithm: 'aes256',
    friendlyName,
    // Iterations as in openssl; forge's default of 2048 is too fast to guess.
    count: 100_000,
  })
  return Buffer.from(forge.asn1.toDer(bag).getBytes(), 'binary')
}

/**
 * RFC 5280 4.1.2.2: a positive integer of at most 20 octets, unpredictable.
 * @param random 16 random bytes
 */
export function serialNumber(random: Uint8Array): string {
  const bytes = Buffer.from(random)
  // The top bit must be clear (positive), the next one set (no leading zero, which Go refuses as "not minimally-encoded").
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40
  return bytes.toString('hex')
}

/**
 * Critical name constraints: only DNS names of this domain and below, and no IP address. A client that trusts the CA is therefore
 * safe from certificates for other sites. RFC 5280 4.2.1.10; node-forge cannot write this extension by name.
 */
export function nameConstraints(domain: string): Extension {
  const { Class, Type, create, toDer } = forge.asn1
  const subtree = (tag: number, value: string) =>
    create(Class.UNIVERSAL, Type.SEQUENCE, true, [create(Class.CONTEXT_SPECIFIC, tag as forge.asn1.Type, false, value)])
  const subtrees = (tag: number, members: forge.asn1.Asn1[]) =>
    create(Class.CONTEXT_SPECIFIC, tag as forge.asn1.Type, true, members)
  const dnsName = 2
  const ipAddress = 7
  const everyAddress = [8, 32].map((octets) => subtree(ipAddress, '\0'.repeat(octets)))
  const value = create(Class.UNIVERSAL, Type.SEQUENCE, true, [
    subtrees(0, [subtree(dnsName, domain)]),
    subtrees(1, everyAddress),
  ])
  return { id: '2.5.29.30', critical: true, value: toDer(value).getBytes() }
}

function attributes({ organization, commonName, locality }: Name): forge.pki.CertificateField[] {
  return [
    { name: 'organizationName', value: organization },
    ...(locality === undefined ? [] : [{ name: 'localityName', value: locality }]),
    { name: 'commonName', value: commonName },
  ]
}

/** A subtree of names: the kind of name (RFC 5280 4.2.1.6), and its value, one character for each byte. */
export interface Subtree {
  kind: number
  value: string
  /** Whether it is only a value: a distance (`minimum`) that is not the usual one changes what it means. */
  plain: boolean
}

export interface NameConstraints {
  critical: boolean
  permitted: Subtree[]
  excluded: Subtree[]
}

const NAME_CONSTRAINTS = '2.5.29.30'

/** @param der a certificate. @returns `undefined` without exactly one extension for them, or if it cannot be read */
export function nameConstraintsIn(der: Uint8Array): NameConstraints | undefined {
  try {
    const found = extensionsIn(der).filter(({ id }) => id === NAME_CONSTRAINTS)
    const [{ critical, value } = { critical: false, value: '' }] = found
    const { value: lists } = forge.asn1.fromDer(value)
    if (found.length !== 1 || !Array.isArray(lists)) return undefined
    const subtrees = (tag: number) =>
      lists
        .filter(({ type }) => type === tag)
        .flatMap(({ value: members }) => (members as forge.asn1.Asn1[]).map(subtreeOf))
    return { critical, permitted: subtrees(0), excluded: subtrees(1) }
  } catch {
    return undefined
  }
}

function subtreeOf({ value }: forge.asn1.Asn1): Subtree {
  const [name, ...distances] = value as forge.asn1.Asn1[]
  const text = name?.value
  return {
    kind: Number(name?.type),
    value: typeof text === 'string' ? text : '',
    plain: distances.length === 0 && typeof text === 'string',
  }
}

/** The extensions of a certificate of any kind of key; forge itself reads only RSA. */
function extensionsIn(der: Uint8Array): { id: string; critical: boolean; value: string }[] {
  const certificate = forge.asn1.fromDer(Buffer.from(der).toString('binary'), { decodeBitStrings: false } as never)
  const [signed] = certificate.value as forge.asn1.Asn1[]
  const { Class } = forge.asn1
  const holder = (signed?.value as forge.asn1.Asn1[]).find(
    ({ tagClass, type }) => tagClass === Class.CONTEXT_SPECIFIC && Number(type) === 3,
  )
  const [list] = (holder?.value ?? []) as forge.asn1.Asn1[]
  return ((list?.value ?? []) as forge.asn1.Asn1[]).map(({ value }) => {
    const parts = value as forge.asn1.Asn1[]
    const critical = parts.length === 3 && parts[1]?.value !== '\0'
    return { id: forge.asn1.derToOid(parts[0]?.value as string), critical, value: parts.at(-1)?.value as string }
  })
}
