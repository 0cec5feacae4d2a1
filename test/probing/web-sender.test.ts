/** Real servers on loopback. */
import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createHttps } from 'node:https'
import { type AddressInfo, createServer as createTcp, type Server as TcpServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, before, describe, it } from 'mocha'
import { type Authority, issueLeaf, type KeyPair } from '../../src/certificates/authority.ts'
import type { SendTarget } from '../../src/probing/sender.ts'
import { WebSender } from '../../src/probing/web-sender.ts'
import { runTraffic } from '../../src/traffic/run.ts'
import { authorityOf, issuing } from '../certificates/issuing.ts'
import { freePort } from '../free-port.ts'

const HOST = 'shop.example.com'
const PUBLIC = { certificates: [], publicToo: true }

type Handle = (request: IncomingMessage, response: ServerResponse) => void

describe('WebSender', () => {
  const now = new Date()
  let authority: Authority
  let leaf: KeyPair
  before(async () => {
    authority = await authorityOf('example.com', 0, { now })
    leaf = await issueLeaf(authority, [HOST], issuing(1, { now }))
  })

  const ends: (() => unknown)[] = []
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end()
  })

  /** @returns the port, and how many connections were opened */
  async function serve(
    handle: Handle,
    secure = false,
  ): Promise<{ port: number; opened: () => number; server: Server }> {
    const server = secure ? createHttps({ cert: leaf.certificate, key: leaf.key }, handle) : createServer(handle)
    let opened = 0
    server.on('connection', () => opened++).on('tlsClientError', () => {})
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    ends.push(() => {
      server.closeAllConnections()
      server.close()
    })
    return { port: (server.address() as AddressInfo).port, opened: () => opened, server }
  }

  async function serveRaw(server: TcpServer): Promise<number> {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    ends.push(() => server.close())
    return (server.address() as AddressInfo).port
  }

  function sender(changes: Partial<SendTarget>): WebSender {
    const one = new WebSender({
      host: HOST,
      address: '127.0.0.1',
      port: 1,
      secure: false,
      trust: PUBLIC,
      method: 'GET',
      userAgent: 'test/1',
      connections: 4,
      ...changes,
    })
    ends.push(() => one.close())
    return one
  }

  it('goes to the address, whatever DNS says about the host, and says host and name', async () => {
    const asked: unknown[] = []
    const { port } = await serve(({ url, method, headers }, response) => {
      asked.push([method, url, headers.host, headers['user-agent'], headers.authorization])
      response.end('page')
    })
    const one = sender({ port })
    assert.deepEqual(await one.send('/a%20b?q=%2F'), { status: 200 })
    assert.deepEqual(await one.send('//other.example/'), { status: 200 })
    assert.deepEqual(asked, [
      ['GET', '/a%20b?q=%2F', `${HOST}:${port}`, 'test/1', undefined],
      ['GET', '//other.example/', `${HOST}:${port}`, 'test/1', undefined],
    ])
  })

  it('sends HEAD', async () => {
    const { port } = await serve(({ method }, response) => response.writeHead(method === 'HEAD' ? 204 : 500).end())
    assert.deepEqual(await sender({ port, method: 'HEAD' }).send('/'), { status: 204 })
  })

  it('does not follow redirects', async () => {
    const { port, opened } = await serve((_, response) =>
      response.writeHead(302, { location: 'http://127.0.0.2:1/' }).end(),
    )
    assert.deepEqual(await sender({ port }).send('/'), { status: 302 })
    assert.equal(opened(), 1)
  })

  it('keeps connections open, and opens no more than it may', async () => {
    const { port, opened } = await serve(async (_, response) => {
      await sleep(5)
      response.end('page')
    })
    const one = sender({ port, connections: 3 })
    const all = await Promise.all(Array.from({ length: 60 }, () => one.send('/')))
    assert.deepEqual([...new Set(all.map((sent) => JSON.stringify(sent)))], ['{"status":200}'])
    assert.equal(opened(), 3)
  })

  it('trusts the CA of the exposure over TLS, and checks the name', async () => {
    const { port } = await serve((_, response) => response.end('page'), true)
    const trust = { certificates: [authority.certificate], publicToo: false }
    assert.deepEqual(await sender({ port, secure: true, trust }).send('/'), { status: 200 })
    const other = await sender({ port, secure: true, trust, host: 'other.example.com' }).send('/')
    assert.deepEqual(other, { failed: 'ERR_TLS_CERT_ALTNAME_INVALID' })
  })

  it('trusts the served certificate itself, and no unknown CA, whatever the environment says', async () => {
    const { port } = await serve((_, response) => response.end('page'), true)
    const trust = { certificates: [leaf.certificate], publicToo: true }
    assert.deepEqual(await sender({ port, secure: true, trust }).send('/'), { status: 200 })
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
    ends.push(() => delete process.env.NODE_TLS_REJECT_UNAUTHORIZED)
    const stranger = await sender({ port, secure: true }).send('/')
    assert.deepEqual(stranger, { failed: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' })
  })

  const failures: [what: string, code: string, handle: Handle][] = [
    ['closes the connection', 'CONNECTION_CLOSED', ({ socket }) => void socket.end()],
    ['resets it', 'ECONNRESET', ({ socket }) => void socket.resetAndDestroy()],
    [
      'breaks off',
      'CONNECTION_CLOSED',
      ({ socket }) => void socket.end('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf'),
    ],
    ['does not speak HTTP', 'NOT_HTTP', ({ socket }) => void socket.end('220 mail ESMTP\r\n')],
    [
      'answers without an end',
      'ANSWER_TOO_LONG',
      (_, response) => {
        const part = Buffer.alloc(1 << 20)
        const more = () => response.write(part, (error) => error || setImmediate(more))
        more()
      },
    ],
    [
      'sends endless headers',
      'ANSWER_TOO_LONG',
      ({ socket }) => void socket.write(`HTTP/1.1 200 OK\r\n${`x: ${'y'.repeat(1_000)}\r\n`.repeat(200)}`),
    ],
  ]
  for (const [what, code, handle] of failures)
    it(`names a server that ${what}`, async () => {
      const { port } = await serve(handle)
      assert.deepEqual(await sender({ port }).send('/'), { failed: code })
    })

  it('names a port at which nobody listens, and goes on when somebody does', async () => {
    const port = await freePort()
    const one = sender({ port })
    assert.deepEqual(await one.send('/'), { failed: 'ECONNREFUSED' })
    const server = createServer((_, response) => response.end('page'))
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
    ends.push(() => {
      server.closeAllConnections()
      server.close()
    })
    assert.deepEqual(await one.send('/'), { status: 200 })
  })

  it('fails what is under way when it is closed', async () => {
    const port = await serveRaw(createTcp(() => {}))
    const one = sender({ port })
    const pending = one.send('/')
    await sleep(20)
    await one.close()
    assert.deepEqual(await pending, { failed: 'ENDED' })
    assert.deepEqual(await one.send('/'), { failed: 'ENDED' })
  })

  /** How far off they are is measured by `npm run bench -- traffic`: a test has no limit of time. */
  it('measures latencies on the real clock', async () => {
    const { port } = await serve(async ({ url }, response) => {
      await sleep(Number(url?.slice(1)))
      response.end('page')
    })
    const timers = {
      now: () => performance.now(),
      after: (milliseconds: number, act: () => void) => {
        const timer = setTimeout(act, milliseconds)
        return () => clearTimeout(timer)
      },
    }
    const run = { requests: 50, rate: 100, concurrency: 8, paths: ['/20', '/20', '/20', '/80'], maxErrors: 0 }
    const world = { sender: sender({ port, connections: 8 }), timers, signal: new AbortController().signal }
    const { tally, end } = await runTraffic(run, world)
    const { p50 = 0, p99 = 0 } = tally.latency() ?? {}
    assert.equal(end, 'completed')
    // A timer may end a millisecond early.
    assert.ok(p50 >= 19 && p99 >= 79, `${p50} ${p99}`)
  })
})
