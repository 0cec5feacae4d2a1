import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer as createClearServer } from 'node:http'
import { createServer, type Server } from 'node:https'
import { type AddressInfo, createServer as createRawServer, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { Http1Transport } from '../../src/cluster/kube-http1.ts'
import { clusterAuthority, serverCertificate } from './pki.ts'

const NEVER = new AbortController().signal
const PATIENT = { headersTimeout: 5_000, bodyTimeout: 5_000 }

describe('Http1Transport', () => {
  let server: Server
  let accepted: TLSSocket[]
  let ca: string
  let transport: Http1Transport
  const upgradedSockets: Duplex[] = []

  const portOf = (one: { address(): unknown }) => (one.address() as AddressInfo).port
  const sent = (path = '/') => ({ method: 'GET' as const, origin: 'https://ignored', path, headers: {} })
  const upgrade = async (signal = NEVER) => {
    const { socket } = await transport.upgrade({ ...sent(), protocol: 'websocket', signal })
    upgradedSockets.push(socket)
    return socket as Socket
  }
  const ask = async (path = '/', timeouts = PATIENT) => {
    const { body, statusCode } = await transport.request({ ...sent(path), ...timeouts })
    return { statusCode, text: await body.text() }
  }
  /** With TLS 1.3 the client is connected before the server. */
  const connections = async (count: number) => {
    while (accepted.length < count) await once(server, 'secureConnection')
    return accepted.map(({ remotePort }) => remotePort)
  }

  beforeEach(async () => {
    const authority = await clusterAuthority()
    const { certificate, key } = await serverCertificate(authority)
    ca = authority.certificate
    accepted = []
    server = createServer({ cert: certificate, key }, (request, response) => {
      const [, what] = request.url?.split('/') ?? []
      if (what === 'silent') return
      response.write('part')
      if (what === 'breaks') setTimeout(() => request.socket.destroy(), 20)
      else if (what !== 'half') response.end()
    })
    server.on('secureConnection', (socket: TLSSocket) => {
      accepted.push(socket)
      socket.on('error', () => {})
    })
    server.on('upgrade', (request, socket: Duplex) => {
      if (request.url === '/refused') socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n')
      else socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nfirst')
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    transport = new Http1Transport(`https://127.0.0.1:${portOf(server)}`, { ca }, 5_000)
  })
  afterEach(async () => {
    await transport.destroy()
    for (const socket of [...upgradedSockets.splice(0), ...accepted]) socket.destroy()
    server.close()
  })

  describe('requests', () => {
    it('share one connection in sequence, and open a second one only in parallel', async () => {
      assert.deepEqual(await ask(), { statusCode: 200, text: 'part' })
      await ask()
      assert.equal((await connections(1)).length, 1)
      await Promise.all([ask(), ask()])
      assert.equal((await connections(2)).length, 2)
    })

    it('resume the TLS session of the connection before', async () => {
      await ask()
      await Promise.all([ask('/half', { headersTimeout: 500, bodyTimeout: 500 }).catch(() => {}), upgrade()])
      await connections(2)
      assert.deepEqual(
        accepted.map((socket) => socket.isSessionReused()),
        [false, true],
      )
    })

    for (const [path, when] of [
      ['/silent', 'does not begin'],
      ['/half', 'does not go on'],
    ] as const) {
      it(`fail when the answer ${when} in time`, async () => {
        await assert.rejects(ask(path, { headersTimeout: 50, bodyTimeout: 50 }), { code: 'ANSWER_TIMEOUT' })
      })
    }

    it('fail when the connection breaks in the middle of the answer', async () => {
      await assert.rejects(ask('/breaks'), { code: 'ECONNRESET' })
    })

    it('end when they are aborted, also in the middle of the answer', async () => {
      const calling = new AbortController()
      const { body } = await transport.request({ ...sent('/half'), ...PATIENT, signal: calling.signal })
      const reading = body.text()
      calling.abort()
      await assert.rejects(reading)
    })

    it('can finish after close(), and leave no connection behind', async () => {
      const { body } = await transport.request({ ...sent(), ...PATIENT })
      await transport.close()
      assert.equal(await body.text(), 'part')
      await connections(1)
      const [socket] = accepted
      if (socket?.readableEnded === false) await once(socket.resume(), 'close')
    })

    it('do not use a connection that was idle for a while', async () => {
      transport = new Http1Transport(`https://127.0.0.1:${portOf(server)}`, { ca }, 5_000, 20)
      await ask()
      await new Promise((resolve) => setTimeout(resolve, 60))
      await ask()
      assert.equal((await connections(2)).length, 2)
    })

    it('fail on leave(), while upgrades stay open', async () => {
      let refused: Duplex | undefined
      server.removeAllListeners('upgrade').on('upgrade', (_, socket: Duplex) => {
        refused = socket
      })
      const [asking, upgrading] = [ask('/silent'), upgrade()]
      await connections(2)
      await Promise.all([assert.rejects(asking), transport.leave()])
      while (refused === undefined) await new Promise((resolve) => setTimeout(resolve, 5))
      refused.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nlate')
      assert.equal(String((await once(await upgrading, 'data'))[0]), 'late')
    })

    it('use no TLS for an http URL', async () => {
      const clear = createClearServer((_, response) => void response.end('in clear')).listen(0, '127.0.0.1')
      await once(clear, 'listening')
      transport = new Http1Transport(`http://127.0.0.1:${portOf(clear)}`, {}, 5_000)
      assert.equal((await ask()).text, 'in clear')
      await transport.destroy()
      clear.close()
    })

    it('fail when the connection is not accepted in time', async () => {
      const mute = createRawServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1')
      await once(mute, 'listening')
      transport = new Http1Transport(`https://127.0.0.1:${portOf(mute)}`, { ca }, 50)
      await assert.rejects(ask(), /no connection in 0\.05 s/)
      mute.close()
    })
  })

  describe('upgrades', () => {
    it('use the connection that was opened for them; the next upgrade opens a new one', async () => {
      transport.expect(1)
      transport.expect(1)
      await connections(1)
      const [first, second] = [await upgrade(), await upgrade()]
      assert.deepEqual([first.localPort, second.localPort], await connections(2))
    })

    it('use a free connection of a request', async () => {
      await ask()
      const { localPort } = await upgrade()
      assert.deepEqual(await connections(1), [localPort])
    })

    it('use a connection that is still being opened', async () => {
      transport.expect(1)
      const { localPort } = await upgrade()
      assert.deepEqual(await connections(1), [localPort])
    })

    it('connect again when the server has closed the connection', async () => {
      transport.expect(1)
      await connections(1)
      accepted[0]?.destroy()
      // Wait until the client has noticed it.
      await new Promise((resolve) => setTimeout(resolve, 50))
      const { localPort } = await upgrade()
      assert.equal((await connections(2))[1], localPort)
    })

    it('connect again when they come much later than expected', async () => {
      // Long enough for a handshake on a busy machine: one that expires before is never seen here.
      transport = new Http1Transport(`https://127.0.0.1:${portOf(server)}`, { ca }, 5_000, 500)
      transport.expect(1)
      await connections(1)
      await new Promise((resolve) => setTimeout(resolve, 700))
      const { localPort } = await upgrade()
      assert.equal((await connections(2))[1], localPort)
    })

    it('pass on bytes that came directly after the answer', async () => {
      const socket = await upgrade()
      assert.equal(String((await once(socket, 'data'))[0]), 'first')
    })

    it('stay open after the timeout of the request', async () => {
      const calling = new AbortController()
      const socket = await upgrade(calling.signal)
      calling.abort()
      await new Promise((resolve) => setTimeout(resolve, 20))
      assert.equal(socket.destroyed, false)
    })

    it('fail when the server answers without switching', async () => {
      const refused = transport.upgrade({ ...sent('/refused'), protocol: 'websocket', signal: NEVER })
      await assert.rejects(refused, /bad upgrade/)
    })

    it('fail when they are aborted', async () => {
      server.removeAllListeners('upgrade').on('upgrade', () => {})
      const calling = new AbortController()
      const asking = upgrade(calling.signal)
      await connections(1)
      calling.abort(new Error('too late'))
      await assert.rejects(asking, /too late/)
    })
  })

  it('closes an unused connection', async () => {
    transport.expect(1)
    const [socket] = (await once(server, 'secureConnection')) as [TLSSocket]
    const ended = once(socket, 'close')
    await transport.close()
    socket.resume()
    await ended
  })

  it('closes a connection that is still being opened', async () => {
    transport.expect(1)
    const asking = upgrade()
    const [socket] = (await once(server, 'connection')) as [Socket]
    await transport.destroy()
    await Promise.all([assert.rejects(asking), socket.destroyed || once(socket, 'close')])
  })
})
