/** Certificates as they are found: of servers, CAs and clients, in all forms of PEM. */
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Row } from '../comparing.ts'
import { converted, type OddName, odd } from '../odd-certificates.ts'
import { base64, having, kubeconfig, near, simple } from '../rows.ts'
import type { World } from '../world.ts'

const OPENSSL = 'OpenSSL refuses it, Go does not'

interface Served {
  /** What the server sends beside its own certificate. */
  chain?: OddName[]
  host?: string
  cluster?: object
}

/** A server with a certificate, and the CA of the kubeconfig. */
const served = (
  name: string,
  own: OddName,
  ca: OddName,
  { chain = [], host = '127.0.0.1', cluster }: Served = {},
): Row => ({
  name: `a server with ${name}`,
  async prepare(world) {
    const certificate = [own, ...chain].map((one) => odd(one).certificate).join('')
    const server = `https://${host}:${await world.api({ ...odd(own), certificate })}`
    const entry = { server, 'certificate-authority-data': base64(odd(ca).certificate), ...cluster }
    return { config: kubeconfig(world, server, { cluster: entry }) }
  },
})

const byName = { cluster: { 'tls-server-name': 'kube.example.com' } }

const servers: Row[] = [
  served('a key Ed25519', 'ed25519', 'root'),
  served('a key P-521', 'p521', 'root'),
  served('a key secp256k1', 'secp256k1', 'root'),
  served('a key of 1024 bits', 'rsa1024', 'root'),
  served('a signature with SHA-1', 'sha1', 'rsaRoot'),
  served('a CA that is signed with SHA-1', 'belowSha1', 'sha1Root'),
  served('a CA of version 1', 'belowV1', 'v1Root'),
  served('a CA that may not sign', 'belowCannotSign', 'cannotSign'),
  served('a CA below one that has no CAs below', 'belowTooDeep', 'pathlen', { chain: ['tooDeep'] }),
  served('a CA in between', 'below', 'root', { chain: ['middle'] }),
  served('a CA in between that it does not send', 'below', 'root'),
  served('its chain in the wrong order, and others in it', 'below', 'root', { chain: ['v1Root', 'root', 'middle'] }),
  served('a CA in between that is trusted and sent', 'below', 'middle', { chain: ['middle'] }),
  served('an expired CA in between', 'belowExpired', 'root', { chain: ['expired'] }),
  served('an expired CA in between that is trusted', 'belowExpired', 'expired'),
  served('a CA in between for clients', 'belowForClients', 'root', { chain: ['forClients'] }),
  served('a CA in between that is none', 'belowLeaf', 'root', { chain: ['leaf'] }),
  served('a CA that is none', 'belowLeaf', 'leaf'),
  { ...served('a certificate for any use', 'anyUsage', 'root'), differs: OPENSSL },
  served('a certificate for code', 'codeSigning', 'root'),
  { ...served('a certificate that only signs', 'onlySigns', 'root'), differs: OPENSSL },
  served('the certificate of a CA', 'isAuthority', 'root'),
  served('the certificate of a CA that is trusted', 'isAuthority', 'isAuthority'),
  served('its address as a name', 'addressAsName', 'root'),
  served('a star as its name', 'star', 'root', { host: 'localhost' }),
  served('an unknown critical extension', 'criticalExtension', 'root'),
  served('a name that its CA may certify', 'inside', 'constrained', byName),
  served('a second name that its CA may not certify', 'outside', 'constrained', byName),
  served('an IPv4 address that is written as IPv6', 'ed25519', 'root', { host: '[::ffff:127.0.0.1]' }),
  served('tls-server-name in capitals', 'ed25519', 'root', { cluster: { 'tls-server-name': 'LOCALHOST' } }),
  served('tls-server-name with a port', 'ed25519', 'root', { cluster: { 'tls-server-name': 'localhost:443' } }),
  served('tls-server-name that is no name', 'ed25519', 'root', { cluster: { 'tls-server-name': ' localhost' } }),
]

/** The CA in another form. */
const written = (name: string, change: (pem: string, world: World) => string | Buffer): Row => ({
  name: `a CA ${name}`,
  async prepare(world) {
    const server = near(await world.api())
    const changed = Buffer.from(change(world.pki.authority.certificate, world))
    const cluster = { server, 'certificate-authority-data': changed.toString('base64') }
    return { config: kubeconfig(world, server, { cluster }) }
  },
})

const forms: Row[] = [
  written('after its text', (pem) => converted(pem, 'x509', '-text')),
  written('that openssl calls trusted', (pem) => converted(pem, 'x509', '-trustout')),
  written('that is indented', (pem) => pem.replace(/^/gm, '  ')),
  written('without a line at its end', (pem) => pem.trimEnd()),
  written('in one line', (pem) => pem.replaceAll('\n', '')),
  written('with the data in one line', (pem) => pem.replace(/(?<=[\w+/=])\n(?=[\w+/=])/g, '')),
  written('that is called X509 CERTIFICATE', (pem) => pem.replaceAll(' CERTIFICATE', ' X509 CERTIFICATE')),
  written('with a header', (pem) => pem.replace('CERTIFICATE-----\n', 'CERTIFICATE-----\nA: b\n\n')),
  written('on the last line of another', (pem, { pki }) => pki.stranger.certificate.trimEnd() + pem),
  written('beside a key', (pem, { pki }) => pki.authority.key + pem),
  written('after a mark of UTF-8', (pem) => `\ufeff${pem}`),
  written('in UTF-16', (pem) => Buffer.from(pem, 'utf16le')),
  written('with empty lines', (pem) => pem.replaceAll('\n', '\n\n')),
  written('with the line ends of old Macs', (pem) => pem.replaceAll('\n', '\r')),
  written('after words on its line', (pem) => `CA: ${pem}`),
  written('in quotes', (pem) => `"${pem}"`),
  written('without its last line', (pem) => pem.replace(/-----END.*\n/, '')),
]

const store = (name: string, environment: (world: World) => NodeJS.ProcessEnv): Row => ({
  name: `this machine's CAs: ${name}`,
  async prepare(world) {
    const server = near(await world.api())
    return { config: kubeconfig(world, server, { cluster: { server } }), environment: environment(world) }
  },
})
const root = ({ pki }: World) => pki.authority.certificate

const stores: Row[] = [
  store('a file and a directory', (world) => ({
    SSL_CERT_FILE: world.write('a.pem', world.pki.stranger.certificate),
    SSL_CERT_DIR: having(world.write('d/b.pem', root(world)), world.path('d')),
  })),
  store('a directory below the directory', (world) => ({
    SSL_CERT_DIR: having(world.write('d/e/a.pem', root(world)), world.path('d')),
  })),
  store('a relative directory', (world) => ({ SSL_CERT_DIR: having(world.write('d/a.pem', root(world)), 'd') })),
  store('a relative file', (world) => ({ SSL_CERT_FILE: having(world.write('a.pem', root(world)), 'a.pem') })),
  store('a file for the directory', (world) => ({ SSL_CERT_DIR: world.write('a.pem', root(world)) })),
  store('an empty directory', (world) => ({ SSL_CERT_DIR: having(world.write('a.pem', root(world)), ':') })),
  store('two files', (world) => ({
    SSL_CERT_FILE: `${world.write('a', root(world))}:${world.write('b', root(world))}`,
  })),
  store('the certificate of the server', (world) => ({
    SSL_CERT_FILE: world.write('a.pem', world.pki.server.certificate),
  })),
  store('variables of other programs', (world) => ({
    CURL_CA_BUNDLE: world.write('a.pem', root(world)),
    NODE_OPTIONS: '--use-openssl-ca',
  })),
]

type Change = (text: string) => string | Buffer

const client = (name: string, own: OddName, { certificate, key }: { certificate?: Change; key?: Change } = {}): Row =>
  simple(`a client with ${name}`, () => {
    const data = (text: string, change: Change = (same) => same) => Buffer.from(change(text)).toString('base64')
    const pair = odd(own)
    return {
      user: {
        'client-certificate-data': data(pair.certificate, certificate),
        'client-key-data': data(pair.key, key),
      },
    }
  })

const clients: Row[] = [
  client('a key Ed25519', 'clientEd25519'),
  client('a key P-256', 'clientEc'),
  client('an expired certificate', 'clientExpired'),
  client('a key in PKCS#1', 'client', { key: (pem) => converted(pem, 'pkey', '-traditional') }),
  client('a key in SEC 1', 'clientEc', { key: (pem) => converted(pem, 'pkey', '-traditional') }),
  client('a key after its parameters', 'clientEc', {
    key: (pem) =>
      Buffer.concat([converted('', 'ecparam', '-name', 'prime256v1'), converted(pem, 'pkey', '-traditional')]),
  }),
  client('an encrypted key', 'client', {
    key: (pem) => converted(pem, 'pkcs8', '-topk8', '-passout', 'pass:x'),
  }),
  client('an encrypted key in PKCS#1', 'client', {
    key: (pem) => converted(pem, 'rsa', '-traditional', '-aes128', '-passout', 'pass:x'),
  }),
  client('a certificate after its text', 'client', { certificate: (pem) => converted(pem, 'x509', '-text') }),
  client('a certificate in DER', 'client', { certificate: (pem) => converted(pem, 'x509', '-outform', 'DER') }),
  client('line ends of Windows', 'client', {
    certificate: (pem) => pem.replaceAll('\n', '\r\n'),
    key: (pem) => pem.replaceAll('\n', '\r\n'),
  }),
  client('an indented certificate', 'client', { certificate: (pem) => pem.replace(/^/gm, '  ') }),
  client('its key before its certificate', 'client', { certificate: (pem) => odd('client').key + pem }),
  client('its certificate before its key', 'client', { key: (pem) => odd('client').certificate + pem }),
  client('its chain in the wrong order', 'client', { certificate: (pem) => odd('root').certificate + pem }),
  client('another key after its own', 'client', { key: (pem) => pem + odd('rsaRoot').key }),
  client('another key before its own', 'client', { key: (pem) => odd('rsaRoot').key + pem }),
  client('a key of another kind', 'client', { key: () => odd('clientEc').key }),
  client('a certificate called X509 CERTIFICATE', 'client', {
    certificate: (pem) => pem.replaceAll(' CERTIFICATE', ' X509 CERTIFICATE'),
  }),
  client('a mark of UTF-8 before the key', 'client', { key: (pem) => `\ufeff${pem}` }),
  client('its public key', 'client', { key: (pem) => converted(pem, 'pkey', '-pubout') }),
  {
    ...simple('a client with empty files', (world) => {
      const empty = world.write('empty', '')
      return { user: { token: 'abc', 'client-certificate': empty, 'client-key': empty } }
    }),
    differs: 'kubectl connects before it fails',
  },
  simple('a client with a key in a file that is missing, and a token', () => ({
    user: { token: 'abc', 'client-key': '/nowhere' },
  })),
]

/** A server that speaks TLS in its own way. */
const speaking = (name: string, options: object): Row => ({
  name: `a server that speaks ${name}`,
  async prepare(world) {
    const { certificate: cert, key } = world.pki.server
    const server = createServer({ cert, key, ...options }, (_, answer) => {
      world.asked.add('by TLS')
      answer.writeHead(403, { connection: 'close' }).end('{}')
    })
    server.on('tlsClientError', () => {})
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const end = world.end.bind(world)
    world.end = async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await end()
    }
    return { config: kubeconfig(world, near((server.address() as AddressInfo).port)) }
  },
})

const versions: Row[] = [
  speaking('only TLS 1.1', { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }),
  speaking('only TLS 1.2', { maxVersion: 'TLSv1.2' }),
  speaking('only TLS 1.3', { minVersion: 'TLSv1.3' }),
  speaking('TLS with a key exchange by RSA', { maxVersion: 'TLSv1.2', ciphers: 'AES128-GCM-SHA256' }),
  speaking('TLS with a key exchange by DH', {
    maxVersion: 'TLSv1.2',
    ciphers: 'DHE-RSA-AES128-GCM-SHA256',
    dhparam: 'auto',
  }),
  speaking('TLS with CBC', { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-RSA-AES128-SHA' }),
  speaking('TLS with P-521', { ecdhCurve: 'P-521' }),
  speaking('neither HTTP/2 nor HTTP/1.1', { ALPNProtocols: ['other'] }),
]

export const certificates: Row[] = [...servers, ...forms, ...stores, ...clients, ...versions]
