import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { after, afterEach, before, describe, it } from 'mocha'
import { eventually } from '../fakes/fake-timers.ts'
import { ApiServer } from './api-server.ts'
import { Clients } from './clients.ts'

const LIST_PODS = { method: 'GET', path: '/api/v1/pods', what: 'list pods' } as const
const PODS = { path: '/api/v1/pods', what: 'watch pods' }

describe('KubeRequests.reconnect', () => {
  let server: ApiServer
  let clients: Clients
  before(async () => {
    server = await ApiServer.start()
    clients = await Clients.create()
  })
  afterEach(() => {
    server.answer = () => ({ status: 200, body: {} })
  })
  after(async () => {
    await clients.close()
    await server.close()
  })

  it('opens a new connection for the next request, and ends reads over the old one without an error', async () => {
    const requests = await clients.requests(server)
    await requests.send(LIST_PODS)
    const { connections } = server
    server.answer = () => 'silence'
    const reading = (async () => {
      for await (const _ of requests.lines(PODS, new AbortController().signal));
      return 'ended'
    })()
    const asked = server.asked.length
    await eventually(() => server.asked.length > asked)
    requests.reconnect()
    assert.equal(await reading, 'ended')
    server.answer = () => ({ status: 200, body: {} })
    await requests.send(LIST_PODS)
    assert.equal(server.connections, connections + 1)
    // Several watches notice it at the same time: one new connection is enough.
    requests.reconnect()
    await requests.send(LIST_PODS)
    assert.equal(server.connections, connections + 1)
  })

  it('reports why an upgrade was refused even if the shared connection is dead', async () => {
    const requests = await clients.requests(server)
    let shared = 0
    server.answer = ({ httpVersion }) => {
      if (httpVersion.startsWith('1'))
        return { status: 404, body: { kind: 'Status', message: 'no such pod', code: 404 } }
      shared++
      return 'silence'
    }
    const error = await requests.explain({ ...LIST_PODS, method: 'POST' })
    assert.deepEqual([error.code, shared], ['NOT_FOUND', 0])
  })

  it('close() also ends connections that are still being opened', async () => {
    const silent = createServer().listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const { port } = silent.address() as AddressInfo
    const requests = await clients.requests(server, { config: { server: `https://127.0.0.1:${port}` } })
    const taken = once(silent, 'connection')
    const upgrading = requests.upgrade({ ...LIST_PODS, protocol: 'websocket', headers: {} }).catch(() => 'failed')
    const [socket] = await taken
    const closed = once(socket.resume(), 'close')
    await requests.close()
    await closed
    silent.close()
    assert.equal(await upgrading, 'failed')
  })
})
