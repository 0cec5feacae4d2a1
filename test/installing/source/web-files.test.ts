import assert from 'node:assert/strict'
import { createServer, type RequestListener, type Server } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { afterEach, describe, it } from 'mocha'
import { WebFiles } from '../../../src/installing/source/web-files.ts'

const LIMITS = { largest: 1_000, longest: 5_000 }

describe('requests to web servers', () => {
  const servers: Server[] = []
  afterEach(() => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections()
      server.close()
    }
  })

  async function serve(listener: RequestListener): Promise<URL> {
    const server = createServer(listener)
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/grafana.yaml`)
  }
  // No request to this machine goes to a proxy.
  const web = new WebFiles({ HTTP_PROXY: 'http://127.0.0.1:1', http_proxy: 'http://127.0.0.1:1' })

  it('go through the proxy that the environment names', async () => {
    const asked: string[] = []
    const proxy = createTcpServer((socket) => {
      socket.once('data', (bytes) => {
        asked.push(String(bytes).split('\r\n')[0] ?? '')
        socket.end('HTTP/1.1 403 Forbidden\r\n\r\n')
      })
    })
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
    try {
      const behind = new WebFiles({ HTTPS_PROXY: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}` })
      await assert.rejects(behind.get(new URL('https://example.com/grafana.yaml'), LIMITS))
      assert.deepEqual(asked, ['CONNECT example.com:443 HTTP/1.1'])
    } finally {
      proxy.close()
    }
  })

  it('return the status, the type and the body', async () => {
    const url = await serve((request, response) => {
      response.writeHead(200, { 'content-type': 'text/yaml' }).end(`a: ${request.headers['accept-encoding']}`)
    })
    const { status, type, body } = await web.get(url, LIMITS)
    assert.deepEqual([status, type, String(body)], [200, 'text/yaml', 'a: identity'])
  })

  it('do not follow redirects, nor wait for their bodies', async () => {
    const url = await serve((_, response) => response.writeHead(302, { location: '/b' }).write('endless'))
    const { status, location } = await web.get(url, LIMITS)
    assert.deepEqual([status, location], [302, '/b'])
  })

  it('read one byte more than the limit of an endless body, and close the connection', async () => {
    const closed = Promise.withResolvers<void>()
    const url = await serve((_, response) => {
      response.on('close', () => closed.resolve())
      const more = () => void (response.write('x'.repeat(600)) && setImmediate(more))
      response.on('drain', more)
      more()
    })
    const { body } = await web.get(url, LIMITS)
    assert.equal(body.length, 1_001)
    await closed.promise
  })

  it('end in time when the body does not', async () => {
    const url = await serve((_, response) => void response.writeHead(200).write('a: '))
    await assert.rejects(web.get(url, { ...LIMITS, longest: 100 }), /no whole answer within 1 s/)
  })

  it('end in time when nothing answers', async () => {
    const url = await serve(() => undefined)
    await assert.rejects(web.get(url, { ...LIMITS, longest: 100 }), /no whole answer within 1 s/)
  })

  it('fail when the body is cut off', async () => {
    const url = await serve((_, response) => {
      response.writeHead(200, { 'content-length': 100 }).write('a: ')
      setImmediate(() => response.destroy())
    })
    await assert.rejects(web.get(url, LIMITS), { code: 'ECONNRESET' })
  })

  it('fail when nothing listens', async () => {
    const url = await serve(() => undefined)
    servers[0]?.close()
    await new Promise((resolve) => servers[0]?.once('close', resolve))
    await assert.rejects(web.get(url, LIMITS), { code: 'ECONNREFUSED' })
  })
})
