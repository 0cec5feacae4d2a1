import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { loadKubeConfig } from '../../src/cluster/kubeconfig/kube-config.ts'
import { KubeConfigFiles, kubeConfig } from './kubeconfig-files.ts'

describe('loadKubeConfig', () => {
  let files: KubeConfigFiles
  beforeEach(async () => {
    files = await KubeConfigFiles.create()
  })
  afterEach(() => files.remove())

  const load = (environment: NodeJS.ProcessEnv, choice: { file?: string; context?: string } = {}) => {
    const config = loadKubeConfig({ ...choice, environment })
    return { context: config.context, server: config.server, token: config.user.token }
  }
  const write = (name: string, token = 'token', context = name) =>
    files.write(name, kubeConfig({ server: `https://${name}.test`, user: { token }, context }))
  const list = (...paths: string[]) => ({ KUBECONFIG: paths.join(delimiter) })
  const of = (name: string, context = name) => ({ context, server: `https://${name}.test`, token: 'token' })

  describe('reads', () => {
    it('~/.kube/config by default', async () => {
      await mkdir(files.path('.kube'))
      await write(join('.kube', 'config'), 'token', 'home')
      assert.equal(load({ HOME: files.directory }).context, 'home')
      assert.equal(load({ HOME: files.directory, KUBECONFIG: '' }).context, 'home')
    })

    it('$KUBECONFIG rather than ~/.kube/config', async () => {
      await mkdir(files.path('.kube'))
      await write(join('.kube', 'config'), 'token', 'home')
      assert.deepEqual(load({ HOME: files.directory, ...list(await write('a')) }), of('a'))
    })

    it('--kubeconfig rather than $KUBECONFIG', async () => {
      assert.deepEqual(load(list(await write('a')), { file: await write('b') }), of('b'))
    })

    it('every existing file of $KUBECONFIG', async () => {
      const environment = list(files.path('missing'), await write('a'), '', await write('b'))
      assert.deepEqual(load(environment), of('a'))
      assert.deepEqual(load(environment, { context: 'b' }), of('b'))
    })

    it('the first current context of several files', async () => {
      const none = await files.write('none', { ...kubeConfig({ context: 'x' }), 'current-context': '' })
      assert.equal(load(list(none, await write('a'), await write('b'))).context, 'a')
      assert.equal(load(list(none, await write('b'), await write('a'))).context, 'b')
    })

    it('the first of several clusters and users of one name', async () => {
      const [a, b] = [await write('a', 'first', 'same'), await write('b', 'second', 'same')]
      assert.deepEqual(load(list(a, b)), { context: 'same', server: 'https://a.test', token: 'first' })
      assert.deepEqual(load(list(b, a)), { context: 'same', server: 'https://b.test', token: 'second' })
    })

    it('the first of several contexts of one name, even if its cluster comes from a later file', async () => {
      const context = { name: 'same', context: { cluster: 'b', user: 'b' } }
      const a = await files.write('a', { 'current-context': 'same', contexts: [context] })
      const b = await files.write('b', {
        clusters: ['a', 'b'].map((name) => ({ name, cluster: { server: `https://${name}.test` } })),
        users: [{ name: 'b', user: { token: 'token' } }],
        contexts: [{ name: 'same', context: { cluster: 'a', user: 'b' } }],
      })
      assert.deepEqual(load(list(a, b)), of('b', 'same'))
    })

    it('paths of certificates relative to the file', async () => {
      const config = kubeConfig({ cluster: { 'certificate-authority': 'ca.crt' } })
      await files.write('ca.crt', '')
      const loaded = loadKubeConfig({ file: await files.write('config', config), environment: {} })
      assert.equal(loaded.cluster['certificate-authority'], files.path('ca.crt'))
    })
  })

  describe('refuses', () => {
    const refusal = (code: string, exitCode: number, message: string | RegExp) => ({
      name: 'UserError',
      code,
      exitCode,
      message,
    })

    it('a missing file of --kubeconfig: wrong usage, even in a pod', () => {
      const file = files.path('missing')
      const expected = refusal('KUBECONFIG_MISSING', 2, `no kubeconfig found at ${file}`)
      assert.throws(() => load({ KUBERNETES_SERVICE_HOST: '10.96.0.1' }, { file }), expected)
    })

    it('a missing --kubeconfig, even if $KUBECONFIG exists', async () => {
      const environment = list(await write('a'))
      assert.throws(() => load(environment, { file: files.path('missing') }), { code: 'KUBECONFIG_MISSING' })
    })

    it('missing files of $KUBECONFIG, with all names', () => {
      const [a, b] = [files.path('a'), files.path('b')]
      assert.throws(() => load(list(a, b)), refusal('KUBECONFIG_MISSING', 1, `no kubeconfig found at ${a}, ${b}`))
    })

    it('a home without a kubeconfig', () => {
      const path = join(files.directory, '.kube', 'config')
      const expected = refusal('KUBECONFIG_MISSING', 1, `no kubeconfig found at ${path}`)
      assert.throws(() => load({ HOME: files.directory }), expected)
      assert.throws(() => load({ USERPROFILE: files.directory }), expected)
    })

    it('an unknown --context: wrong usage', async () => {
      const a = await write('a')
      const expected = refusal('CONTEXT_UNKNOWN', 2, `--context "b" is not in ${a}; known: a`)
      assert.throws(() => load(list(a), { context: 'b' }), expected)
    })

    it('a current context that is not defined', async () => {
      const a = await files.write('a', { ...kubeConfig({ context: 'a' }), 'current-context': 'gone' })
      const expected = refusal('CONTEXT_UNKNOWN', 1, `the current context "gone" is not in ${a}; known: a`)
      assert.throws(() => load(list(a)), expected)
    })

    it('files without a current context, unless --context names one', async () => {
      const a = await files.write('a', { ...kubeConfig({ context: 'a' }), 'current-context': undefined })
      assert.throws(() => load(list(a)), refusal('CONTEXT_UNKNOWN', 1, `${a} has no current context; known: a`))
      assert.equal(load(list(a), { context: 'a' }).context, 'a')
    })

    it('a file without contexts', async () => {
      const a = await files.write('a', '{}')
      assert.throws(
        () => load(list(a)),
        refusal('CONTEXT_UNKNOWN', 1, `${a} has no current context; there are no contexts`),
      )
    })

    const broken: [string, string, RegExp][] = [
      ['what is no YAML', 'a: [b\nc: }', / is not a kubeconfig: .+$/],
      [
        'a server that is a number',
        'clusters: [{name: a, cluster: {server: 1}}]',
        / is not a kubeconfig: clusters\[0\]\.cluster\.server is not a text$/,
      ],
      [
        'two users of one name',
        'users: [{name: a}, {name: a}]',
        / is not a kubeconfig: users\[1\]\.name is not a name of its own$/,
      ],
    ]
    for (const [name, text, message] of broken) {
      it(`${name}, with the name of the file`, async () => {
        const environment = list(await write('good'), await files.write('broken', text))
        assert.throws(() => load(environment), refusal('KUBECONFIG_INVALID', 1, message))
        assert.throws(
          () => load(environment),
          ({ message: said }: Error) => said.startsWith(files.path('broken')),
        )
      })
    }

    for (const [name, settings] of [
      ['a CA file', { cluster: { 'certificate-authority': 'gone.pem' } }],
      ['a client certificate file', { user: { 'client-certificate': 'gone.pem', 'client-key': 'gone.key' } }],
    ] as const)
      it(`${name} that is not there`, async () => {
        const a = await files.write('a', kubeConfig(settings))
        assert.throws(() => load(list(a)), refusal('KUBECONFIG_INVALID', 1, /cannot be read: .*gone\.pem/))
      })

    it('a context of a cluster that no file defines', async () => {
      const a = await files.write('a', { ...kubeConfig({ context: 'a' }), clusters: [] })
      const message = `context "a" names a cluster that ${a} does not define`
      assert.throws(() => load(list(a)), refusal('KUBECONFIG_INVALID', 1, message))
    })
  })
})
