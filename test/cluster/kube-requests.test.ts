import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, afterEach, before, beforeEach, describe, it } from 'mocha'
import { DAY } from '../certificates/issuing.ts'
import { type Answer, ApiServer } from './api-server.ts'
import { type ClientSettings, Clients } from './clients.ts'
import { base64 } from './kubeconfig-files.ts'
import { clientCertificate } from './pki.ts'

const LIST_PODS = { method: 'GET', path: '/api/v1/pods', what: 'list pods' } as const
const OK = { status: 200, body: { items: [] } }

for (const [version, http2, fewRequests] of [
  ['HTTP/2', true, false],
  ['HTTP/1.1', false, false],
  ["HTTP/1.1 by Node's own client", true, true],
] as const) {
  describe(`KubeRequests over ${version}`, () => {
    let server: ApiServer
    let clients: Clients
    beforeEach(async () => {
      server = await ApiServer.start({ http2 })
      clients = await Clients.create({ fewRequests })
    })
    afterEach(async () => {
      await clients.close()
      await server.close()
    })
    const send = async (settings?: ClientSettings, absent?: 'error' | 'undefined') =>
      (await clients.requests(server, settings)).send(LIST_PODS, absent)
    const answers = (...list: Answer[]) => {
      server.answer = (_, nth) => list[nth - 1] ?? OK
    }

    const needed = fewRequests ? 20 : 1
    /** The connection for upgrades. */
    const spare = fewRequests ? 1 : 0
    it(`makes ${needed} TLS connections for twenty requests at once`, async () => {
      const requests = await clients.requests(server)
      server.answer = ({ path }) => ({ status: 200, body: { path } })
      const paths = Array.from({ length: 20 }, (_, index) => `/api/v1/nodes/n${index}`)
      const got = await Promise.all(paths.map((path) => requests.send({ ...LIST_PODS, path })))
      assert.deepEqual(
        got,
        paths.map((path) => ({ path })),
      )
      assert.equal(server.connections, needed)
      const expected = http2 && !fewRequests ? '2.0' : '1.1'
      assert.deepEqual(new Set(server.asked.map(({ httpVersion }) => httpVersion)), new Set([expected]))
    })

    it('keeps the connection for later requests', async () => {
      const requests = await clients.requests(server)
      for (let round = 0; round < 3; round++) await requests.send(LIST_PODS)
      assert.equal(server.connections, 1 + spare)
    })

    it('knows how far the clock of the API server is ahead, and ignores what a clock of whole seconds cannot show', async () => {
      const requests = await clients.requests(server)
      assert.equal(requests.clockAhead, undefined)
      await requests.send(LIST_PODS)
      assert.equal(requests.clockAhead, 0)
      const dated = (date: string): Answer => ({ ...OK, headers: { date } })
      answers(OK, dated('nonsense'), dated(new Date(Date.now() + 3_600_000).toUTCString()))
      await requests.send(LIST_PODS)
      await requests.send(LIST_PODS)
      const minutes = (requests.clockAhead ?? 0) / 60_000
      assert.ok(minutes > 59 && minutes < 61, String(minutes))
    })

    it('sends a token, and nothing else of a user', async () => {
      await send()
      const { headers, clientName } = server.asked[0] ?? {}
      assert.deepEqual(headers?.authorization, ['Bearer token'])
      assert.equal(headers?.['impersonate-user'], undefined)
      assert.equal(clientName, undefined)
    })

    it('sends a client certificate', async () => {
      const { certificate, key } = await clientCertificate(server.authority, new Date(Date.now() + DAY))
      const user = { 'client-certificate-data': base64(certificate), 'client-key-data': base64(key) }
      await send({ config: { user } })
      assert.equal(server.asked[0]?.clientName, 'jane')
    })

    it('sends a token', async () => {
      await send({ config: { user: { token: 'abc.def' } } })
      assert.deepEqual(server.asked[0]?.headers.authorization, ['Bearer abc.def'])
    })

    it('sends a name and a password', async () => {
      await send({ config: { user: { username: 'jane', password: 'a:b' } } })
      assert.deepEqual(server.asked[0]?.headers.authorization, [`Basic ${base64('jane:a:b')}`])
    })

    it('impersonates another user', async () => {
      await send({ options: { impersonate: { user: 'paul', groups: ['testers'] } } })
      assert.deepEqual(server.asked[0]?.headers['impersonate-user'], ['paul'])
      assert.deepEqual(server.asked[0]?.headers['impersonate-group'], ['testers'])
    })

    it('retries after 429, but not before Retry-After', async () => {
      answers({ status: 429, headers: { 'retry-after': '0.5' } })
      const started = performance.now()
      assert.deepEqual(await send(), OK.body)
      assert.ok(performance.now() - started >= 490, `waited ${performance.now() - started} ms`)
      assert.equal(server.asked.length, 2)
    })

    for (const retryAfter of ['Fri, 31 Dec 2100 23:59:59 GMT', 'Infinity', '-60', 'soon', '']) {
      it(`retries with the usual pause when Retry-After is not a number: ${JSON.stringify(retryAfter)}`, async () => {
        answers({ status: 429, headers: { 'retry-after': retryAfter } })
        const started = performance.now()
        assert.deepEqual(await send(), OK.body)
        assert.ok(performance.now() - started < 2_000, `waited ${performance.now() - started} ms`)
        assert.equal(server.asked.length, 2)
      })
    }

    it('retries after 503', async () => {
      answers({ status: 503, body: 'no healthy upstream' })
      assert.deepEqual(await send(), OK.body)
      assert.equal(server.asked.length, 2)
    })

    for (const broken of ['reset', 'half'] as const) {
      it(`retries when the connection breaks ${broken === 'half' ? 'in the middle of' : 'before'} the answer`, async () => {
        answers(broken)
        assert.deepEqual(await send(), OK.body)
        assert.equal(server.asked.length, 2)
        // The server resets all open connections.
        assert.ok([2, 2 + spare].includes(server.connections), `${server.connections} connections`)
      })
    }

    for (const status of [400, 401, 403, 404, 409, 422]) {
      it(`does not retry after ${status}`, async () => {
        answers({ status }, OK)
        await assert.rejects(send(), { name: 'UserError' })
        assert.equal(server.asked.length, 1)
      })
    }

    it('returns undefined for 404 only on request', async () => {
      answers({ status: 404, body: { message: 'pods "x" not found' } }, { status: 404 })
      await assert.rejects(send(), { code: 'NOT_FOUND', message: 'cannot list pods: pods "x" not found' })
      assert.equal(await send({}, 'undefined'), undefined)
    })

    it('fails when the answer takes longer than the timeout', async () => {
      answers('silence')
      const started = performance.now()
      await assert.rejects(send({ options: { timeout: 200 } }), {
        code: 'CLUSTER_UNREACHABLE',
        message: /: no answer in time$/,
      })
      assert.ok(performance.now() - started < 2_000, `took ${performance.now() - started} ms`)
      assert.equal(server.asked.length, 1)
    })

    it('traces requests without queries and credentials', async () => {
      const lines: string[] = []
      const options = { trace: (line: string) => lines.push(line) }
      const requests = await clients.requests(server, { config: { user: { token: 'secret' } }, options })
      answers({ status: 503 })
      await requests.send({ ...LIST_PODS, query: { labelSelector: 'app=secret' } })
      assert.deepEqual(
        lines.map((line) => line.replace(/\d+ ms$/, 'N ms')),
        ['GET /api/v1/pods 503 N ms', 'GET /api/v1/pods 200 N ms'],
      )
    })
  })
}

describe('KubeRequests', () => {
  let server: ApiServer
  let clients: Clients
  before(async () => {
    server = await ApiServer.start()
    clients = await Clients.create()
  })
  beforeEach(() => {
    server.asked.length = 0
    server.answer = () => OK
  })
  after(async () => {
    await clients.close()
    await server.close()
  })

  it('sends twenty requests in parallel over HTTP/2', async () => {
    const requests = await clients.requests(server)
    const { promise: all, resolve: allThere } = Promise.withResolvers<void>()
    server.answer = async (_, nth) => {
      if (nth === 20) allThere()
      await all
      return OK
    }
    await Promise.all(Array.from({ length: 20 }, () => requests.send(LIST_PODS)))
  })

  it('runs an exec plugin once for all requests', async () => {
    const log = clients.files.path('asked')
    const credential = {
      apiVersion: 'client.authentication.k8s.io/v1',
      kind: 'ExecCredential',
      status: { token: 'abc' },
    }
    const script = `require('fs').appendFileSync(${JSON.stringify(log)}, '.'); console.log(${JSON.stringify(JSON.stringify(credential))})`
    const exec = {
      apiVersion: credential.apiVersion,
      command: process.execPath,
      args: ['-e', script],
      interactiveMode: 'Never',
    }
    const requests = await clients.requests(server, { config: { user: { exec }, context: 'exec' } })
    await Promise.all(Array.from({ length: 5 }, () => requests.send(LIST_PODS)))
    assert.equal(await readFile(log, 'utf8'), '.')
    assert.ok(server.asked.every(({ headers }) => headers.authorization?.join() === 'Bearer abc'))
  })

  for (const suffix of ['/k8s/clusters/c-1', '/k8s/clusters/c-1/']) {
    it(`keeps the path of the server's URL: ${suffix}`, async () => {
      await (await clients.requests(server, { config: { server: server.url + suffix } })).send(LIST_PODS)
      assert.equal(server.asked[0]?.path, '/k8s/clusters/c-1/api/v1/pods')
    })
  }

  it('sends the body, its type and the query without undefined values', async () => {
    const requests = await clients.requests(server)
    const query = { fieldManager: 'a b&c', dryRun: undefined }
    await requests.send({
      ...LIST_PODS,
      method: 'PATCH',
      query,
      body: { x: 'ü' },
      contentType: 'text/x',
      accept: 'text/y',
    })
    const { headers, method, query: sent, body } = server.asked[0] ?? {}
    assert.deepEqual([headers?.['content-type'], headers?.accept], [['text/x'], ['text/y']])
    assert.deepEqual([method, sent, body], ['PATCH', { fieldManager: 'a b&c' }, { x: 'ü' }])
  })

  it('sends JSON by default, and no content type without a body', async () => {
    const requests = await clients.requests(server)
    await requests.send(LIST_PODS)
    await requests.send({ ...LIST_PODS, method: 'POST', body: {} })
    const types = server.asked.map(({ headers }) => [headers.accept, headers['content-type']])
    assert.deepEqual(types, [
      [['application/json'], undefined],
      [['application/json'], ['application/json']],
    ])
  })

  it('reports an expired client certificate when the server refuses it', async () => {
    server.answer = () => ({ status: 401, body: { message: 'Unauthorized' } })
    const { certificate, key } = await clientCertificate(server.authority, new Date('2026-10-31T00:00:00Z'))
    const user = { 'client-certificate-data': base64(certificate), 'client-key-data': base64(key) }
    const requests = await clients.requests(server, { config: { user } })
    await assert.rejects(requests.send(LIST_PODS), {
      code: 'UNAUTHENTICATED',
      message: `the API server at ${server.url} does not accept the credentials of context "test": its client certificate expired on 2026-10-31`,
    })
  })

  it('has its server and context', async () => {
    const requests = await clients.requests(server, { config: { context: 'lab' } })
    assert.deepEqual([requests.peer.server, requests.context], [server.url, 'lab'])
  })

  it('ends its connection when it is closed', async () => {
    const requests = await clients.requests(server)
    const before = server.open
    await requests.send(LIST_PODS)
    assert.equal(server.open, before + 1)
    await requests.close()
    while (server.open > before) await sleep(5) // a timeout of the test is its failure
  })

  it('can be closed before it was used, and twice', async () => {
    const requests = await clients.requests(server)
    await requests.close()
    await requests.send(LIST_PODS)
    await requests.close()
    await requests.close()
  })
})
