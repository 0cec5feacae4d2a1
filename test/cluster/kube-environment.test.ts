/** Credentials go only to the server that the kubeconfig names and verifies, whatever environment variables say. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { connect } from 'node:tls'
import { after, afterEach, before, beforeEach, describe, it } from 'mocha'
import { ApiServer } from './api-server.ts'
import { Clients } from './clients.ts'
import { serverCertificate } from './pki.ts'

const LIST_PODS = { method: 'GET', path: '/api/v1/pods', what: 'list pods' } as const
const TOKEN = { token: 'SECRET-TOKEN' }
const VARIABLE = 'NODE_TLS_REJECT_UNAUTHORIZED'

describe('a server with another certificate, and NODE_TLS_REJECT_UNAUTHORIZED=0', () => {
  let server: ApiServer
  let clients: Clients
  let proxy: { url: string; targets: string[]; close(): void }
  const before_ = process.env[VARIABLE]
  before(async () => {
    server = await ApiServer.start({ certificate: await serverCertificate() })
    clients = await Clients.create()
    proxy = await startProxy(server.port)
  })
  beforeEach(() => {
    process.env[VARIABLE] = '0'
  })
  afterEach(() => {
    if (before_ === undefined) delete process.env[VARIABLE]
    else process.env[VARIABLE] = before_
  })
  after(async () => {
    proxy.close()
    await clients.close()
    await server.close()
  })

  it('would be believed by a connection that leaves the decision to Node', async () => {
    const socket = connect({ host: '127.0.0.1', port: server.port, ca: server.authority.certificate })
    await once(socket, 'secureConnect')
    assert.equal(socket.authorized, false)
    socket.destroy()
  })

  const ways: [string, () => { options?: object; cluster?: object }][] = [
    ['over HTTP/2', () => ({})],
    ["over HTTP/1.1 by Node's own client", () => ({ options: { fewRequests: true } })],
    ['as a member of groups, over HTTP/1.1', () => ({ options: { impersonate: { user: 'a', groups: ['b', 'c'] } } })],
    ['through proxy-url', () => ({ cluster: { 'proxy-url': proxy.url } })],
    ['through HTTPS_PROXY', () => ({ options: { environment: { HTTPS_PROXY: proxy.url } } })],
    ['through HTTPS_PROXY without a scheme', () => ({ options: { environment: { HTTPS_PROXY: proxy.url.slice(7) } } })],
    [
      'past a proxy, by NO_PROXY',
      () => ({ options: { environment: { HTTPS_PROXY: proxy.url, NO_PROXY: '127.0.0.1' } } }),
    ],
  ]
  for (const [name, way] of ways) {
    it(`gets no request ${name}`, async () => {
      const { options = {}, cluster = {} } = way()
      const requests = await clients.requests(server, { config: { user: TOKEN, cluster }, options })
      await assert.rejects(requests.send(LIST_PODS), {
        code: 'CLUSTER_UNREACHABLE',
        message: /self-signed|certificate/,
      })
      assert.deepEqual(server.asked, [])
    })

    it(`gets no upgrade ${name}`, async () => {
      const { options = {}, cluster = {} } = way()
      const kube = await clients.cluster(server, { config: { user: TOKEN, cluster }, options })
      await assert.rejects(kube.portForward({ namespace: 'a', name: 'b' }), { code: 'CLUSTER_UNREACHABLE' })
      assert.deepEqual(server.asked, [])
    })
  }

  it('is believed where the kubeconfig says so', async () => {
    const cluster = { 'insecure-skip-tls-verify': true, 'certificate-authority-data': undefined }
    const requests = await clients.requests(server, { config: { user: TOKEN, cluster } })
    await requests.send(LIST_PODS)
    assert.equal(server.asked.length, 1)
  })
})

/** A proxy that connects any client to one port (CONNECT). */
async function startProxy(port: number): Promise<{ url: string; targets: string[]; close(): void }> {
  const { connect: dial } = await import('node:net')
  const targets: string[] = []
  const sockets = new Set<Socket>()
  const server = createServer()
  server.on('connect', ({ url = '' }, client: Socket) => {
    targets.push(url)
    const onward = dial(port, '127.0.0.1', () => client.write('HTTP/1.1 200 OK\r\n\r\n'))
    for (const socket of [client, onward]) sockets.add(socket.on('error', () => {}))
    client.pipe(onward).pipe(client)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    targets,
    close: () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}
