/** Files: several, broken, empty; names of contexts; YAML as Go reads it. */
import { mkdirSync, symlinkSync } from 'node:fs'
import type { Row, Setup } from '../comparing.ts'
import { authority, type Config, having, kubeconfig, near } from '../rows.ts'
import type { World } from '../world.ts'

const NOBODY = 'kubectl asks localhost:8080, which nobody meant'

interface Given {
  world: World
  server: string
  config: Config
}

function row(name: string, prepare: (given: Given) => Setup): Row {
  return {
    name,
    async prepare(world) {
      const server = near(await world.api())
      return prepare({ world, server, config: kubeconfig(world, server) })
    },
  }
}

/** The kubeconfig with more entries. */
const beside = (name: string, more: { clusters?: unknown[]; users?: unknown[]; contexts?: unknown[] }) =>
  row(`beside ${name}`, ({ config }) => ({
    config: {
      ...config,
      ...Object.fromEntries(
        Object.entries(more).map(([field, list]) => [field, [...list, ...(config[field] as object[])]]),
      ),
    },
  }))

const neighbours: Row[] = [
  beside('a context without a cluster', { contexts: [{ name: 'b', context: { user: 'main' } }] }),
  beside('a context that is empty', { contexts: [{ name: 'b', context: {} }] }),
  beside('a context that is null', { contexts: [{ name: 'b', context: null }] }),
  beside('a context without a context', { contexts: [{ name: 'b' }] }),
  beside('a context without a name', { contexts: [{ context: { cluster: 'main', user: 'main' } }] }),
  beside('a context that is a text', { contexts: [{ name: 'b', context: 'text' }] }),
  beside('an entry that is null', { contexts: [null] }),
  beside('a context of a cluster that is missing', { contexts: [{ name: 'b', context: { cluster: 'x', user: 'y' } }] }),
  beside('a cluster without a server', { clusters: [{ name: 'b', cluster: {} }] }),
  beside('a cluster without a cluster', { clusters: [{ name: 'b' }] }),
  beside('a cluster whose server is empty', { clusters: [{ name: 'b', cluster: { server: '' } }] }),
  beside('a cluster whose server is a number', { clusters: [{ name: 'b', cluster: { server: 6443 } }] }),
  beside('a cluster whose CA is no base64', {
    clusters: [{ name: 'b', cluster: { server: 'https://b', 'certificate-authority-data': '%' } }],
  }),
  beside('a cluster whose CA file is missing', {
    clusters: [{ name: 'b', cluster: { server: 'https://b', 'certificate-authority': 'nowhere' } }],
  }),
  beside('a cluster whose proxy is no URL', {
    clusters: [{ name: 'b', cluster: { server: 'https://b', 'proxy-url': '::' } }],
  }),
  beside('a user without a user', { users: [{ name: 'b' }] }),
  beside('a user that is null', { users: [{ name: 'b', user: null }] }),
  beside('a user without a name', { users: [{ user: {} }] }),
  beside('a user whose token is a number', { users: [{ name: 'b', user: { token: 1 } }] }),
  beside('a user whose tokenFile is missing', { users: [{ name: 'b', user: { tokenFile: 'nowhere' } }] }),
  beside('a user whose exec is half', { users: [{ name: 'b', user: { exec: {} } }] }),
  beside('a user with an unknown provider', { users: [{ name: 'b', user: { 'auth-provider': { name: 'x' } } }] }),
  beside('a user whose groups are a text', { users: [{ name: 'b', user: { 'as-groups': 'a' } }] }),
  beside('a context of the same name', { contexts: [{ name: 'main', context: { cluster: 'x' } }] }),
  beside('a user of the same name', { users: [{ name: 'main', user: { token: 'other' } }] }),
  beside('a cluster of the same name', { clusters: [{ name: 'main', cluster: { server: 'https://127.0.0.1:1' } }] }),
]

const current = (name: string, change: (config: Config, given: Given) => object) =>
  row(name, (given) => ({ config: change(given.config, given) }))

const contexts: Row[] = [
  ...['arn:aws:eks:eu-1:1:cluster/c', 'default/api-c:6443/kube:admin', 'my context', 'ünï', "it's", '123', 'true'].map(
    (name) =>
      current(`a context called ${name}`, (config) => ({
        ...config,
        'current-context': name,
        contexts: [{ name, context: { cluster: 'main', user: 'main' } }],
      })),
  ),
  current('a context without a name, and none that is current', (config) => ({
    ...config,
    'current-context': '',
    contexts: [{ name: '', context: { cluster: 'main', user: 'main' } }],
  })),
  current('a cluster and a user without names', ({ clusters: [cluster], users: [user], ...config }) => ({
    ...config,
    clusters: [{ ...cluster, name: '' }],
    users: [{ ...user, name: '' }],
    contexts: [{ name: 'main', context: {} }],
  })),
  current('a current context with spaces', (config) => ({ ...config, 'current-context': ' main ' })),
  current('a current context in capitals', (config) => ({ ...config, 'current-context': 'Main' })),
  ...[{ kind: 'config' }, { apiVersion: '' }, { apiVersion: 'config/v1' }, { apiVersion: 'a/b/c' }, { kind: null }].map(
    (of) => current(`a file with ${JSON.stringify(of)}`, (config) => ({ ...config, ...of })),
  ),
  ...[
    { preferences: null },
    { preferences: 'x' },
    { preferences: { colors: 1 } },
    { contexts: null },
    { contexts: {} },
    { extensions: ['a'] },
    { extensions: [{ extension: 1 }] },
  ].map((of) => current(`a file with ${JSON.stringify(of)}`, (config) => ({ ...config, ...of }))),
  ...(
    [
      ['spaces', (data) => data.replace(/(.{64})/g, '$1 ')],
      ['line ends of Windows', (data) => data.replace(/(.{64})/g, '$1\r\n')],
      ['a tab', (data) => `\t${data}`],
      ['letters of URLs', (data) => data.replaceAll('+', '-').replaceAll('/', '_')],
      ['no =', (data) => `${Buffer.from(`${Buffer.from(data, 'base64')}\n`).toString('base64')}=`],
    ] as [string, (data: string) => string][]
  ).map(([name, change]) =>
    current(`a CA in base64 with ${name}`, (config, { world, server }) => ({
      ...config,
      clusters: [
        {
          name: 'main',
          cluster: {
            server,
            'certificate-authority-data': change(Buffer.from(world.pki.authority.certificate).toString('base64')),
          },
        },
      ],
    })),
  ),
  row('--context', ({ config }) => ({
    config: { ...config, 'current-context': 'other' },
    flags: ['--context', 'main'],
  })),
  row('--context beside no current one', ({ config }) => ({
    config: { ...config, 'current-context': '' },
    flags: ['--context=main'],
  })),
  row('--context that is unknown', ({ config }) => ({ config, flags: ['--context', 'other'] })),
  row('--context that is empty', ({ config }) => ({ config, flags: ['--context', ''] })),
  row('--context= that is empty', ({ config }) => ({ config, flags: ['--context='] })),
  current('a current context that is unknown', (config) => ({ ...config, 'current-context': 'other' })),
  {
    ...current('no current context', ({ 'current-context': _, ...config }) => config),
    differs: NOBODY,
  },
  {
    ...current('a current context that is null', (config) => ({ ...config, 'current-context': null })),
    differs: NOBODY,
  },
  current('a current context that is a number', (config) => ({ ...config, 'current-context': 1 })),
  {
    ...current('a context of a cluster that is missing', (config) => ({ ...config, clusters: [] })),
    differs: NOBODY,
  },
  {
    ...current('a context without a cluster', (config) => ({
      ...config,
      contexts: [{ name: 'main', context: { user: 'main' } }],
    })),
    differs: NOBODY,
  },
  {
    ...current('a cluster without a server', (config, { world }) => ({
      ...config,
      clusters: [{ name: 'main', cluster: authority(world) }],
    })),
    differs: NOBODY,
  },
  {
    ...current('a cluster that is empty', (config) => ({ ...config, clusters: [{ name: 'main', cluster: {} }] })),
    differs: NOBODY,
  },
  current('a context of a user that is missing', (config) => ({ ...config, users: [] })),
  current('a context without a user', (config) => ({
    ...config,
    contexts: [{ name: 'main', context: { cluster: 'main' } }],
  })),
  current('a namespace that is none', (config) => ({
    ...config,
    contexts: [{ name: 'main', context: { cluster: 'main', user: 'main', namespace: 'A_B' } }],
  })),
]

const paths: Row[] = [
  row('--kubeconfig', ({ world, config }) => ({ flags: ['--kubeconfig', world.write('other', config)] })),
  row('--kubeconfig with a relative path', ({ world, config }) =>
    having(world.write('a/other', config), { flags: ['--kubeconfig', 'a/other'] }),
  ),
  row('--kubeconfig before $KUBECONFIG', ({ world, config }) => ({
    flags: ['--kubeconfig', world.write('other', config)],
    environment: { KUBECONFIG: '/nowhere' },
  })),
  row('--kubeconfig that is missing', ({ config }) => ({ config, flags: ['--kubeconfig', '/nowhere'] })),
  row('--kubeconfig that is empty', ({ config }) => ({ config, flags: ['--kubeconfig', ''] })),
  row('--kubeconfig with two files', ({ world, config }) => ({
    flags: ['--kubeconfig', `${world.write('a', config)}:${world.write('b', config)}`],
  })),
  row('the home directory', ({ world, config }) => having(world.write('.kube/config', config), {})),
  row('the home directory, with an empty $KUBECONFIG', ({ world, config }) =>
    having(world.write('.kube/config', config), { environment: { KUBECONFIG: '' } }),
  ),
  {
    ...row('the home directory, with a $KUBECONFIG of empty names', ({ world, config }) =>
      having(world.write('.kube/config', config), { environment: { KUBECONFIG: ':' } }),
    ),
    differs: NOBODY,
  },
  row('no $HOME, and .kube/config in the working directory', ({ world, config }) =>
    having(world.write('.kube/config', config), { environment: { HOME: '' } }),
  ),
  { ...row('nothing', () => ({})), differs: NOBODY },
  {
    ...row('files that are missing', () => ({ environment: { KUBECONFIG: '/nowhere:/elsewhere' } })),
    differs: NOBODY,
  },
  row('KUBERNETES_MASTER and no kubeconfig', ({ server }) => ({
    environment: { KUBERNETES_MASTER: server.replace('https', 'http') },
  })),
  row('KUBERNETES_MASTER and a kubeconfig', ({ config }) => ({
    config,
    environment: { KUBERNETES_MASTER: 'http://127.0.0.1:1' },
  })),
  row('a directory', ({ world }) =>
    having(mkdirSync(world.path('a')), { environment: { KUBECONFIG: world.path('a') } }),
  ),
  row('a relative path', ({ world, server, config }) => {
    world.write('sub/ca.crt', world.pki.authority.certificate)
    const clusters = [{ name: 'main', cluster: { server, 'certificate-authority': 'ca.crt' } }]
    world.write('sub/other', { ...config, clusters })
    return { environment: { KUBECONFIG: 'sub/other' } }
  }),
  row('a symbolic link, from whose directory paths are relative', ({ world, server, config }) => {
    world.write('link/ca.crt', world.pki.authority.certificate)
    const clusters = [{ name: 'main', cluster: { server, 'certificate-authority': 'ca.crt' } }]
    symlinkSync(world.write('real/config', { ...config, clusters }), world.path('link/config'))
    return { environment: { KUBECONFIG: world.path('link/config') } }
  }),
  row('a symbolic link to nowhere beside a file', ({ world, config }) => {
    symlinkSync('/nowhere', world.path('link'))
    return { environment: { KUBECONFIG: `${world.path('link')}:${world.write('other', config)}` } }
  }),
  ...['/dev/null', '/dev/null/x'].map((path) =>
    row(`${path} beside a file`, ({ world, config }) => ({
      environment: { KUBECONFIG: `${path}:${world.write('other', config)}` },
    })),
  ),
  row('a directory beside a file', ({ world, config }) =>
    having(mkdirSync(world.path('a')), {
      environment: { KUBECONFIG: `${world.write('b', config)}:${world.path('a')}` },
    }),
  ),
  row('a directory for --kubeconfig', ({ world }) =>
    having(mkdirSync(world.path('a')), { flags: ['--kubeconfig', world.path('a')] }),
  ),
  row('a ~ that no shell replaced', ({ world, config }) =>
    having(world.write('.kube/other', config), { environment: { KUBECONFIG: '~/.kube/other:/nowhere' } }),
  ),
  row('two colons between files', ({ world, config }) => ({
    environment: { KUBECONFIG: `${world.write('a', '{}')}::${world.write('b', config)}:` },
  })),
  row('a directory with a space', ({ world, config }) => ({
    environment: { KUBECONFIG: world.write('my dir/a b', config) },
  })),
  row('--kubeconfig from standard input', ({ config }) => ({
    flags: ['--kubeconfig', '/dev/stdin'],
    input: JSON.stringify(config),
  })),
  row('--kubeconfig from a command', ({ world, config }) => ({
    within: ['bash', '-c', `exec "$0" "$@" --kubeconfig <(cat '${world.write('other', config)}')`],
  })),
  row('--kubeconfig with ~', ({ world, config }) =>
    having(world.write('.kube/other', config), { flags: ['--kubeconfig', '~/.kube/other'] }),
  ),
  row('a CA file in the directory above', ({ world, server, config }) => {
    world.write('pki/ca.crt', world.pki.authority.certificate)
    const clusters = [{ name: 'main', cluster: { server, 'certificate-authority': '../pki/ca.crt' } }]
    return { environment: { KUBECONFIG: world.write('conf/config', { ...config, clusters }) } }
  }),
  ...['ca.crt/', '~/ca.crt', 'file:///ca.crt'].map((path) =>
    row(`a CA file called ${path}`, ({ world, server, config }) =>
      having(world.write('ca.crt', world.pki.authority.certificate), {
        config: { ...config, clusters: [{ name: 'main', cluster: { server, 'certificate-authority': path } }] },
      }),
    ),
  ),
  ...several(),
]
for (const one of paths) if (one.name.startsWith('a ~')) one.differs = NOBODY

function several(): Row[] {
  const list = (name: string, files: (given: Given) => (string | object)[], flags: string[] = []) =>
    row(`several files: ${name}`, (given) => {
      const written = files(given).map((content, index) =>
        content === 'MISSING' ? '/nowhere' : given.world.write(`part-${index}/config`, content),
      )
      return { environment: { KUBECONFIG: written.join(':') }, flags }
    })
  const only = ({ config }: Given, ...fields: string[]) =>
    Object.fromEntries(Object.entries(config).filter(([field]) => fields.includes(field)))
  const other = {
    clusters: [{ name: 'main', cluster: { server: 'https://127.0.0.1:1' } }],
    users: [{ name: 'main', user: { token: 'other' } }],
  }
  return [
    list('an empty one first', ({ config }) => ['', config]),
    list('an empty one last', ({ config }) => [config, '']),
    list('one of comments', ({ config }) => ['# nothing\n', config]),
    list('one of spaces', ({ config }) => ['  \n\n', config]),
    list('one that is null', ({ config }) => ['null\n', config]),
    list('one that is {}', ({ config }) => ['{}', config]),
    list('one that is a list', ({ config }) => ['[]', config]),
    list('one that is a text', ({ config }) => ['hello', config]),
    list('one that is no YAML', ({ config }) => [config, 'a: [b\nc: }']),
    list('one that is missing', ({ config }) => ['MISSING', config, 'MISSING']),
    list('the same twice', ({ config }) => [config, config]),
    list('parts', (given) => [
      only(given, 'current-context'),
      only(given, 'clusters'),
      only(given, 'users'),
      only(given, 'contexts'),
    ]),
    list('the first cluster and user count', (given) => [given.config, other]),
    list('the first user counts as a whole', (given) => [{ users: [{ name: 'main', user: {} }] }, given.config]),
    list('the first cluster counts as a whole', (given) => [
      { clusters: [{ name: 'main', cluster: { 'tls-server-name': 'localhost' } }] },
      given.config,
    ]),
    list('the first context counts', (given) => [
      { contexts: [{ name: 'main', context: { cluster: 'main', user: 'second' } }] },
      given.config,
      { users: [{ name: 'second', user: { token: 'second' } }] },
    ]),
    list('the first current context counts', (given) => [
      { 'current-context': '' },
      { ...only(given, 'current-context') },
      given.config,
      { 'current-context': 'x' },
    ]),
    list('--context of the second', (given) => [{ 'current-context': 'x' }, given.config], ['--context', 'main']),
    list('relative paths in the second', ({ config, world, server }) => {
      world.write('part-1/ca.crt', world.pki.authority.certificate)
      world.write('part-1/token', 'from a file')
      return [
        {},
        {
          ...config,
          clusters: [{ name: 'main', cluster: { server, 'certificate-authority': 'ca.crt' } }],
          users: [{ name: 'main', user: { tokenFile: 'token' } }],
        },
      ]
    }),
    list('of another kind', ({ config }) => [{ apiVersion: 'v1', kind: 'Secret' }, config]),
  ].map((one) => (one.name.includes('first cluster counts') ? { ...one, differs: NOBODY } : one))
}

/** The text of the kubeconfig in YAML. */
const yaml = (name: string, text: (given: Given & { ca: string }) => string | Buffer) =>
  row(`YAML ${name}`, (given) => {
    const [{ cluster }] = given.config.clusters as [{ cluster: { 'certificate-authority-data': string } }]
    const file = given.world.write('config.yaml', text({ ...given, ca: cluster['certificate-authority-data'] }))
    return { environment: { KUBECONFIG: file } }
  })

const plain = (
  { server, ca }: { server: string; ca: string },
  more: { cluster?: string; user?: string; top?: string; name?: string } = {},
) => `apiVersion: v1
kind: Config
current-context: ${more.name ?? 'main'}
clusters:
- name: main
  cluster:
    server: ${server}
    ${more.cluster ?? `certificate-authority-data: ${ca}`}
contexts:
- name: ${more.name ?? 'main'}
  context: {cluster: main, user: main}
users:
- name: main
  user:
    ${more.user ?? 'token: secret'}
${more.top ?? ''}`

const texts: Row[] = [
  yaml('as usual', plain),
  yaml('with line ends of Windows', (given) => plain(given).replaceAll('\n', '\r\n')),
  yaml('with a mark at the start', (given) => `\ufeff${plain(given)}`),
  yaml('in UTF-16', (given) => Buffer.from(`\ufeff${plain(given)}`, 'utf16le')),
  yaml('in UTF-16, big end first', (given) => Buffer.from(`\ufeff${plain(given)}`, 'utf16le').swap16()),
  yaml('in Latin-1', (given) => Buffer.from(plain(given, { top: '# ü' }), 'latin1')),
  yaml('with ---', (given) => `---\n${plain(given)}`),
  yaml('with a second document', (given) => `${plain(given)}\n---\napiVersion: v1\nkind: Config\n`),
  yaml('with a broken second document', (given) => `${plain(given)}\n---\na: [b\nc: }\n`),
  {
    ...yaml('with an empty first document', (given) => `---\n---\n${plain(given)}`),
    differs: NOBODY,
  },
  yaml('with ...', (given) => `${plain(given)}\n...\n`),
  yaml('with a directive', (given) => `%YAML 1.1\n---\n${plain(given)}`),
  yaml('with insecure-skip-tls-verify: yes', (given) => plain(given, { cluster: 'insecure-skip-tls-verify: yes' })),
  yaml('with insecure-skip-tls-verify: on', (given) => plain(given, { cluster: 'insecure-skip-tls-verify: on' })),
  yaml('with insecure-skip-tls-verify: "true"', (given) =>
    plain(given, { cluster: 'insecure-skip-tls-verify: "true"' }),
  ),
  yaml('with insecure-skip-tls-verify: 1', (given) => plain(given, { cluster: 'insecure-skip-tls-verify: 1' })),
  yaml('with insecure-skip-tls-verify: no', (given) =>
    plain(given, { cluster: `insecure-skip-tls-verify: no\n    certificate-authority-data: ${given.ca}` }),
  ),
  yaml('with a token that is a number', (given) => plain(given, { user: 'token: 12345' })),
  yaml('with a token that is a float', (given) => plain(given, { user: 'token: 12e3' })),
  yaml('with a token that is a date', (given) => plain(given, { user: 'token: 2026-11-21' })),
  yaml('with a token like a time', (given) => plain(given, { user: 'token: 12:30:45' })),
  yaml('with a token that is yes', (given) => plain(given, { user: 'token: yes' })),
  yaml('with a token that is null', (given) => plain(given, { user: 'token: ~\n    username: jane' })),
  yaml('with a token in octal', (given) => plain(given, { user: 'token: 0777' })),
  yaml('with a token in octal of YAML 1.2', (given) => plain(given, { user: 'token: 0o777' })),
  yaml('with a token in hexadecimal', (given) => plain(given, { user: 'token: 0xabc' })),
  yaml('with a token with underscores', (given) => plain(given, { user: 'token: 1_000' })),
  yaml('with a token in several lines', (given) => plain(given, { user: 'token: >-\n      abc\n      def' })),
  yaml('with a token that ends with a line', (given) => plain(given, { user: 'token: |\n      abc' })),
  yaml('with a tagged token', (given) => plain(given, { user: 'token: !!str 123' })),
  yaml('with a token in base64', (given) => plain(given, { user: 'token: !!binary c2VjcmV0' })),
  yaml('with a password that is a number', (given) => plain(given, { user: 'username: jane\n    password: 123' })),
  yaml('with a name that is a number', (given) => plain(given, { name: '123' })),
  yaml('with a name that is true', (given) => plain(given, { name: 'true' })),
  yaml('with a name that is y', (given) => plain(given, { name: 'y' })),
  yaml('with a name like an exponent', (given) => `---\n${plain(given, { name: 'e2' })}`),
  yaml('with an anchor', (given) => plain(given, { user: 'token: &t secret\n- name: other\n  user: {token: *t}' })),
  yaml('with a merge key', (given) => `base: &base {token: merged}\n${plain(given, { user: '<<: *base' })}`),
  yaml(
    'with a merge key and an own field',
    (given) => `base: &base {token: merged, as: ann}\n${plain(given, { user: '<<: *base\n    token: own' })}`,
  ),
  yaml(
    'with a list of merge keys',
    (given) => `a: &a {token: one}\nb: &b {as: ann}\n${plain(given, { user: '<<: [*a, *b]' })}`,
  ),
  yaml(
    'with a merge key after an own field',
    (given) => `base: &base {token: merged}\n${plain(given, { user: 'token: own\n    <<: *base' })}`,
  ),
  yaml(
    'with two merge keys',
    (given) => `a: &a {token: one}\nb: &b {token: two}\n${plain(given, { user: '<<: *a\n    <<: *b' })}`,
  ),
  yaml(
    'with a list of merge keys with the same field',
    (given) => `a: &a {token: one}\nb: &b {token: two}\n${plain(given, { user: '<<: [*a, *b]' })}`,
  ),
  yaml(
    'with a merge key in quotes',
    (given) => `base: &base {token: merged}\n${plain(given, { user: 'token: own\n    "<<": *base' })}`,
  ),
  yaml('with a merge key of a text', (given) => plain(given, { user: '<<: text\n    token: own' })),
  yaml('with an anchor that contains itself', (given) => plain(given, { top: 'a: &a {b: *a}' })),
  yaml('with an alias before its anchor', (given) => plain(given, { user: 'token: *t', top: 'a: &t later' })),
  yaml('with an anchor twice', (given) => `a: &t one\nb: &t two\n${plain(given, { user: 'token: *t' })}`),
  yaml('with aliases of aliases', (given) => {
    const lists = [...'bcde'].map((name, at) => `${name}: &${name} [${Array(10).fill(`*${'abcd'[at]}`)}]`)
    return `a: &a [${Array(10).fill('x')}]\n${lists.join('\n')}\n${plain(given)}`
  }),
  ...['1e400', '.', '0b11', '_1', '0O7', '190:20:30', 'tRUE', '=', '@abc', 'a#b', "'it''s'"].map((token) =>
    yaml(`with the token ${token}`, (given) => plain(given, { user: `token: ${token}` })),
  ),
  yaml('with the line ends of old Macs', (given) => plain(given).replaceAll('\n', '\r')),
  yaml('with a control character', (given) => plain(given, { top: '# \x07' })),
  yaml('with a NUL', (given) => plain(given, { top: '# \0' })),
  yaml('with --- and a map', ({ config }) => `--- ${JSON.stringify(config)}`),
  yaml('with ? before a key', (given) => plain(given).replace('kind: Config', '? kind\n: Config')),
  yaml('with keys in quotes', (given) => plain(given).replace('users:', "'users':")),
  yaml('with a key twice', (given) => plain(given, { top: 'users:\n- name: main\n  user: {token: second}' })),
  yaml('with a map over lines', (given) =>
    plain(given).replace('{cluster: main, user: main}', '{\n    cluster: main,\n    user: main,\n    }'),
  ),
  {
    ...yaml('with a map over lines that are not indented', (given) =>
      plain(given).replace('{cluster: main, user: main}', '{\n  cluster: main,\n  user: main,\n  }'),
    ),
    differs: 'YAML wants them indented, Go does not',
  },
  {
    ...yaml('with a directive of YAML 1.2', (given) => `%YAML 1.2\n---\n${plain(given)}`),
    differs: 'Go refuses any other version than 1.1',
  },
  yaml('as JSON with a mark at the start', ({ config }) => `\ufeff${JSON.stringify(config)}`),
  yaml('as JSON after a comment', ({ config }) => `# a\n${JSON.stringify(config)}`),
  yaml('as JSON with the names of JavaScript', ({ config }) =>
    JSON.stringify({ ...config, constructor: 1 }).replace('{', '{"__proto__":{"kind":"Pod"},'),
  ),
  yaml('of a page', () => '<!DOCTYPE html><html><body>Log in</body></html>'),
  yaml('with an alias that is unknown', (given) => plain(given, { user: 'token: *nothing' })),
  yaml('with a field twice', (given) => plain(given, { user: 'token: first\n    token: second' })),
  yaml('with a field in other capitals', (given) => plain(given, { user: 'Token: secret\n    token: lower' })),
  yaml('with an unknown field', (given) => plain(given, { top: 'unknown: {a: 1}' })),
  yaml('with extensions', (given) =>
    plain(given, { top: 'extensions:\n- name: a\n  extension: {b: 1}\npreferences: {colors: true}' }),
  ),
  yaml('with preferences that are a list', (given) => plain(given, { top: 'preferences: []' })),
  yaml('with extensions that are a map', (given) => plain(given, { top: 'extensions: {a: 1}' })),
  yaml('with data in several lines', (given) =>
    plain(given, { cluster: `certificate-authority-data: |\n      ${given.ca.match(/.{1,60}/g)?.join('\n      ')}` }),
  ),
  yaml('with a list that is null', (given) => plain(given).replace(/users:[\s\S]*/, 'users: null\n')),
  yaml('with a list that is a map', (given) => plain(given).replace(/users:[\s\S]*/, 'users: {a: b}\n')),
  yaml('with tabs', (given) => plain(given, { user: '\ttoken: secret' })),
  yaml('with apiVersion v2', (given) => plain(given).replace('apiVersion: v1', 'apiVersion: v2')),
  yaml('with another kind', (given) => plain(given).replace('kind: Config', 'kind: Pod')),
  yaml('without kind and apiVersion', (given) => plain(given).replace(/apiVersion.*\nkind.*\n/, '')),
  yaml('with an empty kind', (given) => plain(given).replace('kind: Config', 'kind: ""')),
  yaml('with a kind that is a number', (given) => plain(given).replace('kind: Config', 'kind: 1')),
  yaml('as JSON', ({ config }) => JSON.stringify(config)),
  yaml('as JSON with tabs', ({ config }) => JSON.stringify(config, null, '\t')),
  yaml('as JSON with an extra comma', ({ config }) => JSON.stringify(config).replace(/\}$/, ',}')),
  yaml('as JSON with more after it', ({ config }) => `${JSON.stringify(config)} x`),
]

export const files: Row[] = [...neighbours, ...contexts, ...paths, ...texts]
