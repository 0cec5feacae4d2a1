import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, afterEach, before, beforeEach, describe, it } from 'mocha'
import { KubeRequests } from '../../src/cluster/kube-requests.ts'
import { loadKubeConfig } from '../../src/cluster/kubeconfig/kube-config.ts'
import type { UserError } from '../../src/errors.ts'
import { ApiServer } from './api-server.ts'
import { Clients } from './clients.ts'
import { base64, type KubeConfigSettings, kubeConfig } from './kubeconfig-files.ts'

const LIST_PODS = { method: 'GET', path: '/api/v1/pods', what: 'list pods' } as const

describe('KubeRequests without usable credentials', () => {
  let server: ApiServer
  let clients: Clients
  before(async () => {
    server = await ApiServer.start()
    clients = await Clients.create()
  })
  beforeEach(() => {
    server.asked.length = 0
  })
  after(async () => {
    await clients.close()
    await server.close()
  })

  const exec = (script: string) => ({
    user: {
      exec: {
        apiVersion: 'client.authentication.k8s.io/v1',
        command: process.execPath,
        args: ['-e', script],
        interactiveMode: 'Never',
      },
    },
  })
  const noCommand = {
    user: {
      exec: {
        apiVersion: 'client.authentication.k8s.io/v1',
        command: 'kubectl-telemetry-no-such-plugin',
        interactiveMode: 'Never',
      },
    },
  }

  const cases: [string, KubeConfigSettings & object, RegExp][] = [
    ['an exec plugin that fails', exec('process.exit(3)'), /exit code 3/],
    ['an exec plugin that does not print JSON', exec("console.log('hello')"), /: \S/],
    ['an exec plugin that is not installed', noCommand, /kubectl-telemetry-no-such-plugin/],
    ['a user without credentials', { user: {} }, /has no credentials/],
    [
      'a client certificate that is none',
      { user: { 'client-certificate-data': base64('no certificate'), 'client-key-data': base64('no key') } },
      /PEM/,
    ],
  ]
  for (const [name, config, why] of cases) {
    describe(name, () => {
      let requests: KubeRequests
      let error: UserError
      before(async () => {
        requests = await clients.requests(server, { config: { ...config, context: 'lab' } })
        error = await requests.send(LIST_PODS).then(
          () => assert.fail('it was sent'),
          (reason: UserError) => reason,
        )
      })

      it('is reported with its reason and the context', () => {
        assert.deepEqual([error.name, error.code, error.exitCode], ['UserError', 'CREDENTIALS_FAILED', 1])
        assert.match(error.message, /^cannot get the credentials of context "lab": /)
        assert.match(error.message, why)
      })

      it('sends no request', () => assert.equal(server.asked.length, 0))

      it('can be closed', () => requests.close())
    })
  }

  it('reports a server without TLS as a UserError, and can be closed', async () => {
    const requests = await clients.requests(server, { config: { server: 'http://127.0.0.1:1', authority: '' } })
    await assert.rejects(requests.send(LIST_PODS), { name: 'UserError', exitCode: 1 })
    await requests.close()
  })
})

describe('KubeRequests, acting as a member of several groups', () => {
  let server: ApiServer
  let clients: Clients
  beforeEach(async () => {
    server = await ApiServer.start()
    clients = await Clients.create()
  })
  const ended = async () => {
    await clients.close()
    await server.close()
  }

  it('sends each group in order, over HTTP/1.1', async () => {
    try {
      server.answer = () => ({ status: 200 })
      const groups = ['system:masters', 'team a, the first', 'c']
      const requests = await clients.requests(server, { options: { impersonate: { user: 'paul', groups } } })
      await requests.send(LIST_PODS)
      assert.deepEqual(server.asked[0]?.headers['impersonate-group'], groups)
      assert.deepEqual(server.asked[0]?.headers['impersonate-user'], ['paul'])
      assert.equal(server.asked[0]?.httpVersion, '1.1')
    } finally {
      await ended()
    }
  })

  it('uses HTTP/2 for one group', async () => {
    try {
      const requests = await clients.requests(server, { options: { impersonate: { user: 'paul', groups: ['a'] } } })
      await requests.send(LIST_PODS)
      assert.deepEqual(server.asked[0]?.headers['impersonate-group'], ['a'])
      assert.equal(server.asked[0]?.httpVersion, '2.0')
    } finally {
      await ended()
    }
  })
})

describe('KubeRequests when credentials are replaced', () => {
  /** An exec plugin with a new token each time. @param expiry JavaScript that it evaluates */
  const renewing = (expiry = 'undefined') => ({
    user: {
      exec: {
        apiVersion: 'client.authentication.k8s.io/v1',
        command: process.execPath,
        args: [
          '-e',
          `console.log(JSON.stringify({ apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential',
            status: { token: 'token-' + process.hrtime.bigint(), expirationTimestamp: ${expiry} } }))`,
        ],
        interactiveMode: 'Never',
      },
    },
  })
  let server: ApiServer
  let clients: Clients
  const requestsOf = (config: KubeConfigSettings) =>
    clients.requests(server, { config, options: { pauses: [1, 1, 1] } })
  const tokens = () => server.asked.map(({ headers }) => String(headers.authorization))
  beforeEach(async () => {
    server = await ApiServer.start()
    clients = await Clients.create()
  })
  afterEach(async () => {
    await clients.close()
    await server.close()
  })

  for (const [name, until] of [
    ['has expired', '2020-01-01T00:00:00Z'],
    ['has not expired', '2100-01-01T00:00:00Z'],
    ['does not expire', undefined],
  ] as const) {
    it(`runs the plugin again when an accepted token is refused that ${name}`, async () => {
      const requests = await requestsOf(renewing(JSON.stringify(until)))
      server.answer = () => ({ status: tokens()[0] === tokens().at(-1) && tokens().length > 1 ? 401 : 200 })
      await requests.send(LIST_PODS)
      await requests.send(LIST_PODS)
      const [first, second, third] = tokens()
      assert.equal(second, first)
      assert.notEqual(third, first)
      assert.equal(tokens().length, 3)
    })
  }

  it('runs the plugin once more when its first token is refused', async () => {
    const requests = await requestsOf(renewing())
    server.answer = () => ({ status: 401 })
    await assert.rejects(requests.send(LIST_PODS), { code: 'UNAUTHENTICATED' })
    assert.equal(new Set(tokens()).size, 2)
  })

  it('does not read the credentials again when a first token of the kubeconfig is refused', async () => {
    const requests = await requestsOf({ user: { token: 'a' } })
    server.answer = () => ({ status: 401 })
    await assert.rejects(requests.send(LIST_PODS), { code: 'UNAUTHENTICATED' })
    assert.equal(tokens().length, 1)
  })

  it('runs the plugin again when its token ends', async () => {
    // Long enough for two requests on a busy machine.
    const requests = await requestsOf(renewing('new Date(Date.now() + 2_000).toISOString()'))
    await requests.send(LIST_PODS)
    await requests.send(LIST_PODS)
    assert.equal(new Set(tokens()).size, 1)
    await sleep(2_100)
    await requests.send(LIST_PODS)
    assert.equal(new Set(tokens()).size, 2)
  })

  it('reads the file again and keeps its context, even if the file has another current one', async () => {
    const settings = { server: server.url, authority: server.authority.certificate }
    const config = (token: string, current: string) => ({
      ...kubeConfig({ ...settings, user: { token } }),
      'current-context': current,
    })
    const file = await clients.files.write('rotating', config('first', 'test'))
    const requests = new KubeRequests((context) => loadKubeConfig({ file, context, environment: {} }), {
      ...{ impersonate: {}, timeout: 5_000, environment: {}, pauses: [1, 1] },
    })
    server.answer = ({ headers }, nth) => ({
      status: nth > 1 && String(headers.authorization) === 'Bearer first' ? 401 : 200,
    })
    await requests.send(LIST_PODS)
    await clients.files.write('rotating', config('second', 'elsewhere'))
    await requests.send(LIST_PODS)
    assert.deepEqual(tokens(), ['Bearer first', 'Bearer first', 'Bearer second'])
    await requests.close()
  })
})
