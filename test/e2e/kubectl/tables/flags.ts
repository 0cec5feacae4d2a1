/** Flags that kubectl has for every command, beside what the kubeconfig says. */
import type { Certificates } from '../certificates.ts'
import type { Row, Setup } from '../comparing.ts'
import { authority, base64, type Config, having, kubeconfig, near } from '../rows.ts'
import type { World } from '../world.ts'

interface Given {
  world: World
  server: string
  config: Config
}

interface Wanted {
  config?: (given: Given) => object | undefined
  certificate?: keyof Certificates
  more?: Partial<Setup>
}

function row(name: string, flags: (given: Given) => string[], wanted: Wanted = {}): Row {
  const { config = (given: Given) => given.config, certificate = 'server', more } = wanted
  return {
    name: `flags: ${name}`,
    async prepare(world) {
      const server = near(await world.api(world.pki[certificate]))
      const given = { world, server, config: kubeconfig(world, server) }
      const chosen = config(given)
      return { ...(chosen && { config: chosen }), flags: flags(given), ...more }
    },
  }
}

const none = { config: () => undefined }
/** Both entries twice. */
const two =
  (current = 'main') =>
  ({ world, server, config }: Given) => ({
    ...config,
    'current-context': current,
    clusters: [...config.clusters, { name: 'second', cluster: { server: `${server}/second`, ...authority(world) } }],
    users: [...config.users, { name: 'second', user: { token: 'two', as: 'ann' } }],
  })
const cluster =
  (entry: object) =>
  ({ world, server, config }: Given) => ({
    ...config,
    clusters: [{ name: 'main', cluster: { server, ...authority(world), ...entry } }],
  })
const user =
  (entry: (world: World) => object) =>
  ({ world, config }: Given) => ({ ...config, users: [{ name: 'main', user: entry(world) }] })

const pair = ({ pki: { client }, write }: World, of: World) => [
  '--client-certificate',
  write.call(of, 'c.crt', client.certificate),
  '--client-key',
  write.call(of, 'c.key', client.key),
]
const pairOf = ({ world }: Given) => pair(world, world)
const dataOf = ({ pki: { client } }: World) => ({
  'client-certificate-data': base64(client.certificate),
  'client-key-data': base64(client.key),
})
const anchor = ({ world }: Given, of: keyof Certificates = 'authority') => [
  '--certificate-authority',
  world.write('ca.crt', world.pki[of].certificate),
]
const unverified = { 'certificate-authority-data': undefined, 'insecure-skip-tls-verify': true }

const entries: Row[] = [
  row('--cluster', () => ['--cluster', 'second'], { config: two() }),
  row('--user', () => ['--user', 'second'], { config: two() }),
  row('--cluster and --user', () => ['--cluster', 'second', '--user', 'second'], { config: two() }),
  row('--cluster and --user that are empty', () => ['--cluster', '', '--user', ''], { config: two() }),
  row('--cluster that is unknown', () => ['--cluster', 'x']),
  row('--user that is unknown', () => ['--user', 'x']),
  row('--cluster without a context', () => ['--cluster', 'second'], { config: two('') }),
  row('--cluster and --user without a context', () => ['--cluster', 'second', '--user', 'second'], {
    config: two(''),
  }),
  row('--cluster and an unknown context', () => ['--cluster', 'second'], { config: two('x') }),
  row('--context and --cluster', () => ['--context', 'main', '--cluster', 'second'], { config: two('x') }),
]

const servers: Row[] = [
  row('--server', ({ server }) => ['--server', `${server}/flag`]),
  row('-s', ({ server }) => [`-s=${server}/flag`]),
  row('--server without a scheme', ({ server }) => ['-s', server.slice('https://'.length)]),
  row('--server with http', ({ server }) => ['-s', server.replace('https', 'http')]),
  row('--server that is no URL', () => ['-s', 'http://[x']),
  row('--server that is empty', () => ['-s', '']),
  row('--server beside tls-server-name', ({ server }) => ['-s', server], {
    config: cluster({ 'tls-server-name': 'other.example.com' }),
  }),
  row('--server beside proxy-url', ({ server }) => ['-s', server], {
    config: cluster({ 'proxy-url': 'http://127.0.0.1:1' }),
  }),
  row('--server and no cluster', ({ server }) => ['-s', server], {
    config: ({ config }) => ({ ...config, clusters: [] }),
  }),
  row('--server and no context', (given) => ['-s', given.server, ...anchor(given), '--token', 'flag'], {
    config: ({ config }) => ({ ...config, 'current-context': '' }),
  }),
  row('--server and no kubeconfig', (given) => ['-s', given.server, ...anchor(given), '--token', 'flag'], none),
  row('--server and neither kubeconfig nor credentials', (given) => ['-s', given.server, ...anchor(given)], none),
  row('--server with http and no kubeconfig', ({ server }) => ['-s', server.replace('https', 'http')], none),
  row('--server and --kubeconfig that is missing', ({ server }) => ['-s', server, '--kubeconfig', '/nowhere'], none),
  row('--server and $KUBECONFIG that is missing', (given) => ['-s', given.server, ...anchor(given), '--token', 'a'], {
    ...none,
    more: { environment: { KUBECONFIG: '/nowhere' } },
  }),
  row('--server, --as and no kubeconfig', (given) => [
    ...['-s', given.server, ...anchor(given), '--token', 'flag'],
    ...['--as', 'bob', '--as-group', 'g'],
  ]),
  row('--server twice', ({ server }) => ['-s', 'http://127.0.0.1:1', '--server', server]),
]

const credentials: Row[] = [
  row('--token', () => ['--token', 'flag']),
  row('--token that is empty', () => ['--token=']),
  row('--token twice', () => ['--token', 'a', '--token', 'b']),
  row('--token beside a tokenFile', () => ['--token', 'flag'], {
    config: user((world) => ({ tokenFile: world.write('token', 'file') })),
  }),
  row('--token beside a name and a password', () => ['--token', 'flag'], {
    config: user(() => ({ username: 'a', password: 'b' })),
  }),
  row('--token beside exec', () => ['--token', 'flag'], {
    config: user(() => ({
      exec: { apiVersion: 'client.authentication.k8s.io/v1', command: '/nowhere', interactiveMode: 'Never' },
    })),
  }),
  row('--token beside a client certificate', () => ['--token', 'flag'], { config: user(dataOf) }),
  row('--token and no user', () => ['--token', 'flag'], { config: ({ config }) => ({ ...config, users: [] }) }),
  row('--token and --as', () => ['--token', 'flag', '--as', 'bob']),
  row('--token with a line', () => ['--token', 'a\n']),
  row('--client-certificate', pairOf),
  row('--client-certificate with a relative path', (given) =>
    having(pairOf(given), ['--client-certificate', 'c.crt', '--client-key', 'c.key']),
  ),
  row('--client-certificate without a key', (given) => pairOf(given).slice(0, 2)),
  row('--client-key without a certificate', (given) => pairOf(given).slice(2)),
  row('--client-certificate beside data', pairOf, { config: user(dataOf) }),
  row('--client-certificate beside files', pairOf, {
    config: user(() => ({ 'client-certificate': '/nowhere', 'client-key': '/nowhere' })),
  }),
  row('--client-certificate that is missing', () => ['--client-certificate', '/nowhere', '--client-key', '/nowhere']),
]

const trust: Row[] = [
  row('--certificate-authority', (given) => anchor(given, 'selfSigned'), { certificate: 'selfSigned' }),
  row('--certificate-authority that is missing', () => ['--certificate-authority', '/nowhere']),
  row('--certificate-authority that is empty', () => ['--certificate-authority', '']),
  row('--certificate-authority beside insecure-skip-tls-verify', (given) => anchor(given, 'stranger'), {
    config: cluster(unverified),
  }),
  row('--certificate-authority and --insecure-skip-tls-verify', (given) => [
    ...anchor(given, 'stranger'),
    '--insecure-skip-tls-verify',
  ]),
  ...['', '=true', '=false', '=1', '=x'].map((value) =>
    row(`--insecure-skip-tls-verify${value}`, () => [`--insecure-skip-tls-verify${value}`], {
      certificate: 'selfSigned',
    }),
  ),
  row('--insecure-skip-tls-verify=false beside true', () => ['--insecure-skip-tls-verify=false'], {
    config: cluster(unverified),
    certificate: 'selfSigned',
  }),
  row('--insecure-skip-tls-verify, then =false', () => ['--insecure-skip-tls-verify', '--insecure-skip-tls-verify=0'], {
    certificate: 'selfSigned',
  }),
  row('--tls-server-name', () => ['--tls-server-name', 'other.example.com'], { certificate: 'otherName' }),
  row('--tls-server-name beside another', () => ['--tls-server-name', 'other.example.com'], {
    certificate: 'otherName',
    config: cluster({ 'tls-server-name': 'localhost' }),
  }),
  row('--tls-server-name that is empty', () => ['--tls-server-name', ''], {
    certificate: 'otherName',
    config: cluster({ 'tls-server-name': 'other.example.com' }),
  }),
]

const others: Row[] = [
  row('--context twice', () => ['--context', 'x', '--context', 'main']),
  row('--kubeconfig twice', ({ world, config }) => [
    '--kubeconfig',
    '/nowhere',
    '--kubeconfig',
    world.write('a', config),
  ]),
  row('--namespace twice', () => ['-n', 'a', '--namespace', 'b']),
  row('--as twice', () => ['--as', 'bob', '--as', 'carl']),
  ...['0', '0s', '', '10', '5s', '1m30s', '.5s', '-1', 'x', ' 5s', '1d'].map((time) =>
    row(`--request-timeout=${time}`, () => [`--request-timeout=${time}`]),
  ),
  {
    ...row('--as-user-extra', () => ['--as', 'b', '--as-user-extra', 'a=b']),
    differs: 'kubectl has it since 1.35',
  },
  {
    ...row('--username', () => ['--username', 'a', '--password', 'b'], { config: user(() => ({})) }),
    differs: 'no API server takes passwords since 1.19, and kubectl plugins do not have these flags',
  },
  {
    ...row('--disable-compression', () => ['--disable-compression']),
    differs: 'we ask for no compression',
  },
  { ...row('--cache-dir', ({ world }) => ['--cache-dir', world.path('other-cache')]), differs: 'we keep nothing' },
  row('an unknown flag', () => ['--foo']),
]

export const flags: Row[] = [...entries, ...servers, ...credentials, ...trust, ...others]
