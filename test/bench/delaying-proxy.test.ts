import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server } from 'node:net'
import { text } from 'node:stream/consumers'
import { describe, it } from 'mocha'
import { startDelayingProxy } from './delaying-proxy.ts'

/** Milliseconds. */
const ROUND_TRIP = 40
/** Milliseconds by which a timer may be early. */
const EARLY = 2

describe('DelayingProxy', () => {
  let server: Server
  beforeEach(async () => {
    server = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket)).listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  afterEach(() => server.close())

  it('delays connecting and each answer by a round trip, and keeps the order of bytes and ends', async () => {
    const { port } = server.address() as AddressInfo
    const proxy = await startDelayingProxy({ host: '127.0.0.1', port, roundTrip: ROUND_TRIP })
    const started = performance.now()
    const client = connect({ host: '127.0.0.1', port: proxy.port, allowHalfOpen: true })
    client.write('one')
    await once(client, 'readable')
    const first = performance.now() - started
    const said = [String(client.read())]
    client.write(' two')
    client.end(' three')
    said.push(await text(client))
    assert.equal(said.join(''), 'one two three')
    assert.ok(first >= 2 * ROUND_TRIP - EARLY, `the first answer after ${first} ms`)
    assert.ok(performance.now() - started >= 3 * ROUND_TRIP - EARLY)
    await proxy.close()
  })
})
