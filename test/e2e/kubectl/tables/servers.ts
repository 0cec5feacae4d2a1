/** Where the server is, and how it is verified. */
import type { Certificates } from '../certificates.ts'
import type { Row } from '../comparing.ts'
import { authority, base64, having, kubeconfig, simple } from '../rows.ts'
import type { World } from '../world.ts'

const at = (name: string, url: (port: number) => string, host?: string): Row => ({
  name: `server ${name}`,
  async prepare(world) {
    const address = url(await world.api(world.pki.server, host))
    return { config: kubeconfig(world, address) }
  },
})

const places: Row[] = [
  at('with an address', (port) => `https://127.0.0.1:${port}`),
  at('with a name', (port) => `https://localhost:${port}`),
  at('in IPv6', (port) => `https://[::1]:${port}`, '::1'),
  at('with a slash', (port) => `https://127.0.0.1:${port}/`),
  at('with a path', (port) => `https://127.0.0.1:${port}/k8s/clusters/c-1`),
  at('with a path and a slash', (port) => `https://127.0.0.1:${port}/k8s/clusters/c-1/`),
  at('with an escaped path', (port) => `https://127.0.0.1:${port}/a%2Fb/c%20d`),
  at('with a path with slashes and dots', (port) => `https://127.0.0.1:${port}//a//b/../c/./`),
  at('with a query', (port) => `https://127.0.0.1:${port}/a?b=c`),
  at('with a fragment', (port) => `https://127.0.0.1:${port}/a#b`),
  at('with a user', (port) => `https://jane:pass@127.0.0.1:${port}`),
  at('with http', (port) => `http://127.0.0.1:${port}`),
  at('with http and a path', (port) => `http://127.0.0.1:${port}/a/`),
  at('in capitals', (port) => `HTTPS://LOCALHOST:${port}`),
  at('without a scheme', (port) => `127.0.0.1:${port}`),
  at('with a name and without a scheme', (port) => `localhost:${port}`),
  at('without a scheme, with a path', (port) => `127.0.0.1:${port}/a`),
  at('of an unknown scheme', (port) => `ftp://127.0.0.1:${port}`),
  at('with a space', (port) => ` https://127.0.0.1:${port}`),
  at('with a space after it', (port) => `https://127.0.0.1:${port} `),
  at('that is no URL', () => 'https://[bad'),
  at('with a port that is none', () => 'https://127.0.0.1:99999'),
  at('with a port and nothing else', (port) => `:${port}`),
  at('with a query after a slash', (port) => `https://127.0.0.1:${port}/?a=b`),
  at('with an empty port', () => 'https://127.0.0.1:'),
  at('with one slash', (port) => `https:/127.0.0.1:${port}`),
  at('without slashes', (port) => `https:127.0.0.1:${port}`),
  at('with three slashes', (port) => `https:///127.0.0.1:${port}`),
  at('with no scheme before the slashes', (port) => `//127.0.0.1:${port}`),
  at('of a socket', () => 'unix:///tmp/kube.sock'),
  at('of a WebSocket', (port) => `wss://127.0.0.1:${port}`),
  ...['127.1', '0x7f.1', 'localhost.', 'a_b.localhost'].map((host) =>
    at(`with the host ${host}`, (port) => `https://${host}:${port}`),
  ),
  at('in IPv6 without brackets', (port) => `https://::1:${port}`, '::1'),
  at('with an IPv4 address in IPv6', (port) => `https://[::ffff:127.0.0.1]:${port}`),
  at('with a long IPv6 address', (port) => `https://[0:0:0:0:0:0:0:1]:${port}`, '::1'),
  at('with a user without a password', (port) => `https://jane@127.0.0.1:${port}`),
  at('with a password without a user', (port) => `https://:pass@127.0.0.1:${port}`),
  at('with an escaped user', (port) => `https://j%40ne:p%3Aa%25ss@127.0.0.1:${port}`),
  at('with a user with a space', (port) => `https://jane doe@127.0.0.1:${port}`),
  at('with http and a user', (port) => `http://jane:pass@127.0.0.1:${port}`),
  ...['ü', 'a%3Fb', 'a%ffb', 'a%zz', "a'b(c)!*@:$&,=", '../a'].map((path) =>
    at(`with the path ${path}`, (port) => `https://127.0.0.1:${port}/${path}`),
  ),
  at('with a line after it', (port) => `https://127.0.0.1:${port}\n`),
  at('in quotes', (port) => `"https://127.0.0.1:${port}"`),
  at('that refuses connections', () => 'https://127.0.0.1:1'),
  at('that no resolver knows', () => 'https://nowhere.invalid'),
]

const verified = (
  name: string,
  which: keyof Certificates,
  cluster: (world: World) => object,
  more: { environment?: (world: World) => NodeJS.ProcessEnv; host?: string } = {},
): Row => ({
  name: `a server that is ${name}`,
  async prepare(world) {
    const port = await world.api(world.pki[which])
    const server = `https://${more.host ?? '127.0.0.1'}:${port}`
    const config = kubeconfig(world, server, { cluster: { server, ...cluster(world) } })
    return { config, environment: more.environment?.(world) ?? {} }
  },
})

const data = (pem: string) => ({ 'certificate-authority-data': base64(pem) })
const root = (world: World) => world.pki.authority.certificate

const trust: Row[] = [
  verified('signed by the CA', 'server', authority),
  verified('signed by the CA in a file', 'server', (world) => ({
    'certificate-authority': world.write('pki/ca.crt', root(world)),
  })),
  verified('signed by the CA in a file with a relative path', 'server', (world) =>
    having(world.write('pki/ca.crt', root(world)), { 'certificate-authority': 'pki/ca.crt' }),
  ),
  verified('signed by a CA in a file that is missing', 'server', () => ({
    'certificate-authority': 'pki/missing.crt',
  })),
  verified('signed by a CA in a directory', 'server', (world) =>
    having(world.write('pki/ca.crt', root(world)), { 'certificate-authority': 'pki' }),
  ),
  verified(
    'signed by the CA in a file that is empty, and the system trusts it',
    'server',
    (world) => ({ 'certificate-authority': world.write('empty', '') }),
    { environment: (world) => ({ SSL_CERT_FILE: world.write('system.pem', root(world)) }) },
  ),
  verified('signed by another CA', 'server', (world) => data(world.pki.stranger.certificate)),
  verified('signed by the second of two CAs', 'server', (world) => data(world.pki.stranger.certificate + root(world))),
  verified('signed by the CA after a text', 'server', (world) => data(`# our CA\n${root(world)}\nend`)),
  verified('signed by the CA after a broken certificate', 'server', (world) =>
    data(`-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n${root(world)}`),
  ),
  verified('signed by the CA with line ends of Windows', 'server', (world) =>
    data(root(world).replaceAll('\n', '\r\n')),
  ),
  verified('signed by what is no CA', 'server', () => data('no certificate')),
  verified('signed by a broken CA', 'server', () =>
    data('-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n'),
  ),
  verified('signed by a CA whose data is no base64', 'server', () => ({ 'certificate-authority-data': '%%%' })),
  verified('signed by a CA in DER', 'server', (world) => ({
    'certificate-authority-data': root(world).replace(/-----.*-----|\s/g, ''),
  })),
  verified('signed by an intermediate, with it', 'chained', authority),
  verified('signed by an intermediate that is the anchor', 'chained', (world) =>
    data(world.pki.intermediate.certificate),
  ),
  verified('its own anchor', 'selfSigned', (world) => data(world.pki.selfSigned.certificate)),
  verified('the anchor, signed by a CA', 'server', (world) => data(world.pki.server.certificate)),
  verified('self-signed', 'selfSigned', authority),
  verified('expired', 'expired', authority),
  verified('certified for clients', 'forClients', authority),
  verified('named by its common name only', 'commonNameOnly', authority),
  verified('certified for another name', 'otherName', authority),
  verified('certified for tls-server-name', 'otherName', (world) => ({
    ...authority(world),
    'tls-server-name': 'other.example.com',
  })),
  verified(
    'certified for tls-server-name, by name',
    'otherName',
    (world) => ({ ...authority(world), 'tls-server-name': 'other.example.com' }),
    { host: 'localhost' },
  ),
  verified('not certified for tls-server-name', 'server', (world) => ({
    ...authority(world),
    'tls-server-name': 'other.example.com',
  })),
  {
    ...verified(
      'certified for a tls-server-name that is an address',
      'server',
      (world) => ({ ...authority(world), 'tls-server-name': '127.0.0.1' }),
      { host: 'localhost' },
    ),
    differs: 'we name the host in TLS, too, which no server minds',
  },
  verified('called kube.example.com, by a certificate with stars and dots', 'patterns', (world) => ({
    ...authority(world),
    'tls-server-name': 'kube.example.com',
  })),
  verified('called KUBE.example.com, by a certificate with stars and dots', 'patterns', (world) => ({
    ...authority(world),
    'tls-server-name': 'KUBE.example.com',
  })),
  verified('called kube.example.com., by a certificate with stars and dots', 'patterns', (world) => ({
    ...authority(world),
    'tls-server-name': 'kube.example.com.',
  })),
  verified('called a.b.example.com, by a certificate with stars and dots', 'patterns', (world) => ({
    ...authority(world),
    'tls-server-name': 'a.b.example.com',
  })),
  verified('called example.com, by a certificate with stars and dots', 'patterns', (world) => ({
    ...authority(world),
    'tls-server-name': 'example.com',
  })),
  verified('called abc.example.org, by a certificate with stars and dots', 'patterns', (world) => ({
    ...authority(world),
    'tls-server-name': 'abc.example.org',
  })),
  verified('called localhost, by a certificate with stars and dots', 'patterns', (world) => ({
    ...authority(world),
    'tls-server-name': 'localhost',
  })),
  verified('called kube.test, by a certificate with stars and dots', 'patterns', (world) => ({
    ...authority(world),
    'tls-server-name': 'kube.test',
  })),
  verified('self-signed and not verified', 'selfSigned', () => ({ 'insecure-skip-tls-verify': true })),
  verified('expired and not verified', 'expired', () => ({ 'insecure-skip-tls-verify': true })),
  verified('for another name and not verified', 'otherName', () => ({
    'insecure-skip-tls-verify': true,
    'tls-server-name': 'other.example.com',
  })),
  verified('not verified, with a CA', 'server', (world) => ({ ...authority(world), 'insecure-skip-tls-verify': true })),
  verified('not verified, with a CA file', 'server', (world) => ({
    'certificate-authority': world.write('ca.crt', root(world)),
    'insecure-skip-tls-verify': true,
  })),
  verified('verified by a CA file and CA data', 'server', (world) => ({
    ...authority(world),
    'certificate-authority': world.write('ca.crt', root(world)),
  })),
  verified('verified by an empty CA, and the system does not trust it', 'server', () => ({
    'certificate-authority-data': '',
  })),
  verified('trusted by nobody', 'server', () => ({})),
  verified('trusted by SSL_CERT_FILE', 'server', () => ({}), {
    environment: (world) => ({ SSL_CERT_FILE: world.write('system.pem', root(world)) }),
  }),
  verified('trusted by a second certificate of SSL_CERT_FILE', 'server', () => ({}), {
    environment: (world) => ({
      SSL_CERT_FILE: world.write('system.pem', world.pki.stranger.certificate + root(world)),
    }),
  }),
  verified('trusted by SSL_CERT_DIR', 'server', () => ({}), {
    environment: (world) => having(world.write('certs/ca.pem', root(world)), { SSL_CERT_DIR: world.path('certs') }),
  }),
  verified('trusted by the second of SSL_CERT_DIR', 'server', () => ({}), {
    environment: (world) =>
      having(world.write('certs/any-name', root(world)), { SSL_CERT_DIR: `/nowhere:${world.path('certs')}` }),
  }),
  verified(
    'trusted by SSL_CERT_FILE, with a CA of the kubeconfig',
    'server',
    (world) => data(world.pki.stranger.certificate),
    { environment: (world) => ({ SSL_CERT_FILE: world.write('system.pem', root(world)) }) },
  ),
  verified('trusted by an intermediate in SSL_CERT_FILE', 'chained', () => ({}), {
    environment: (world) => ({ SSL_CERT_FILE: world.write('system.pem', world.pki.intermediate.certificate) }),
  }),
  verified('trusted by NODE_EXTRA_CA_CERTS', 'server', () => ({}), {
    environment: (world) => ({ NODE_EXTRA_CA_CERTS: world.write('extra.pem', root(world)) }),
  }),
  verified('not verified by NODE_TLS_REJECT_UNAUTHORIZED', 'selfSigned', authority, {
    environment: () => ({ NODE_TLS_REJECT_UNAUTHORIZED: '0' }),
  }),
  verified('trusted by nobody, with SSL_CERT_FILE that is missing', 'server', () => ({}), {
    environment: () => ({ SSL_CERT_FILE: '/nowhere' }),
  }),
]

/** Our HTTP/1.1 client verifies, too. */
const tunnels: Row[] = trust
  .filter((_, index) => index % 4 === 0)
  .map((row) => ({ ...row, name: `${row.name}, for port-forward`, command: ['port-forward', 'grafana'] }))

const disabled = simple('disable-compression', (world, server) => ({
  cluster: { server, ...authority(world), 'disable-compression': true },
}))

export const servers: Row[] = [...places, ...trust, ...tunnels, disabled]
