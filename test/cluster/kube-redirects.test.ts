import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'mocha'
import type { UserError } from '../../src/errors.ts'
import { type Answer, ApiServer } from './api-server.ts'
import { Clients } from './clients.ts'

const READ = { method: 'GET', path: '/apis/a', what: 'read a' } as const
const WRITE = { method: 'PATCH', path: '/apis/a', body: { a: 1 }, what: 'write a' } as const

for (const [version, fewRequests] of [
  ['HTTP/2', false],
  ['HTTP/1.1', true],
] as const)
  describe(`redirects over ${version}`, () => {
    let server: ApiServer
    let stranger: ApiServer
    let clients: Clients
    before(async () => {
      server = await ApiServer.start()
      stranger = await ApiServer.start()
      clients = await Clients.create({ fewRequests, pauses: [] })
    })
    beforeEach(() => {
      server.asked.length = 0
    })
    after(async () => {
      await clients.close()
      await server.close()
      await stranger.close()
    })

    const to = (location: string, status = 302): Answer => ({ status, headers: { location } })

    it('are followed on the same server, with the same credentials', async () => {
      server.answer = ({ path }) => (path === '/moved/b' ? { status: 200, body: { found: true } } : to('/moved/b?c=d'))
      const requests = await clients.requests(server, { config: { user: { token: 'secret' } } })
      assert.deepEqual(await requests.send(READ), { found: true })
      const seen = server.asked.map(({ path, query, headers }) => [path, query, headers.authorization])
      assert.deepEqual(seen, [
        ['/apis/a', {}, ['Bearer secret']],
        ['/moved/b', { c: 'd' }, ['Bearer secret']],
      ])
    })

    it('of a write keep its method and body', async () => {
      server.answer = ({ path }) => (path === '/b' ? { status: 200, body: {} } : to('/b', 307))
      await (await clients.requests(server)).send(WRITE)
      assert.deepEqual(
        server.asked.map(({ method, path, body }) => [method, path, body]),
        [
          ['PATCH', '/apis/a', { a: 1 }],
          ['PATCH', '/b', { a: 1 }],
        ],
      )
    })

    it('of a write are not followed when it would become a read', async () => {
      server.answer = ({ path }) => (path === '/b' ? { status: 200, body: {} } : to('/b', 302))
      await assert.rejects((await clients.requests(server)).send(WRITE), { code: 'SERVER_FAILED' })
      assert.equal(server.asked.length, 1)
    })

    it('end after ten', async () => {
      server.answer = ({ path }) => to(`${path}x`)
      await assert.rejects((await clients.requests(server)).send(READ), { code: 'SERVER_FAILED' })
      assert.equal(server.asked.length, 11)
    })

    for (const [name, where] of [
      ['another server', () => stranger.url],
      ['plain HTTP', () => server.url.replace('https', 'http')],
      ['a user in the URL', () => stranger.url.replace('//', '//jane:pass@')],
    ] as const)
      it(`to another place are an error without a request: ${name}`, async () => {
        server.answer = () => to(`${where()}/apis/a?token=secret`)
        await assert.rejects((await clients.requests(server)).send(READ), ({ code, message }: UserError) => {
          assert.equal(code, 'REDIRECTED')
          assert.doesNotMatch(message, /secret|jane|pass/)
          return true
        })
        assert.equal(stranger.asked.length, 0)
      })

    it('to what is no URL are the answer', async () => {
      server.answer = () => to('http://[')
      await assert.rejects((await clients.requests(server)).send(READ), { code: 'SERVER_FAILED' })
    })
  })
