/** Credential plugins and impersonation of a kubeconfig, as kubectl reads them. */
import assert from 'node:assert/strict'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { openConnection } from '../../src/cluster/connecting/kube-connection.ts'
import { loadKubeConfig } from '../../src/cluster/kubeconfig/kube-config.ts'
import { ApiServer } from './api-server.ts'
import { Clients } from './clients.ts'
import { KubeConfigFiles, kubeConfig } from './kubeconfig-files.ts'

const LIST_PODS = { method: 'GET', path: '/api/v1/pods', what: 'list pods' } as const
const credential = (token: string) =>
  `#!/bin/sh\necho '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"${token}"}}'\n`
const exec = (command: string) => ({
  user: { exec: { apiVersion: 'client.authentication.k8s.io/v1', command, interactiveMode: 'Never' } },
})

describe('a credential plugin', () => {
  let files: KubeConfigFiles
  const cwd = process.cwd()
  beforeEach(async () => {
    files = await KubeConfigFiles.create()
    for (const directory of ['here', 'config', 'other', 'bin']) {
      await mkdir(files.path(directory))
      await program(directory, directory)
    }
    process.chdir(files.path('here'))
  })
  afterEach(async () => {
    process.chdir(cwd)
    await files.remove()
  })

  const program = async (directory: string, token: string) => {
    const file = files.path(join(directory, 'login'))
    await writeFile(file, credential(token))
    await chmod(file, 0o755)
  }
  const tokenOf = async (environment: NodeJS.ProcessEnv, file?: string, context?: string) => {
    const config = loadKubeConfig({ file, context, environment })
    const connection = await openConnection(config, { impersonate: {}, timeout: 1_000, environment })
    await connection.transport.destroy()
    return connection.headers.authorization
  }
  const write = (directory: string, command: string, context = directory) =>
    files.write(join(directory, 'config'), kubeConfig({ ...exec(command), context }))

  it('with a relative path is beside the kubeconfig, not in the working directory', async () => {
    assert.equal(await tokenOf({}, await write('config', './login')), 'Bearer config')
  })

  it('is found from a kubeconfig with a relative path', async () => {
    await write('config', '../other/login')
    assert.equal(await tokenOf({}, '../config/config'), 'Bearer other')
  })

  it('of one of several files is beside its own file', async () => {
    const KUBECONFIG = [await write('config', './login'), await write('other', './login')].join(delimiter)
    assert.equal(await tokenOf({ KUBECONFIG }, undefined, 'other'), 'Bearer other')
    assert.equal(await tokenOf({ KUBECONFIG }, undefined, 'config'), 'Bearer config')
  })

  it('with a bare name is on PATH', async () => {
    const PATH = files.path('bin')
    assert.equal(await tokenOf({ PATH }, await write('config', 'login')), 'Bearer bin')
  })

  for (const [name, PATH] of [
    ['an empty entry of PATH', ['', '/nowhere'].join(delimiter)],
    ['a relative entry of PATH', ['.', '../here', '/nowhere'].join(delimiter)],
    ['no PATH', ''],
  ] as const) {
    it(`with a bare name is not in the working directory, with ${name}`, async () => {
      await assert.rejects(tokenOf({ PATH }, await write('config', 'login')), {
        code: 'CREDENTIALS_FAILED',
        message: /the credential plugin "login" cannot be run: it is in no absolute directory of PATH/,
      })
    })
  }

  for (const [name, script, message] of [
    ['prints a bare token', 'echo SECRET-TOKEN-1234567890', /did not print an ExecCredential$/],
    [
      'prints half of a credential',
      'echo \'{"status": {"token": "SECRET-TOKEN-1234567890"\'',
      /did not print JSON or YAML$/,
    ],
    ['prints another object', 'echo \'{"token":"SECRET-TOKEN-1234567890"}\'', /did not print an ExecCredential/],
    ['fails', 'exit 3', /ended with exit code 3$/],
  ] as const) {
    it(`that ${name} is reported without it`, async () => {
      await writeFile(files.path('config/login'), `#!/bin/sh\n${script}\n`)
      await assert.rejects(tokenOf({}, await write('config', './login')), (error: Error) => {
        assert.match(error.message, message)
        assert.doesNotMatch(error.message, /SECRET/)
        return true
      })
    })
  }
})

describe('URLs with a password', () => {
  const PASSWORD = /hunter2/
  it('are not in errors, whatever is wrong', async () => {
    const files = await KubeConfigFiles.create()
    try {
      for (const [settings, environment] of [
        [{ server: 'https://me:hunter2@127.0.0.1:1' }, {}],
        [{ server: 'https://me:hunter2@127.0.0.1:port' }, {}],
        [{ server: 'me:hunter2@127.0.0.1' }, {}],
        [{ cluster: { 'proxy-url': 'http://me:hunter2@127.0.0.1:1' } }, {}],
        [{ cluster: { 'proxy-url': 'http://me:hunter2@127.0.0.1:port' } }, {}],
        [{}, { HTTPS_PROXY: 'http://me:hunter2@127.0.0.1:1' }],
        [{}, { HTTPS_PROXY: 'http://me:hunter2@127.0.0.1:port' }],
      ] as const) {
        for (const fewRequests of [false, true]) {
          const lines: string[] = []
          const file = await files.write(
            'config',
            kubeConfig({ server: 'https://127.0.0.1:1', ...settings, user: { token: 'a' } }),
          )
          const { KubeCluster } = await import('../../src/cluster/kube-cluster.ts')
          const options = {
            impersonate: {},
            timeout: 1_000,
            environment,
            fewRequests,
            trace: (line: string) => lines.push(line),
          }
          const said = await (async () => {
            const cluster = new KubeCluster({ file, environment }, options)
            lines.push(cluster.server)
            try {
              await cluster.servedVersions('a')
            } finally {
              await cluster.close()
            }
          })().then(
            () => assert.fail('it was sent'),
            (error: Error) => [error.name, error.message, ...lines].join(' '),
          )
          assert.match(said, /^UserError /)
          assert.doesNotMatch(said, PASSWORD)
        }
      }
    } finally {
      await files.remove()
    }
  })
})

describe('a kubeconfig with impersonation', () => {
  let server: ApiServer
  let clients: Clients
  beforeEach(async () => {
    server = await ApiServer.start()
    clients = await Clients.create()
  })
  afterEach(async () => {
    await clients.close()
    await server.close()
  })

  const AS = {
    as: 'jane',
    'as-uid': '1000',
    'as-groups': ['dev', 'ops'],
    'as-user-extra': { 'acme.com/project': ['a', 'b'], scopes: ['view'] },
  }
  const sent = async (user: object, impersonate = {}, fewRequests = false) => {
    const requests = await clients.requests(server, {
      config: { user: { token: 'a', ...user } },
      options: { impersonate, fewRequests },
    })
    await requests.send(LIST_PODS)
    const headers = server.asked.at(-1)?.headers ?? {}
    return Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith('impersonate')))
  }

  for (const fewRequests of [false, true]) {
    it(`sends all of it, each value as its own header${fewRequests ? ", by Node's own client" : ''}`, async () => {
      assert.deepEqual(await sent(AS, {}, fewRequests), {
        'impersonate-user': ['jane'],
        'impersonate-uid': ['1000'],
        'impersonate-group': ['dev', 'ops'],
        'impersonate-extra-acme.com%2fproject': ['a', 'b'],
        'impersonate-extra-scopes': ['view'],
      })
    })
  }

  it('sends the user of --as once, with the groups of the kubeconfig, as kubectl does', async () => {
    assert.deepEqual(await sent({ as: 'jane', 'as-groups': ['dev'] }, { user: 'paul' }), {
      'impersonate-user': ['paul'],
      'impersonate-group': ['dev'],
    })
  })

  it('sends only the groups of --as-group', async () => {
    const headers = await sent({ as: 'jane', 'as-groups': ['dev'] }, { groups: ['ops'] })
    assert.deepEqual(headers['impersonate-group'], ['ops'])
  })

  it('is refused without a user, since it would act with all rights', async () => {
    await assert.rejects(sent({ 'as-groups': ['dev'] }), {
      code: 'IMPERSONATION_INVALID',
      message: /without a user to act as/,
    })
    await assert.rejects(sent({}, { groups: ['ops'] }), { code: 'IMPERSONATION_INVALID', exitCode: 2 })
    assert.deepEqual(server.asked, [])
  })
})
