/** Builds and signs X.509 v3 certificates. The only file that knows node-forge; it builds, node:crypto reads back and verifies. */
import forge from 'node-forge'

export interface CertificateRequest {
  /** PEM (SPKI) of the key that the certificate is for. */
  publicKey: string
  subject: Name
  issuer: Name
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
  certificate.setIssuer(attributes(request.issuer))
  // forge writes into the extensions it is given: never hand it an object that is used twice.
  certificate.setExtensions(request.extensions.map((extension) => ({ ...extension })))
  certificate.sign(forge.pki.privateKeyFromPem(request.signingKey), forge.md.sha256.create())
  return forge.pki.certificateToPem(certificate).replaceAll('\r\n', '\n')
}

/** The key identifier (SHA-1 of the public key, RFC 5280 4.2.1.2) as forge's authorityKeyIdentifier takes it. */
export function keyIdentifier(certificate: string): string {
  return forge.pki.certificateFromPem(certificate).generateSubjectKeyIdentifier().getBytes()
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
