import assert from 'node:assert/strict'
import { createHook } from 'node:async_hooks'
import { after, afterEach, before, beforeEach, describe, it } from 'mocha'
import type { UserError } from '../../src/errors.ts'
import { freePort } from '../free-port.ts'
import { type Answer, ApiServer } from './api-server.ts'
import { type ClientSettings, Clients } from './clients.ts'
import { clusterAuthority, serverCertificate } from './pki.ts'

const LIST_PODS = { method: 'GET', path: '/api/v1/pods', what: 'list pods' } as const

for (const [version, fewRequests] of [
  ['HTTP/2', false],
  ["HTTP/1.1 by Node's own client", true],
] as const) {
  describe(`KubeRequests over ${version} reports at once`, () => {
    let server: ApiServer
    let clients: Clients
    before(async () => {
      server = await ApiServer.start()
      clients = await Clients.create({ fewRequests })
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
        /: the certificate of the server does not name other\.test/,
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

    it('a self-signed certificate', async () => {
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

    it('but accepts any certificate with insecure-skip-tls-verify', async () => {
      const config = {
        authority: '',
        cluster: { 'insecure-skip-tls-verify': true, 'certificate-authority-data': undefined },
      }
      await (await clients.requests(server, { config })).send(LIST_PODS)
      assert.equal(server.asked.length, 1)
    })
  })

  describe(`KubeRequests over ${version} gives up`, () => {
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
    ]
    let server: ApiServer
    let clients: Clients
    beforeEach(async () => {
      server = await ApiServer.start()
      clients = await Clients.create({ fewRequests })
    })
    afterEach(async () => {
      await clients.close()
      await server.close()
    })

    for (const [name, answer, expected] of scenarios) {
      it(`on ${name}, after one retry for each pause`, async () => {
        server.answer = () => answer
        for (const pauses of [[1, 2, 3], [1], []]) {
          server.asked.length = 0
          const requests = await clients.requests(server, { options: { pauses } })
          await assert.rejects(requests.send(LIST_PODS), expected)
          assert.equal(server.asked.length, pauses.length + 1)
        }
      })
    }

    it('by default after three growing pauses', async () => {
      server.answer = () => ({ status: 503 })
      const requests = await clients.requests(server, { options: { pauses: undefined } as object })
      const started = performance.now()
      await assert.rejects(requests.send(LIST_PODS), { code: 'SERVER_FAILED' })
      const took = performance.now() - started
      assert.equal(server.asked.length, 4)
      assert.ok(took >= 2_900 && took < 8_000, `took ${took} ms`)
    })

    it('at once on a page that is not JSON, for example a login page', async () => {
      server.answer = () => ({
        status: 200,
        body: '<!doctype html><title>Log in</title>',
        headers: { 'content-type': 'text/html' },
      })
      const requests = await clients.requests(server)
      await assert.rejects(requests.send(LIST_PODS), {
        name: 'UserError',
        code: 'ANSWER_UNEXPECTED',
        message: `the API server at ${server.url} answered GET /api/v1/pods with something that Kubernetes does not answer: "<!doctype html><title>Log in</title>"`,
      })
      assert.equal(server.asked.length, 1)
    })

    it('at once on an untrusted server, without sending a request', async () => {
      const authority = (await clusterAuthority(2)).certificate
      const requests = await clients.requests(server, { config: { authority }, options: { pauses: [5_000] } })
      const started = performance.now()
      await assert.rejects(requests.send(LIST_PODS), (error: UserError) => {
        assert.equal(error.code, 'CLUSTER_UNREACHABLE')
        assert.match(error.message, /: unable to get local issuer certificate/)
        assert.equal((error.cause as NodeJS.ErrnoException).code, 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY')
        return true
      })
      assert.ok(performance.now() - started < 4_000, `took ${performance.now() - started} ms`)
      assert.equal(server.asked.length, 0)
    })

    it('waits up to ten seconds when the server asks for it', async () => {
      server.answer = () => ({ status: 429, headers: { 'retry-after': '10' } })
      const requests = await clients.requests(server)
      assert.equal(await firstWait(() => requests.send(LIST_PODS), [10_000]), 10_000)
    })

    it('does not wait when the server asks for an hour, and says so', async () => {
      server.answer = () => ({ status: 429, headers: { 'retry-after': '3600' } })
      const requests = await clients.requests(server)
      await assert.rejects(requests.send(LIST_PODS), { code: 'SERVER_FAILED', message: /try again in 3600 s/ })
      assert.equal(server.asked.length, 1)
    })
  })
}

/**
 * Finds out which of these pauses begins first, from the timer that is created. Waiting for its end would take too long.
 */
async function firstWait(send: () => Promise<unknown>, candidates: number[]): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<NodeJS.Timeout & { _idleTimeout: number }>()
  const hook = createHook({
    init(_id, type, _trigger, resource) {
      const timer = resource as NodeJS.Timeout & { _idleTimeout: number }
      if (type === 'Timeout' && candidates.includes(timer._idleTimeout)) resolve(timer)
    },
  }).enable()
  void send()
  const timer = await promise
  hook.disable()
  const wait = timer._idleTimeout
  clearTimeout(timer)
  return wait
}
