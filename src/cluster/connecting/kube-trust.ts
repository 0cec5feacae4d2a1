/** Whom a connection trusts: the CA of the kubeconfig, or this machine's store as Go finds it. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { isIP, isIPv6 } from 'node:net'
import { join } from 'node:path'
import { checkServerIdentity, createSecureContext, getCACertificates, type PeerCertificate } from 'node:tls'

export interface Trusting {
  /** Certificates in PEM; undefined or empty for this machine's store. */
  authority: Buffer | undefined
  insecure: boolean
  /** `tls-server-name`. */
  serverName?: string | undefined
  /** Of the server, as it was written. */
  host?: string | undefined
  environment: NodeJS.ProcessEnv
}

/** In PEM. */
export interface ClientPair {
  certificate: string
  key: string
}

/** Those of Go's crypto/tls (defaults_fips140.go, cipher_suites.go), by OpenSSL's names. Old clusters have keys of 1024 bits, which Go takes, too. SHA-1 stays refused. */
const CIPHERS = [
  'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256',
  ...['AES128-GCM-SHA256', 'AES256-GCM-SHA384', 'CHACHA20-POLY1305', 'AES128-SHA', 'AES256-SHA'].flatMap((cipher) => [
    `ECDHE-ECDSA-${cipher}`,
    `ECDHE-RSA-${cipher}`,
  ]),
  '@SECLEVEL=1',
].join(':')

/**
 * Options of tls.connect. One TLS context for all connections, because parsing certificates and keys is the slowest part of it. Only the
 * kubeconfig decides whether the server is verified: without a value Node would ask NODE_TLS_REJECT_UNAUTHORIZED.
 * @throws Error for a CA without a certificate, and for a client certificate that does not fit its key
 */
export function tlsOptions(trusting: Trusting, pair?: ClientPair): object {
  const { authority, insecure, host, environment } = trusting
  const serverName = trusting.serverName?.replace(/^\[(.*)\]$/, '$1')
  const own = authority !== undefined && authority.length > 0 ? certificatesIn(authority.toString('latin1')) : undefined
  if (own?.length === 0) throw new Error('its certificate authority has no certificate in PEM')
  if (pair !== undefined) requirePair(pair)
  const secureContext = createSecureContext({
    ca: own ?? (insecure ? [] : systemAuthorities(environment)),
    ...(pair === undefined ? {} : { cert: pair.certificate, key: pair.key }),
    // An intermediate, or the server's own certificate, may be what is trusted.
    allowPartialTrustChain: true,
    minVersion: 'TLSv1.2',
    ciphers: CIPHERS,
  })
  return {
    secureContext,
    rejectUnauthorized: !insecure,
    checkServerIdentity: (asked: string, certificate: PeerCertificate) =>
      identityFault(serverName ?? asked, certificate),
    // RFC 6066, section 3: an address is not a server name, and a name has no dot at its end.
    ...(serverName === undefined ? {} : { servername: isIP(serverName) === 0 ? withoutDot(serverName) : '' }),
    ...(serverName === undefined && host?.endsWith('.') ? { servername: withoutDot(host) } : {}),
  }
}

/** OpenSSL ignores a key of another kind than the certificate's, and empty texts: the server would be asked as nobody. */
function requirePair({ certificate, key }: ClientPair): void {
  if (!/^-----BEGIN CERTIFICATE-----/m.test(certificate)) throw new Error('its client certificate is none in PEM')
  if (!/^-----BEGIN ([A-Z0-9 ]+ )?PRIVATE KEY-----/m.test(key)) throw new Error('its client key is none in PEM')
  if (!new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key)))
    throw new Error('its client key is not that of its client certificate')
}

/**
 * Node falls back to the common name, and takes `a*.example.com`, which Go and browsers do not.
 * @param asked a name or an address
 */
function identityFault(asked: string, certificate: PeerCertificate): Error | undefined {
  const host = inIPv4(asked)
  const entries = (certificate.subjectaltname ?? '').split(', ')
  if (isIP(host) === 0) {
    const name = withoutDot(host).toLowerCase()
    if (entries.some((entry) => entry.startsWith('DNS:') && isNamed(name, entry.slice(4).toLowerCase())))
      return undefined
  } else if (entries.some((entry) => entry.startsWith('IP Address:'))) return checkServerIdentity(host, certificate)
  const names = entries.filter(Boolean).join(', ') || 'no host, and its common name is not looked at'
  return new Error(`the certificate of the server does not name ${host}; it names ${names}`)
}

/** Of `::ffff:192.0.2.1`, which Node writes as `::ffff:c000:201`, its last part. */
function inIPv4(address: string): string {
  const [, high, low] = (isIPv6(address) && /^::ffff:([\da-f]+):([\da-f]+)$/i.exec(address)) || []
  if (high === undefined || low === undefined) return address
  const bytes = Buffer.alloc(4)
  bytes.writeUInt16BE(Number.parseInt(high, 16))
  bytes.writeUInt16BE(Number.parseInt(low, 16), 2)
  return bytes.join('.')
}

/** A star stands for one whole label, the first one. */
function isNamed(name: string, pattern: string): boolean {
  const [labels, parts] = [name.split('.'), pattern.split('.')]
  if (parts.length === 1 && pattern === '*') return false
  return labels.length === parts.length && parts.every((part, at) => part === labels[at] || (at === 0 && part === '*'))
}

function withoutDot(name: string): string {
  return name.replace(/\.$/, '')
}

/** Each mark has a line of its own. */
const BLOCK = /^-----BEGIN CERTIFICATE-----[ \t]*\r?\n[\w+/=\s]+?^-----END CERTIFICATE-----[ \t]*\r?$/gm

/** Those that can be read: Go ignores the others, too. */
function certificatesIn(text: string): string[] {
  return (text.match(BLOCK) ?? []).flatMap((block) => {
    try {
      // OpenSSL knows no empty lines in it.
      const compact = block.replace(/\n([ \t\r]*\n)+/g, '\n')
      return new X509Certificate(compact) === undefined ? [] : [compact]
    } catch {
      return []
    }
  })
}

/** Where Linux distributions and BSDs have their certificates (Go's crypto/x509/root_linux.go, root_bsd.go). The first file that exists counts. */
const FILES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/tls/cacert.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
]
const DIRECTORIES = ['/etc/ssl/certs', '/etc/pki/tls/certs']

/** Node's own list of CAs is not this machine's, and kubectl knows SSL_CERT_FILE and SSL_CERT_DIR. */
function systemAuthorities({ SSL_CERT_FILE, SSL_CERT_DIR }: NodeJS.ProcessEnv): string[] {
  if (process.platform === 'darwin' || process.platform === 'win32') return getCACertificates('system')
  const file = firstOf(SSL_CERT_FILE ? [SSL_CERT_FILE] : FILES)
  const directories = SSL_CERT_DIR ? SSL_CERT_DIR.split(':') : DIRECTORIES
  const blocks = [file, ...directories.flatMap(contentsOf)].flatMap((text) => text.match(BLOCK) ?? [])
  return [...new Set(blocks)].flatMap(certificatesIn)
}

function firstOf(files: string[]): string {
  const [content = ''] = files.map(read).filter((text) => text !== undefined)
  return content
}

function contentsOf(directory: string): string[] {
  try {
    return readdirSync(directory).map((name) => read(join(directory, name)) ?? '')
  } catch {
    return []
  }
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    return undefined
  }
}
