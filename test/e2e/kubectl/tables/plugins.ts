/** Credential plugins (`exec`), and OpenID Connect with refresh. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Pair } from '../../../cluster/pki.ts'
import type { Row, Setup } from '../comparing.ts'
import { authority, base64, having, kubeconfig, near } from '../rows.ts'
import type { World } from '../world.ts'

const V1 = 'client.authentication.k8s.io/v1'
const V1BETA1 = 'client.authentication.k8s.io/v1beta1'

const credential = (status: unknown, apiVersion: unknown = V1, kind: unknown = 'ExecCredential') =>
  JSON.stringify({ apiVersion, kind, status })

/** A program that notes what it gets and prints a text. */
function program(world: World, output: string, { name = 'login', more = '' } = {}): string {
  const answer = world.write(`${name}.out`, output)
  const text = `#!/bin/sh
{ echo "args $*"; echo "info $KUBERNETES_EXEC_INFO"; echo "own $OWN, home $HOME, stdin $(cat)"; } >> '${world.path('plugin.log')}'
${more}
cat '${answer}'
`
  return world.write(`bin/${name}`, text, 0o755)
}

const log = (world: World) => world.read('plugin.log')

interface Plugin {
  output?: string
  /** Of the entry `exec`. */
  exec?: object
  user?: (world: World) => object
  more?: string
  cluster?: (world: World) => object
  setup?: Partial<Setup>
  statuses?: number[]
  without?: boolean
  /** Another form of the server's URL. */
  server?: (server: string) => string
}

function plugin(name: string, { output = credential({ token: 'given' }), exec = {}, more = '', ...rest }: Plugin): Row {
  return {
    name: `plugin ${name}`,
    async prepare(world) {
      const api = near(await world.api())
      const server = rest.server?.(api) ?? api
      if (rest.statuses !== undefined) world.statuses = rest.statuses
      if (!rest.without) program(world, output, { more })
      const user = {
        exec: { apiVersion: V1, command: 'login', interactiveMode: 'Never', ...exec },
        ...rest.user?.(world),
      }
      const cluster = { server, ...authority(world), ...rest.cluster?.(world) }
      return { config: kubeconfig(world, server, { user, cluster }), after: log, ...rest.setup }
    },
  }
}

const pair = ({ certificate, key }: Pair) => ({ clientCertificateData: certificate, clientKeyData: key })
const withPair = (name: string, status: (world: World) => object): Row => ({
  name: `plugin ${name}`,
  async prepare(world) {
    program(world, credential(status(world)))
    const user = { exec: { apiVersion: V1, command: 'login', interactiveMode: 'Never' } }
    // kubectl asks a second time while it connects, if the first certificate is no longer valid.
    return { config: kubeconfig(world, near(await world.api()), { user }) }
  },
})

const known: Row[] = [
  plugin('of v1', {}),
  plugin('of v1beta1', {
    output: credential({ token: 'given' }, V1BETA1),
    exec: { apiVersion: V1BETA1, interactiveMode: undefined },
  }),
  plugin('of v1alpha1', {
    output: credential({ token: 'given' }, 'client.authentication.k8s.io/v1alpha1'),
    exec: { apiVersion: 'client.authentication.k8s.io/v1alpha1' },
  }),
  plugin('of no version', { exec: { apiVersion: undefined } }),
  plugin('of another group', { exec: { apiVersion: 'v1' } }),
  plugin('without interactiveMode', { exec: { interactiveMode: undefined } }),
  plugin('with an unknown interactiveMode', { exec: { interactiveMode: 'Sometimes' } }),
  plugin('with interactiveMode IfAvailable', {
    exec: { interactiveMode: 'IfAvailable' },
    setup: { input: 'typed\n', after: log },
  }),
  plugin('with interactiveMode Always', { exec: { interactiveMode: 'Always' } }),
  plugin('with interactiveMode Never and an input', { setup: { input: 'typed\n', after: log } }),
  plugin('with arguments', { exec: { args: ['--a', 'b c', '$HOME', ''] } }),
  plugin('with arguments that are null', { exec: { args: null, env: null } }),
  plugin('with an argument that is a number', { exec: { args: [1] } }),
  plugin('with env', {
    exec: {
      env: [
        { name: 'OWN', value: 'x y' },
        { name: 'HOME', value: '/else' },
      ],
    },
  }),
  plugin('with env twice', {
    exec: {
      env: [
        { name: 'OWN', value: 'first' },
        { name: 'OWN', value: 'second' },
      ],
    },
  }),
  plugin('with env that is empty', {
    exec: { env: [{ name: 'OWN', value: '' }] },
    setup: { environment: { OWN: 'outer' }, after: log },
  }),
  plugin('with env without a name', { exec: { env: [{ name: '', value: 'x' }] } }),
  plugin('with env without a value', {
    exec: { env: [{ name: 'OWN' }] },
    setup: { environment: { OWN: 'outer' }, after: log },
  }),
  plugin('with env that replaces KUBERNETES_EXEC_INFO', {
    exec: { env: [{ name: 'KUBERNETES_EXEC_INFO', value: 'x' }] },
  }),
  plugin('with provideClusterInfo', { exec: { provideClusterInfo: true } }),
  plugin('of v1beta1 with provideClusterInfo', {
    output: credential({ token: 'given' }, V1BETA1),
    exec: { apiVersion: V1BETA1, provideClusterInfo: true },
  }),
  plugin('with provideClusterInfo and all of a cluster', {
    exec: { provideClusterInfo: true },
    cluster: () => ({
      'tls-server-name': 'localhost',
      'disable-compression': true,
      extensions: [
        { name: 'client.authentication.k8s.io/exec', extension: { audience: 'a', list: [1, true, null] } },
        { name: 'other', extension: { b: 1 } },
      ],
    }),
  }),
  plugin('with provideClusterInfo and a CA file', {
    exec: { provideClusterInfo: true },
    cluster: (world) => ({
      'certificate-authority-data': undefined,
      'certificate-authority': world.write('ca.crt', world.pki.authority.certificate),
    }),
  }),
  plugin('with provideClusterInfo, not verified', {
    exec: { provideClusterInfo: true },
    cluster: () => ({ 'certificate-authority-data': undefined, 'insecure-skip-tls-verify': true }),
  }),
  plugin('with provideClusterInfo and a proxy', {
    exec: { provideClusterInfo: true },
    cluster: () => ({ 'proxy-url': 'http://127.0.0.1:1' }),
  }),
  plugin('with provideClusterInfo and a proxy of the environment', {
    exec: { provideClusterInfo: true },
    setup: { environment: { HTTPS_PROXY: 'http://127.0.0.1:1' }, after: log },
  }),
  plugin('with provideClusterInfo: false and an extension', {
    exec: { provideClusterInfo: false },
    cluster: () => ({ extensions: [{ name: 'client.authentication.k8s.io/exec', extension: { a: 1 } }] }),
  }),
  ...(
    [
      ['a slash', (server) => `${server}/`],
      ['a path and a slash', (server) => `${server}/k8s/`],
      ['a path with dots', (server) => `${server}/a/../b//c`],
      ['capitals', (server) => server.replace('https', 'HTTPS')],
      ['a query', (server) => `${server}/a?b=c`],
      ['a user', (server) => server.replace('//', '//jane:pass@')],
    ] as [string, (server: string) => string][]
  ).map(([name, change]) =>
    plugin(`with provideClusterInfo and a server with ${name}`, { exec: { provideClusterInfo: true }, server: change }),
  ),
  ...['text', [1], null, { z: { b: 1, a: '<&>' }, n: -0.5 }].map((extension) =>
    plugin(`with provideClusterInfo and the extension ${JSON.stringify(extension)}`, {
      exec: { provideClusterInfo: true },
      cluster: () => ({ extensions: [{ name: 'client.authentication.k8s.io/exec', extension }] }),
    }),
  ),
  plugin('with provideClusterInfo and a proxy in capitals', {
    exec: { provideClusterInfo: true },
    cluster: () => ({ 'proxy-url': 'HTTP://127.0.0.1:1/' }),
  }),
  plugin('beside a user in the URL', { server: (server) => server.replace('//', '//jane:pass@') }),
  ...[
    '',
    '2099-01-01 00:00:00Z',
    '2099-01-01t00:00:00z',
    '2099-02-30T00:00:00Z',
    '2099-01-01T24:00:00Z',
    '2099-01-01T1:00:00Z',
    '2099-01-01T10:00:00,5Z',
  ].map((expirationTimestamp) =>
    plugin(`whose token lasts until "${expirationTimestamp}"`, {
      output: credential({ token: 'given', expirationTimestamp }),
    }),
  ),
  {
    ...plugin('whose token has ended', {
      output: credential({ token: 'given', expirationTimestamp: '2020-01-01T00:00:00Z' }),
    }),
    differs: 'kubectl runs it for the connection and again for the request',
  },
  ...['"x"', '{"interactive":"x"}', '{"interactive":true,"cluster":null}', '{"cluster":[]}'].map((spec) =>
    plugin(`that answers the spec ${spec}`, {
      output: `{"apiVersion":"${V1}","kind":"ExecCredential","spec":${spec},"status":{"token":"given"}}`,
    }),
  ),
  plugin('that answers with other capitals', {
    output: `{"apiVersion":"${V1}","kind":"ExecCredential","status":{"Token":"given"}}`,
  }),
  plugin('that answers a mark before JSON', { output: `\ufeff${credential({ token: 'given' })}` }),
  plugin('that answers a list', { output: `[${credential({ token: 'given' })}]` }),
  plugin('that answers a status that is a list', { output: credential([]) }),
  plugin('that answers a token with spaces', { output: credential({ token: ' given ' }) }),
  plugin('that answers a number in YAML', {
    output: `apiVersion: ${V1}\nkind: ExecCredential\nstatus: {token: 123}\n`,
  }),
  {
    ...plugin('that is a text without #!', {
      without: true,
      user: (world) => having(world.write('bin/login', `echo '${credential({ token: 'given' })}'`, 0o755), {}),
    }),
    differs: 'the system runs it with a shell, as from a shell',
  },
  plugin('with a name with a space', { exec: { command: 'login --x' } }),
  plugin('in the home directory', { exec: { command: '~/bin/login' } }),
  plugin('of a path with a variable', { exec: { command: '$HOME/bin/login' } }),
  plugin('of a path with a slash at its end', { exec: { command: 'bin/login/' } }),
  plugin('with a PATH of its own', { exec: { env: [{ name: 'PATH', value: '/nowhere' }] } }),
  plugin('with arguments that are a text', { exec: { args: 'a b' } }),
  plugin('with env that is a map', { exec: { env: { OWN: 'x' } } }),
  plugin('with env of a number', { exec: { env: [{ name: 'OWN', value: 1 }] } }),
  plugin('with provideClusterInfo that is a text', { exec: { provideClusterInfo: 'true' } }),
  plugin('with interactiveMode in small letters', { exec: { interactiveMode: 'never' } }),
  plugin('without a command', { exec: { command: undefined } }),
  plugin('with an empty command', { exec: { command: '' } }),
  plugin('that is missing', { without: true }),
  plugin('that is missing, with a hint', {
    without: true,
    exec: { installHint: 'brew install login' },
    setup: { shown: /^.*brew install login.*$/ },
  }),
  plugin('at a path that is missing', {
    exec: { command: '/nowhere/login', installHint: 'see the manual' },
  }),
  plugin('that may not be run', { without: true, user: (world) => having(world.write('bin/login', 'x', 0o644), {}) }),
  plugin('that is a directory', { exec: { command: '/tmp' } }),
  plugin('with a relative path', { exec: { command: './bin/login' } }),
  plugin('with a relative path without a dot', { exec: { command: 'bin/login' } }),
  plugin('beside the kubeconfig, without a path', {
    without: true,
    user: (world) => having(world.write('login', '#!/bin/sh\necho x', 0o755), {}),
  }),
  plugin('on a relative entry of PATH', { setup: { environment: { PATH: 'bin:/usr/bin:/bin' } } }),
  plugin('on an empty entry of PATH', {
    without: true,
    user: (world) => having(world.write('login', '#!/bin/sh\necho x', 0o755), {}),
    setup: { environment: { PATH: ':/usr/bin:/bin' } },
  }),
  plugin('whose interpreter is missing', {
    without: true,
    user: (world) => having(world.write('bin/login', '#!/nowhere\n', 0o755), {}),
  }),
  plugin('that fails', { more: 'echo "please log in" >&2; exit 3', setup: { shown: /please log in/ } }),
  plugin('that fails after it printed a credential', {
    output: credential({ token: 'given' }),
    more: `echo '${credential({ token: 'x' })}'; exit 1`,
  }),
  plugin('that is killed', { more: 'kill -9 $$' }),
  plugin('that writes to stderr', {
    more: 'echo "open https://login.example.com and enter ABC" >&2',
    setup: { shown: /open https:\/\/login.example.com and enter ABC/ },
  }),
  plugin('that prints nothing', { output: '' }),
  plugin('that prints a text', { output: 'hello' }),
  plugin('that prints a token', { output: 'abc' }),
  plugin('that prints YAML', { output: `apiVersion: ${V1}\nkind: ExecCredential\nstatus:\n  token: given\n` }),
  plugin('that prints JSON with spaces around it', { output: `\n  ${credential({ token: 'given' })}\n\n` }),
  plugin('that prints JSON with a text before it', { output: `Welcome!\n${credential({ token: 'given' })}` }),
  plugin('that prints JSON with a text after it', { output: `${credential({ token: 'given' })}\nBye!` }),
  plugin('that prints JSON twice', { output: credential({ token: 'given' }) + credential({ token: 'other' }) }),
  plugin('that answers in another version', { output: credential({ token: 'given' }, V1BETA1) }),
  plugin('that answers without a version', { output: credential({ token: 'given' }, null) }),
  plugin('that answers without a kind', { output: credential({ token: 'given' }, V1, null) }),
  plugin('that answers another kind', { output: credential({ token: 'given' }, V1, 'Token') }),
  plugin('that answers another object', { output: JSON.stringify({ apiVersion: 'v1', kind: 'Status' }) }),
  plugin('that answers without a status', { output: JSON.stringify({ apiVersion: V1, kind: 'ExecCredential' }) }),
  plugin('that answers an empty status', { output: credential({}) }),
  plugin('that answers an empty token', { output: credential({ token: '' }) }),
  plugin('that answers a token that is a number', { output: credential({ token: 1 }) }),
  plugin('that answers a token with a line', { output: credential({ token: 'abc\n' }) }),
  plugin('that answers with unknown fields', {
    output: JSON.stringify({
      apiVersion: V1,
      kind: 'ExecCredential',
      spec: {},
      metadata: { a: 1 },
      status: { token: 'given', x: 1 },
    }),
  }),
  plugin('whose token lasts', { output: credential({ token: 'given', expirationTimestamp: '2099-01-01T00:00:00Z' }) }),
  plugin('whose token has an end that is no time', {
    output: credential({ token: 'given', expirationTimestamp: 'tomorrow' }),
  }),
  plugin('whose token has an end that is a number', {
    output: credential({ token: 'given', expirationTimestamp: 4070908800 }),
  }),
  plugin('whose token has an end in another zone', {
    output: credential({ token: 'given', expirationTimestamp: '2099-01-01T00:00:00.5+02:00' }),
  }),
  withPair('that answers a certificate', (world) => pair(world.pki.client)),
  withPair('that answers a certificate and a token', (world) => ({ ...pair(world.pki.client), token: 'given' })),
  withPair('that answers a certificate without a key', (world) => ({
    clientCertificateData: world.pki.client.certificate,
  })),
  withPair('that answers a certificate without a key, and a token', (world) => ({
    clientCertificateData: world.pki.client.certificate,
    token: 'given',
  })),
  withPair('that answers a certificate that is none', () => ({ clientCertificateData: 'x', clientKeyData: 'y' })),
  withPair('that answers a certificate with another key', (world) => ({
    clientCertificateData: world.pki.client.certificate,
    clientKeyData: world.pki.otherClient.key,
  })),
  plugin('beside a token', { user: () => ({ token: 'abc' }) }),
  plugin('beside a tokenFile', { user: (world) => ({ tokenFile: world.write('token', 'abc') }) }),
  plugin('beside a name and a password', { user: () => ({ username: 'jane', password: 'p' }) }),
  plugin('beside a client certificate', {
    user: ({ pki: { client } }) => ({
      'client-certificate-data': base64(client.certificate),
      'client-key-data': base64(client.key),
    }),
  }),
  plugin('that is missing, beside a token', { without: true, user: () => ({ token: 'abc' }) }),
  plugin('of no version, beside a token', { exec: { apiVersion: undefined }, user: () => ({ token: 'abc' }) }),
  plugin('of another group, beside a token', { exec: { apiVersion: 'v2' }, user: () => ({ token: 'abc' }) }),
  plugin('beside an auth-provider', { user: () => ({ 'auth-provider': { name: 'oidc', config: {} } }) }),
  plugin('that impersonates', { user: () => ({ as: 'ann' }) }),
  plugin('whose token is refused', { statuses: [401] }),
]

/** A program that asks. `script` gives it a terminal, on which the user types. */
function asking(name: string, interactiveMode: string, questions: string, input: string): Row {
  return {
    name: `plugin at a terminal ${name}`,
    async prepare(world) {
      const note = (text: string) => `echo "${text}" >> '${world.path('plugin.log')}'`
      const answer = `echo '${credential({ token: 'given' })}'`
      const lines = ['#!/bin/sh', `[ -t 0 ] && ${note('a terminal')}`, note('$KUBERNETES_EXEC_INFO'), questions]
      world.write('bin/login', [...lines, note('read $one $two'), answer, ''].join('\n'), 0o755)
      const user = { exec: { apiVersion: V1, command: 'login', interactiveMode } }
      return {
        config: kubeconfig(world, near(await world.api()), { user }),
        within: ['sh', '-c', 'exec script -qefc "$*" /dev/null', 'sh'],
        input,
        after: log,
        shown: /Password: /,
      }
    },
  }
}

const PROMPT = 'printf "Password: " >&2'
const atTerminals: Row[] = [
  asking('that asks if it can', 'IfAvailable', `${PROMPT}; read one`, 'typed\n'),
  asking('that always asks', 'Always', `${PROMPT}; read one`, 'typed\n'),
  asking('that asks twice', 'IfAvailable', `${PROMPT}; read one; ${PROMPT}; read two`, 'typed\nagain\n'),
  asking('that never asks', 'Never', 'read one', 'typed\n'),
]

interface Provider {
  config?: (world: World, issuer: string) => object
  /** What the token endpoint answers. */
  tokens?: object | string
  status?: number
  metadata?: (issuer: string) => object | string
  user?: object
  setup?: (world: World) => Partial<Setup>
  /** Whether the issuer has TLS, by the CA of the test. */
  secure?: boolean
  path?: string
  basicRefused?: boolean
  /** Where the issuer says its metadata is. */
  movedTo?: string
}

const jwt = (seconds: number) =>
  `${[{ alg: 'none' }, { exp: Math.round(Date.now() / 1000) + seconds }]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')}.c2ln`

/** Tokens contain the time, which differs between the two runs. */
const named = (name: string, seconds: number) =>
  `${jwt(seconds)}`.replace(/\.c2ln$/, `.${Buffer.from(name).toString('base64url')}`)

function oidc(name: string, given: Provider): Row {
  return {
    name: `oidc ${name}`,
    async prepare(world) {
      const {
        tokens = { access_token: 'a', id_token: FRESH, refresh_token: 'rotated' },
        secure = false,
        path = '',
      } = given
      let issuer = ''
      const port = await world.serve({
        request: (asked, answer) => void answerAs(asked, answer, { ...given, tokens, issuer: () => issuer, world }),
      })
      issuer = `${secure ? 'https' : 'http'}://127.0.0.1:${port}${path}`
      const config = {
        'idp-issuer-url': issuer,
        'client-id': 'client/1',
        'client-secret': 'se cret',
        'id-token': STALE,
        'refresh-token': 'first',
        ...(secure ? { 'idp-certificate-authority-data': base64(world.pki.authority.certificate) } : {}),
        ...given.config?.(world, issuer),
      }
      const user = { 'auth-provider': { name: 'oidc', config }, ...given.user }
      return {
        config: kubeconfig(world, near(await world.api()), { user }),
        after: () => `${world.read('issuer.log')}\nwritten: ${writtenTokens(world)}`,
        ...given.setup?.(world),
      }
    },
  }
}

/** Fixed, so that both runs have the same. */
const FRESH = named('fresh', 3_600)
const STALE = named('stale', -3_600)

function writtenTokens(world: World): string {
  const text = world.read('config')
  const found = /refresh-token"?: "?([\w-]+)/.exec(text)
  const id = text.includes(FRESH) ? 'fresh' : 'other'
  return `${found?.[1] ?? 'none'}, id-token ${id}, lock ${world.read('config.lock') === '' ? 'gone or empty' : 'there'}`
}

async function answerAs(
  asked: IncomingMessage,
  answer: ServerResponse,
  {
    tokens,
    status = 200,
    metadata,
    issuer,
    world,
    basicRefused,
    movedTo,
  }: Provider & { tokens: object | string; issuer(): string; world: World },
): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of asked) chunks.push(chunk as Buffer)
  const body = Buffer.concat(chunks).toString()
  const form = [...new URLSearchParams(body)]
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join('&')
  world.write(
    'issuer.log',
    `${world.read('issuer.log')}${asked.method} ${asked.url} ${asked.headers.authorization ?? 'nobody'} ${form}\n`,
  )
  if (movedTo !== undefined && asked.url?.startsWith('/.well-known')) {
    answer.writeHead(302, { location: movedTo + asked.url }).end()
    return
  }
  const isToken = asked.url?.includes('/token')
  const refused = basicRefused === true && asked.headers.authorization !== undefined
  const value = isToken
    ? refused
      ? { error: 'invalid_client' }
      : tokens
    : (metadata?.(issuer()) ?? { issuer: issuer(), token_endpoint: `${issuer()}/token` })
  answer.writeHead(isToken ? (refused ? 401 : status) : 200, { 'content-type': 'application/json' })
  answer.end(typeof value === 'string' ? value : JSON.stringify(value))
}

const provided: Row[] = [
  oidc('with a valid token', { config: () => ({ 'id-token': FRESH }) }),
  oidc('with a token about to expire', { config: () => ({ 'id-token': named('soon', 5) }) }),
  oidc('with a token that is no JWT', { config: () => ({ 'id-token': 'abc' }) }),
  oidc('with a token without an end', { config: () => ({ 'id-token': 'e30.e30.e30' }) }),
  oidc('with refresh', {}),
  oidc('with refresh, without a new refresh token', { tokens: { access_token: 'a', id_token: FRESH } }),
  oidc('with refresh, without a token before', { config: () => ({ 'id-token': undefined }) }),
  oidc('with refresh, without a client secret', { config: () => ({ 'client-secret': undefined }) }),
  oidc('with refresh, by a provider that wants the secret in the form', { basicRefused: true }),
  oidc('without a refresh token', { config: () => ({ 'refresh-token': undefined }) }),
  oidc('without an issuer', { config: () => ({ 'idp-issuer-url': undefined, 'id-token': FRESH }) }),
  oidc('without a client', { config: () => ({ 'client-id': undefined, 'id-token': FRESH }) }),
  oidc('without a config', { config: () => ({ 'idp-issuer-url': '', 'client-id': '' }) }),
  oidc('whose answer has no id_token', { tokens: { access_token: 'a', refresh_token: 'rotated' } }),
  oidc('whose answer has no access_token', { tokens: { id_token: FRESH, refresh_token: 'rotated' } }),
  oidc('whose answer is an error', { tokens: { error: 'invalid_grant' }, status: 400 }),
  oidc('whose answer is no JSON', { tokens: '<html>' }),
  oidc('whose metadata is no JSON', { metadata: () => '<html>' }),
  oidc('whose metadata has no endpoint', { metadata: () => ({}) }),
  oidc('whose metadata names another issuer', {
    metadata: (issuer) => ({ issuer: 'https://other', token_endpoint: `${issuer}/token` }),
  }),
  oidc('with a token with padding', {
    config: () => ({ 'id-token': `e30.${base64(JSON.stringify({ exp: 4e9, a: 1 }))}.c2ln` }),
  }),
  oidc('with a token whose end is a fraction', {
    config: () => ({ 'id-token': `e30.${Buffer.from('{"exp":4e9}').toString('base64url')}.c2ln` }),
  }),
  oidc('with a token of four parts', { config: () => ({ 'id-token': `${FRESH}.x` }) }),
  oidc('with a valid token and a CA file that is missing', {
    config: () => ({ 'id-token': FRESH, 'idp-certificate-authority': '/nowhere' }),
  }),
  oidc('with a relative CA file', {
    secure: true,
    config: (world) =>
      having(world.write('idp.crt', world.pki.authority.certificate), {
        'idp-certificate-authority-data': undefined,
        'idp-certificate-authority': 'idp.crt',
      }),
  }),
  oidc('whose answer has a token that is no JWT', { tokens: { access_token: 'a', id_token: 'abc' } }),
  oidc('whose answer has a token that has ended', { tokens: { access_token: 'a', id_token: STALE } }),
  oidc('whose answer has tokens and an error', { tokens: { access_token: 'a', id_token: FRESH, error: 'x' } }),
  oidc('whose answer has an empty refresh token', {
    tokens: { access_token: 'a', id_token: FRESH, refresh_token: '' },
  }),
  oidc('whose metadata has a relative endpoint', { metadata: () => ({ token_endpoint: '/token' }) }),
  oidc('whose issuer has no scheme', { config: (_, issuer) => ({ 'idp-issuer-url': issuer.slice('http://'.length) }) }),
  oidc('whose issuer is behind a redirect', { movedTo: '/moved' }),
  oidc('of the second of two files', {
    setup: (world) => ({ environment: { KUBECONFIG: `${world.write('first', '{}')}:${world.path('config')}` } }),
  }),
  oidc('whose issuer has a path and a slash', { path: '/realms/a/' }),
  oidc('whose issuer does not answer', { config: () => ({ 'idp-issuer-url': 'http://127.0.0.1:1' }) }),
  oidc('over TLS', { secure: true }),
  oidc('over TLS with a CA file', {
    secure: true,
    config: (world) => ({
      'idp-certificate-authority-data': undefined,
      'idp-certificate-authority': world.write('idp.crt', world.pki.authority.certificate),
    }),
  }),
  oidc('over TLS by a CA that nobody trusts', {
    secure: true,
    config: () => ({ 'idp-certificate-authority-data': undefined }),
  }),
  oidc('beside a token', { user: { token: 'abc' } }),
  oidc('beside a name and a password', { user: { username: 'jane', password: 'p' } }),
  oidc('that impersonates', { user: { as: 'ann' } }),
  {
    ...oidc('whose kubeconfig is locked', { setup: (world) => having(world.write('config.lock', 'x'), {}) }),
    differs: 'kubectl asks for a new token and loses it; we ask after we have the lock',
  },
]

export const plugins: Row[] = [...known, ...atTerminals, ...provided]
