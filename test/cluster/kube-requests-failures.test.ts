import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { after, before, describe, it } from 'mocha'
import type { UserError } from '../../src/errors.ts'
import { type Answer, ApiServer } from './api-server.ts'
import { type ClientSettings, Clients } from './clients.ts'
import { clusterAuthority, serverCertificate } from './pki.ts'

const LIST_PODS = { method: 'GET', path: '/api/v1/pods', what: 'list pods' } as const

describe('KubeRequests reports at once', () => {
  let server: ApiServer
  let clients: Clients
  before(async () => {
    server = await ApiServer.start()
    clients = await Clients.create()
  })
  after(async () => {
    await clients.close()
    await server.close()
  })

  const cases: [string, () => Promise<ClientSettings['config'] & object>, RegExp][] = [
    [
      'a server that is not there',
      async () => ({ server: `https://127.0.0.1:${await freePort()}` }),
      /: connect ECONNREFUSED 127\.0\.0\.1:\d+$/,
    ],
    [
      'a name that does not resolve',
      async () => ({ server: 'https://api.invalid' }),
      /: getaddrinfo ENOTFOUND api\.invalid$/,
    ],
    [
      'a certificate for another name',
      async () => ({ cluster: { 'tls-server-name': 'other.test' } }),
      /: Hostname\/IP does not match certificate's altnames/,
    ],
  ]
  for (const [name, config, message] of cases) {
    it(name, async () => {
      const requests = await clients.requests(server, { config: await config() })
      const started = performance.now()
      await assert.rejects(requests.send(LIST_PODS), {
        name: 'UserError',
        code: 'CLUSTER_UNREACHABLE',
        exitCode: 1,
        message,
      })
      assert.ok(performance.now() - started < 1_500, `took ${performance.now() - started} ms`)
      assert.equal(server.asked.length, 0)
    })
  }

  it('a certificate that signs itself', async () => {
    const other = await ApiServer.start({ certificate: await serverCertificate() })
    try {
      const requests = await clients.requests(other)
      const started = performance.now()
      await assert.rejects(requests.send(LIST_PODS), {
        code: 'CLUSTER_UNREACHABLE',
        message: /: self-signed certificate/,
      })
      assert.ok(performance.now() - started < 1_500, `took ${performance.now() - started} ms`)
    } finally {
      await other.close()
    }
  })

  it('and accepts any certificate when the kubeconfig says so', async () => {
    const config = {
      authority: '',
      cluster: { 'insecure-skip-tls-verify': true, 'certificate-authority-data': undefined },
    }
    await (await clients.requests(server, { config })).send(LIST_PODS)
    assert.equal(server.asked.length, 1)
  })
})

describe('KubeRequests gives up', () => {
  const scenarios: [string, Answer, object][] = [
    [
      '500',
      { status: 500, body: { message: 'etcd is gone' } },
      { code: 'SERVER_FAILED', message: 'the API server failed to list pods: etcd is gone' },
    ],
    [
      '429',
      { status: 429, body: 'slow down' },
      { code: 'SERVER_FAILED', message: 'the API server failed to list pods: slow down' },
    ],
    ['a connection that breaks', 'reset', { code: 'CLUSTER_UNREACHABLE' }],
    [
      'a server nobody trusts',
      { status: 200 },
      { code: 'CLUSTER_UNREACHABLE', message: /: unable to verify the first certificate/ },
    ],
  ]
  const outcomes = new Map<string, { error: UserError | undefined; asked: number; took: number }>()

  before(async () => {
    // All at once, since each takes three seconds.
    await Promise.all(
      scenarios.map(async ([name, answer]) => {
        const [server, clients] = [await ApiServer.start(), await Clients.create()]
        server.answer = () => answer
        const stranger = (await clusterAuthority(2)).certificate
        const config = name === 'a server nobody trusts' ? { authority: stranger } : {}
        const requests = await clients.requests(server, { config })
        const started = performance.now()
        const error = await requests.send(LIST_PODS).then(
          () => undefined,
          (reason: UserError) => reason,
        )
        outcomes.set(name, { error, asked: server.asked.length, took: performance.now() - started })
        await clients.close()
        await server.close()
      }),
    )
  })

  for (const [name, , expected] of scenarios.slice(0, 3)) {
    it(`on ${name}, after three more tries`, () => {
      const outcome = outcomes.get(name)
      assert.equal(outcome?.asked, 4)
      assert.ok(outcome.took >= 2_900 && outcome.took < 8_000, `took ${outcome.took} ms`)
      assert.throws(() => {
        throw outcome.error
      }, expected)
    })
  }

  it('on a server nobody trusts, and sends it no request', () => {
    const { error, asked } = outcomes.get('a server nobody trusts') ?? {}
    assert.equal(asked, 0)
    assert.throws(() => {
      throw error
    }, scenarios[3]?.[2] as object)
  })
})

/** A port that nothing listens on. */
async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}
