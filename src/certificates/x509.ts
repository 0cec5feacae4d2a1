/** Builds and signs X.509 v3 certificates. The only file that knows node-forge; it builds, node:crypto reads back and verifies. */
import forge from 'node-forge'

export interface CertificateRequest {
  /** PEM (SPKI) of the key that the certificate is for. */
  publicKey: string
  subject: Name
  /** A name, or the issuer's certificate (PEM), whose name is then taken over to the byte. */
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
}

/** As node-forge takes them, or `id` with the DER `value` for those it cannot write. */
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
  // forge writes into the extensions it is given: never hand it an object that is used twice.
  certificate.setExtensions(request.extensions.map((extension) => ({ ...extension })))
  certificate.sign(forge.pki.privateKeyFromPem(request.signingKey), forge.md.sha256.create())
  return forge.pki.certificateToPem(certificate).replaceAll('\r\n', '\n')
}

/**
 * The key identifier of an authority as forge's authorityKeyIdentifier takes it: the one in its certificate, else SHA-1 of its public
 * key (RFC 5280 4.2.1.2).
 */
export function keyIdentifier(certificate: string): string {
  const read = forge.pki.certificateFromPem(certificate)
  const own = read.getExtension('subjectKeyIdentifier') as { subjectKeyIdentifier?: string } | null
  return own?.subjectKeyIdentifier === undefined
    ? read.generateSubjectKeyIdentifier().getBytes()
    : forge.util.hexToBytes(own.subjectKeyIdentifier)
}

/** Whether an RSA certificate's key usage, where it has one, lets it sign others. */
export function maySign(certificate: string): boolean {
  const usage = forge.pki.certificateFromPem(certificate).getExtension('keyUsage') as { keyCertSign?: boolean } | null
  return usage === null || usage.keyCertSign === true
}

/** Whether an authority's certificate, name constraints included, leads to a leaf. */
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
 * Leaf, key and authority in one file with a password, for Java, Windows and the like. AES-256 in PBES2.
 * @param chain PEM: the leaf, then what signed it
 */
export function pkcs12(chain: string[], key: string, password: string, friendlyName: string): Buffer {
  const certificates = chain.map((pem) => forge.pki.certificateFromPem(pem))
  const bag = forge.pkcs12.toPkcs12Asn1(forge.pki.privateKeyFromPem(key), certificates, password, {
    algorithm: 'aes256',
    friendlyName,
    // As openssl has it; 2048, forge's own, is guessed too fast.
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
 * Critical name constraints: DNS names of this domain and below, and no IP address at all. So the authority, once trusted,
 * cannot vouch for anybody else's site. RFC 5280 4.2.1.10; node-forge cannot write them by name.
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

function attributes({ organization, commonName }: Name): forge.pki.CertificateField[] {
  return [
    { name: 'organizationName', value: organization },
    { name: 'commonName', value: commonName },
  ]
}
