/** New tokens in a kubeconfig that other programs write, too. */
import assert from 'node:assert/strict'
import { chmod, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { type ProviderConfig, rewriteProvider } from '../../src/cluster/kubeconfig/kube-write-back.ts'
import { KubeConfigFiles } from './kubeconfig-files.ts'

const TEXT = `# Written by a person.
apiVersion: v1
kind: Config
current-context: a   # the usual one
contexts: [{name: a, context: {cluster: a, user: jane}}]
clusters:
- name: a
  cluster: {server: "https://a.test"}
users:
- name: paul
  user: {token: yes-no}
- name: jane
  user:
    auth-provider:
      name: oidc
      config:
        id-token: old   # is replaced
        refresh-token: first
        client-id: me
`

describe('rewriteProvider', () => {
  let files: KubeConfigFiles
  let path: string
  beforeEach(async () => {
    files = await KubeConfigFiles.create()
    path = await files.write('config', TEXT)
  })
  afterEach(() => files.remove())

  const next = async (config: ProviderConfig) => ({ ...config, 'id-token': 'new', 'refresh-token': 'second' })
  const rewritten = TEXT.replace(' old ', ' "new" ').replace(' first', ' "second"')

  it('changes the two tokens, and nothing else of the file', async () => {
    await chmod(path, 0o640)
    const config = await rewriteProvider(path, 'jane', next)
    assert.deepEqual([config['id-token'], config['client-id']], ['new', 'me'])
    assert.equal(await readFile(path, 'utf8'), rewritten)
    assert.equal((await stat(path)).mode & 0o777, 0o640)
    assert.deepEqual(await readdir(files.directory), ['config'])
  })

  it('adds a token that was not there', async () => {
    await files.write('config', TEXT.replace(/ +id-token.*\n/, ''))
    await rewriteProvider(path, 'jane', next)
    assert.match(await readFile(path, 'utf8'), /client-id: me\n +id-token: new\n/)
  })

  it('writes through a symbolic link', async () => {
    await mkdir(files.path('link'))
    await symlink(path, files.path('link/config'))
    await rewriteProvider(files.path('link/config'), 'jane', next)
    assert.equal(await readFile(path, 'utf8'), rewritten)
    assert.deepEqual(await readdir(files.path('link')), ['config'])
  })

  it('lets only one of several runs use the refresh token', async () => {
    let used = 0
    const once = async (config: ProviderConfig) => {
      if (config['id-token'] === 'new') return undefined
      used++
      await sleep(20)
      return next(config)
    }
    const results = await Promise.all([1, 2, 3].map(() => rewriteProvider(path, 'jane', once)))
    assert.deepEqual([used, ...results.map((config) => config['refresh-token'])], [1, 'second', 'second', 'second'])
    assert.equal(await readFile(path, 'utf8'), rewritten)
  })

  it('waits for the lock of another program', async () => {
    await writeFile(`${path}.lock`, '')
    setTimeout(() => void rm(`${path}.lock`), 150)
    await rewriteProvider(path, 'jane', next)
    assert.equal(await readFile(path, 'utf8'), rewritten)
  })

  it('asks for no token while the file stays locked, and leaves the lock', async () => {
    await writeFile(`${path}.lock`, '')
    const change = () => assert.fail('it was called')
    await assert.rejects(rewriteProvider(path, 'jane', change), /config\.lock exists: another program/)
    assert.deepEqual((await readdir(files.directory)).sort(), ['config', 'config.lock'])
  })

  it('leaves file and lock as they were when the change fails', async () => {
    const change = () => Promise.reject(new Error('the provider says no'))
    await assert.rejects(rewriteProvider(path, 'jane', change), /the provider says no/)
    assert.equal(await readFile(path, 'utf8'), TEXT)
    assert.deepEqual(await readdir(files.directory), ['config'])
  })

  it('refuses a user that the file no longer has', async () => {
    await assert.rejects(rewriteProvider(path, 'nobody', next), /no longer has its user/)
  })
})
