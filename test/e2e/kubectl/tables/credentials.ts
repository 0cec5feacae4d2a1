/** Credentials that are in the kubeconfig or in files, and whom a request acts as. */
import type { Row, Setup } from '../comparing.ts'
import { base64, having, simple } from '../rows.ts'
import type { World } from '../world.ts'

const user = (name: string, of: object | ((world: World) => object), more: Partial<Setup> = {}) =>
  simple(name, (world) => ({ user: typeof of === 'function' ? of(world) : of }), more)

const pem = (text: string) => base64(text)
const pair = ({ pki: { client } }: World) => ({
  'client-certificate-data': pem(client.certificate),
  'client-key-data': pem(client.key),
})

const secrets: Row[] = [
  user('a token', { token: 'abc' }),
  user('a token that ends with a line', { token: 'abc\n' }),
  user('a token with spaces around it', { token: '  abc  ' }),
  user('a token with a letter outside of ASCII', { token: 'abcü' }),
  user('an empty token', { token: '' }),
  user('no credentials', {}),
  user('a user that is null', null as unknown as object),
  user('a tokenFile', (world) => ({ tokenFile: world.write('token', 'from a file') })),
  user('a tokenFile with a relative path', (world) =>
    having(world.write('sub/token', 'from a file'), { tokenFile: 'sub/token' }),
  ),
  user('a tokenFile with lines around it', (world) => ({ tokenFile: world.write('token', '\n from a file \n\n') })),
  user('a tokenFile that is empty', (world) => ({ tokenFile: world.write('token', '') })),
  user('a tokenFile of spaces', (world) => ({ tokenFile: world.write('token', ' \n') })),
  user('a tokenFile that is missing', { tokenFile: '/nowhere' }),
  user('a tokenFile that is a directory', { tokenFile: '/tmp' }),
  user('a token and a tokenFile', (world) => ({ token: 'direct', tokenFile: world.write('token', 'from a file') })),
  user('a token and a tokenFile that is empty', (world) => ({ token: 'direct', tokenFile: world.write('token', '') })),
  user('a token and a tokenFile that is missing', { token: 'direct', tokenFile: '/nowhere' }),
  user('a token with Bearer', { token: 'Bearer abc' }),
  user('a token in two lines', { token: 'a\nb' }),
  user('a token of spaces', { token: '   ' }),
  user('a tokenFile with line ends of Windows', (world) => ({ tokenFile: world.write('token', 'abc\r\n') })),
  user('a tokenFile of two lines', (world) => ({ tokenFile: world.write('token', 'a\nb') })),
  {
    ...user('a tokenFile with a mark of UTF-8', (world) => ({ tokenFile: world.write('token', '\ufeffabc') })),
    differs: 'kubectl sends the mark, which no server takes',
  },
  user('a tokenFile with ~', (world) => having(world.write('token', 'abc'), { tokenFile: '~/token' })),
  user('a tokenFile and a client certificate', (world) => ({ tokenFile: world.write('token', 'abc'), ...pair(world) })),
  user('a tokenFile that is missing and a client certificate', (world) => ({ tokenFile: '/nowhere', ...pair(world) })),
  user('a tokenFile that is empty and a client certificate', (world) => ({
    tokenFile: world.write('token', ''),
    ...pair(world),
  })),
  user('a tokenFile that is missing and a name', { tokenFile: '/nowhere', username: 'jane', password: 'p' }),
  user('a name with a colon', { username: 'a:b', password: 'c' }),
  user('an exec that is null', { exec: null, token: 'abc' }),
  user('an exec that is empty', { exec: {}, token: 'abc' }),
  user('an auth-provider that is null', { 'auth-provider': null, token: 'abc' }),
  user('an auth-provider that is empty', { 'auth-provider': {}, token: 'abc' }),
  user('an auth-provider in capitals', { 'auth-provider': { name: 'OIDC', config: {} } }),
  user('the auth-provider gcp and a client certificate', (world) => ({
    'auth-provider': { name: 'gcp' },
    ...pair(world),
  })),
  user('token-file, which nobody writes', (world) => ({ 'token-file': world.write('token', 'x'), token: 'abc' })),
  user('a name and a password', { username: 'jane', password: 'pass' }),
  user('a name and a password outside of ASCII', { username: 'jürgen', password: 'päss:word' }),
  user('a name without a password', { username: 'jane' }),
  user('a name with an empty password', { username: 'jane', password: '' }),
  user('a password without a name', { password: 'pass' }),
  user('a name and a token', { username: 'jane', token: 'abc' }),
  user('a name and a tokenFile', (world) => ({
    username: 'jane',
    password: 'p',
    tokenFile: world.write('token', 'x'),
  })),
  user('a password and a token', { password: 'p', token: 'abc' }),
  user('a client certificate', pair),
  user('a client certificate in files', {}),
  user('a client certificate and a token', (world) => ({ ...pair(world), token: 'abc' })),
  user('a client certificate and a name', (world) => ({ ...pair(world), username: 'jane', password: 'p' })),
  user('a client certificate without a key', (world) => ({
    'client-certificate-data': pair(world)['client-certificate-data'],
  })),
  user('a client certificate without a key, with a token', (world) => ({
    'client-certificate-data': pair(world)['client-certificate-data'],
    token: 'abc',
  })),
  user('a key without a client certificate', (world) => ({ 'client-key-data': pair(world)['client-key-data'] })),
  user('a key without a client certificate, with a token', (world) => ({
    'client-key-data': pair(world)['client-key-data'],
    token: 'abc',
  })),
  user('the key of another client certificate', (world) => ({
    ...pair(world),
    'client-key-data': pem(world.pki.otherClient.key),
  })),
  user('a client certificate that is none', (world) => ({ ...pair(world), 'client-certificate-data': pem('nothing') })),
  user('a client certificate whose data is no base64', (world) => ({ ...pair(world), 'client-certificate-data': '%' })),
  user('a client certificate in a file and data', (world) => ({
    ...pair(world),
    'client-certificate': world.write('a.crt', world.pki.client.certificate),
  })),
  user('a key in a file and data', (world) => ({
    ...pair(world),
    'client-key': world.write('a.key', world.pki.client.key),
  })),
  user('a client certificate in a file and its key as data', (world) => ({
    'client-certificate': world.write('a.crt', world.pki.client.certificate),
    'client-key-data': pair(world)['client-key-data'],
  })),
  user('a client certificate in a file that is missing', (world) => ({
    'client-certificate': '/nowhere',
    'client-key-data': pair(world)['client-key-data'],
  })),
  user('a key in a file that is missing', (world) => ({
    'client-certificate-data': pair(world)['client-certificate-data'],
    'client-key': '/nowhere',
  })),
  user('a client certificate and its key in one file', (world) => {
    const file = world.write('both.pem', world.pki.client.key + world.pki.client.certificate)
    return { 'client-certificate': file, 'client-key': file }
  }),
  user('a client certificate with its chain', (world) => ({
    ...pair(world),
    'client-certificate-data': pem(world.pki.client.certificate + world.pki.authority.certificate),
  })),
  ...['gcp', 'azure', 'openstack', 'tokenFile', ''].map((name) =>
    user(`the auth-provider ${name || 'without a name'}`, {
      'auth-provider': {
        name,
        config: { 'access-token': 'stored', expiry: '2099-01-01T00:00:00Z', tokenFile: '/nowhere' },
      },
    }),
  ),
  user('the auth-provider gcp and a token', {
    token: 'abc',
    'auth-provider': { name: 'gcp', config: { 'access-token': 'stored' } },
  }),
  user('an auth-provider whose config has a number', {
    token: 'abc',
    'auth-provider': { name: 'oidc', config: { a: 1 } },
  }),
  user('401', { token: 'abc' }),
]
const files = secrets.findIndex(({ name }) => name === 'a client certificate in files')
secrets[files] = user('a client certificate in files with relative paths', (world) => {
  world.write('pki/jane.crt', world.pki.client.certificate)
  world.write('pki/jane.key', world.pki.client.key)
  return { 'client-certificate': 'pki/jane.crt', 'client-key': 'pki/jane.key' }
})
const refused = secrets.find(({ name }) => name === '401')
if (refused !== undefined) {
  const { prepare } = refused
  refused.prepare = (world) => {
    world.statuses = [401]
    return prepare(world)
  }
}

const http = (name: string, of: object): Row => ({
  name: `${name}, for an http server`,
  async prepare(world) {
    const { kubeconfig } = await import('../rows.ts')
    return { config: kubeconfig(world, `http://127.0.0.1:${await world.api()}`, { user: of }) }
  },
})

const withoutTls: Row[] = [
  http('a token', { token: 'abc' }),
  http('a name and a password', { username: 'jane', password: 'p' }),
  http('a tokenFile that is missing', { tokenFile: '/nowhere' }),
  http('impersonation', { token: 'abc', as: 'ann', 'as-groups': ['one'] }),
  http('an exec plugin', {
    exec: { apiVersion: 'client.authentication.k8s.io/v1', command: '/nowhere', interactiveMode: 'Never' },
  }),
  http('nothing', {}),
  http('a token and a name', { token: 'abc', username: 'jane' }),
  http('a client certificate without a key', { 'client-certificate-data': base64('x') }),
  http('the auth-provider gcp', { 'auth-provider': { name: 'gcp' } }),
  http('an exec that is half', { exec: { command: 'x' } }),
  http('as-groups without as', { 'as-groups': ['one'] }),
]

const as = (name: string, of: object, flags: string[] = []) =>
  user(`impersonation: ${name}`, { token: 'abc', ...of }, { flags })

const impersonation: Row[] = [
  as('as', { as: 'ann' }),
  as('as and all others', {
    as: 'ann',
    'as-uid': '1',
    'as-groups': ['one', 'two'],
    'as-user-extra': { a: ['b', 'c'], d: ['e'] },
  }),
  as('as with one group', { as: 'ann', 'as-groups': ['one'] }),
  as('as-groups without as', { 'as-groups': ['one'] }),
  as('as-uid without as', { 'as-uid': '1' }),
  as('as-user-extra without as', { 'as-user-extra': { a: ['b'] } }),
  as('an empty as', { as: '' }),
  as('an empty as with groups', { as: '', 'as-groups': ['one'] }),
  as('empty lists', { as: 'ann', 'as-groups': [], 'as-user-extra': {}, 'as-uid': '' }),
  as('an empty group', { as: 'ann', 'as-groups': [''] }),
  as('a group that is null', { as: 'ann', 'as-groups': [null] }),
  as('an empty list of an extra', { as: 'ann', 'as-user-extra': { a: [] } }),
  as('keys that are no header', {
    as: 'ann',
    'as-user-extra': { 'example.com/a b': ['x'], 'ü%': ['y'], UPPER: ['z'] },
  }),
  as('letters outside of ASCII', { as: 'jürgen', 'as-groups': ['größe'] }),
  {
    ...as('a name of spaces', { as: '  ' }),
    differs: 'an API server takes the empty header of kubectl for none, and gives all rights',
  },
  as('spaces around a name', { as: ' ann ' }),
  as('spaces', { as: 'ann bee', 'as-groups': ['a b'] }),
  as('a name with a line', { as: 'ann\nbob' }),
  as('a name of a service account', { as: 'system:serviceaccount:a:b' }),
  as('as-uid that is a number', { as: 'ann', 'as-uid': 1 }),
  as('as-groups that is a text', { as: 'ann', 'as-groups': 'one' }),
  as('as-user-extra with a text', { as: 'ann', 'as-user-extra': { a: 'b' } }),
  as('as-extra, which nobody reads', { as: 'ann', 'as-extra': { a: ['b'] } }),
  as('empty groups between others', { as: 'ann', 'as-groups': ['', 'one', ''] }),
  as('keys in two forms', { as: 'ann', 'as-user-extra': { Aa: ['1'], aA: ['2'] } }),
  as('an empty key', { as: 'ann', 'as-user-extra': { '': ['x'] } }),
  as('an empty value', { as: 'ann', 'as-user-extra': { a: [''] } }),
  as('an extra that is null, without as', { 'as-user-extra': { a: null } }),
  as('a list of null, without as', { 'as-groups': [null] }),
  as('an empty list, without as', { 'as-groups': [] }),
  as('spaces around a UID', { as: 'ann', 'as-uid': ' 1 ' }),
  as('a group with a line', { as: 'ann', 'as-groups': ['a\nb'] }),
  as('a value with a line', { as: 'ann', 'as-user-extra': { a: ['b\nc'] } }),
  as('--as', {}, ['--as', 'bob']),
  as('--as with =', {}, ['--as=bob']),
  as('--as-uid that is empty', {}, ['--as', 'bob', '--as-uid', '']),
  as('--as-group of a space', {}, ['--as', 'bob', '--as-group', ' ']),
  as('--as beside as', { as: 'ann' }, ['--as', 'bob']),
  as(
    '--as beside as with all others',
    { as: 'ann', 'as-uid': '1', 'as-groups': ['one'], 'as-user-extra': { a: ['b'] } },
    ['--as', 'bob'],
  ),
  as('--as beside groups without as', { 'as-groups': ['one'] }, ['--as', 'bob']),
  as('--as that is empty', { as: 'ann' }, ['--as', '']),
  as('--as that is empty and nothing else', {}, ['--as', '']),
  as('--as-group', {}, ['--as', 'bob', '--as-group', 'x', '--as-group', 'y']),
  as('--as-group beside as-groups', { as: 'ann', 'as-groups': ['one', 'two'] }, ['--as-group', 'x']),
  as('--as-group without as', {}, ['--as-group', 'x']),
  as('--as-group with a comma', {}, ['--as', 'bob', '--as-group', 'x,y']),
  as('--as-group that is empty', {}, ['--as', 'bob', '--as-group', '']),
  as('--as-uid', {}, ['--as', 'bob', '--as-uid', '7']),
  as('--as-uid beside as-uid', { as: 'ann', 'as-uid': '1' }, ['--as-uid', '7']),
  as('--as-uid without as', {}, ['--as-uid', '7']),
]

/** HTTP/1.1, in our client only. */
const tunnels: Row[] = impersonation
  .slice(0, 16)
  .filter((_, index) => index % 3 === 1)
  .map((row) => ({ ...row, name: `${row.name}, for port-forward`, command: ['port-forward', 'grafana'] }))

export const credentials: Row[] = [...secrets, ...withoutTls, ...impersonation, ...tunnels]
