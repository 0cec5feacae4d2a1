import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { buildConnector } from 'undici'
import { EarlyConnector } from '../../src/cluster/kube-early-connector.ts'
import { clusterAuthority, serverCertificate } from './pki.ts'

describe('EarlyConnector', () => {
  let server: Server
  let accepted: TLSSocket[]
  let connector: EarlyConnector
  const clients: Socket[] = []
  /** With TLS 1.3 the client is ready before the server is. */
  const connections = async (count: number) => {
    while (accepted.length < count) await once(server, 'secureConnection')
    return accepted.map(({ remotePort }) => remotePort)
  }
  const next = () =>
    new Promise<Socket>((resolve, reject) => {
      const to = { protocol: 'https:', hostname: '127.0.0.1', port: String((server.address() as AddressInfo).port) }
      connector.connect(to, (...[error, socket]) => {
        if (error !== null) return reject(error)
        clients.push(socket)
        resolve(socket)
      })
    })

  beforeEach(async () => {
    const authority = await clusterAuthority()
    const { certificate, key } = await serverCertificate(authority)
    accepted = []
    server = createServer({ cert: certificate, key }, (socket) => {
      accepted.push(socket)
      socket.on('error', () => {})
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
    connector = new EarlyConnector(url, buildConnector({ ca: authority.certificate, allowH2: false }))
  })
  afterEach(() => {
    for (const socket of [...clients.splice(0), ...accepted]) socket.destroy()
    connector.close()
    server.close()
  })

  it('gives the connection that is there to whoever comes first, and the next one a new one', async () => {
    connector.open()
    connector.open()
    await connections(1)
    const first = await next()
    const second = await next()
    assert.deepEqual([first.localPort, second.localPort], await connections(2))
  })

  it('gives one that is still being opened', async () => {
    connector.open()
    const { localPort } = await next()
    assert.deepEqual(await connections(1), [localPort])
  })

  it('connects anew when the server has closed it meanwhile', async () => {
    connector.open()
    await connections(1)
    accepted[0]?.destroy()
    // Until the client has heard of it.
    await new Promise((resolve) => setTimeout(resolve, 50))
    const { localPort } = await next()
    assert.equal((await connections(2))[1], localPort)
  })

  it('fails as the second try does when the first failed too', async () => {
    const { port } = server.address() as AddressInfo
    server.close()
    connector = new EarlyConnector(`https://127.0.0.1:${port}`, buildConnector({}))
    connector.open()
    await assert.rejects(
      new Promise((_, reject) =>
        connector.connect({ protocol: 'https:', hostname: '127.0.0.1', port: String(port) }, (...[error]) =>
          reject(error),
        ),
      ),
      { code: 'ECONNREFUSED' },
    )
  })

  it('ends a connection that nobody took', async () => {
    connector.open()
    const [socket] = (await once(server, 'secureConnection')) as [TLSSocket]
    const ended = once(socket, 'close')
    connector.close()
    socket.resume()
    await ended
  })
})
