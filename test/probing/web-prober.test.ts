import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, before, describe, it } from 'mocha'
import { type Authority, issueLeaf, type KeyPair } from '../../src/certificates/authority.ts'
import type { Probe } from '../../src/probing/prober.ts'
import { WebProber } from '../../src/probing/web-prober.ts'
import { authorityOf, issuing } from '../certificates/issuing.ts'
import { type Page, type PageServer, type Protocol, servePage, serveSockets } from './page-server.ts'

const HOST = 'grafana.example.com'
const BY_ADDON = { 'x-envoy-upstream-service-time': '3' }
const AT_NAME = { host: HOST, path: '/', authorityCertificate: undefined }
const NO_ROUTE = 'the gateway answers, but has no route for this host yet'

describe('WebProber', () => {
  const prober = new WebProber()
  const now = new Date() // the probe goes by the real clock
  let authority: Authority
  let leaf: KeyPair
  let server: PageServer | undefined
  before(async () => {
    authority = await authorityOf('example.com', 0, { now })
    leaf = await issueLeaf(authority, [HOST], issuing(1, { now }))
  })
  afterEach(async () => {
    await server?.close()
    server = undefined
  })

  const probe = (port: number, path = '/', trusted = authority) =>
    prober.probe({ host: HOST, address: '127.0.0.1', port, path, authorityCertificate: trusted.certificate })
  const serve = async (protocol: Protocol, page: Page) => {
    server = await servePage(protocol, leaf, page)
    return server
  }
  const withoutTime = ({ milliseconds, ...rest }: Probe) => {
    assert.ok(Number.isInteger(milliseconds) && milliseconds >= 0 && milliseconds < 10_000, `took ${milliseconds} ms`)
    return rest
  }

  const verdicts: [string, Page, Omit<Probe, 'milliseconds' | 'protocol'>][] = [
    ['a page', { status: 200 }, { ok: true, hop: 'upstream', status: 200 }],
    [
      'a way to another page',
      { status: 302, headers: { location: '/login' } },
      { ok: true, hop: 'upstream', status: 302 },
    ],
    ['a login required by the gateway', { status: 401 }, { ok: true, hop: 'access', status: 401 }],
    ['access denied by the gateway', { status: 403 }, { ok: true, hop: 'access', status: 403 }],
    ["the page's own login", { status: 401, headers: BY_ADDON }, { ok: true, hop: 'upstream', status: 401 }],
    ['access denied by the page', { status: 403, headers: BY_ADDON }, { ok: true, hop: 'upstream', status: 403 }],
    [
      'a request that the add-on does not understand',
      { status: 400, headers: BY_ADDON },
      { ok: false, hop: 'upstream', status: 400 },
    ],
    [
      'plain HTTP to an add-on that speaks HTTPS',
      { status: 400, headers: BY_ADDON, body: 'Client sent an HTTP request to an HTTPS server.\n' },
      { ok: false, hop: 'upstream', status: 400, wrongProtocol: 'tls wanted' },
    ],
    [
      'what is not HTTP behind the gateway',
      { status: 502, body: 'upstream connect error or disconnect/reset before headers. reset reason: protocol error' },
      {
        ok: false,
        hop: 'upstream',
        status: 502,
        message: 'the gateway cannot reach the add-on: 502',
        wrongProtocol: 'no http',
      },
    ],
    [
      'only the beginning of a long answer',
      { status: 400, headers: BY_ADDON, body: `${'x'.repeat(100_000)}Client sent an HTTP request to an HTTPS server.` },
      { ok: false, hop: 'upstream', status: 400 },
    ],
    ['no route', { status: 404 }, { ok: false, hop: 'route', status: 404, message: NO_ROUTE }],
    [
      'a page that the add-on does not have',
      { status: 404, headers: BY_ADDON },
      { ok: false, hop: 'upstream', status: 404 },
    ],
    [
      'no add-on behind the gateway',
      { status: 503 },
      { ok: false, hop: 'upstream', status: 503, message: 'the gateway cannot reach the add-on: 503' },
    ],
    [
      'an add-on that fails',
      { status: 500, headers: BY_ADDON },
      { ok: false, hop: 'upstream', status: 500, message: 'the add-on answers 500' },
    ],
  ]
  for (const protocol of ['HTTP/2', 'HTTP/1.1'] as const) {
    describe(`over ${protocol}`, () => {
      for (const [name, page, expected] of verdicts) {
        it(`reports ${name}: ${page.status}${page.headers === BY_ADDON ? ' of the add-on' : ''}`, async () => {
          const { port } = await serve(protocol, page)
          assert.deepEqual(withoutTime(await probe(port)), { ...expected, protocol })
        })
      }

      it('requests host and path at the address, with the host in SNI', async () => {
        const { port, asked, servernames } = await serve(protocol, { status: 200 })
        await probe(port, '/kiali/?a=b')
        assert.deepEqual(asked, [{ host: `${HOST}:${port}`, path: '/kiali/?a=b' }])
        assert.deepEqual(servernames, [HOST])
      })

      it('sends the given Authorization header, and no other', async () => {
        const { port, authorizations } = await serve(protocol, { status: 200 })
        const target = {
          host: HOST,
          address: '127.0.0.1',
          port,
          path: '/',
          authorityCertificate: authority.certificate,
        }
        await prober.probe(target)
        await prober.probe({ ...target, authorization: 'Basic abc' })
        assert.deepEqual(authorizations, [undefined, 'Basic abc'])
      })

      it('leaves no connection behind', async () => {
        const { port, open } = await serve(protocol, { status: 200 })
        await probe(port)
        while (open() > 0) await sleep(5) // a timeout of the test is its failure
      })
    })
  }

  it('stops at tcp when nothing listens', async () => {
    const closed = await serveSockets(() => {})
    await closed.close()
    assert.deepEqual(withoutTime(await probe(closed.port)), {
      ok: false,
      hop: 'tcp',
      message: `no connection to 127.0.0.1 port ${closed.port}: ECONNREFUSED`,
    })
  })

  const endings: [string, (end: { destroy(): unknown; resetAndDestroy(): unknown }) => unknown][] = [
    ['closes', (socket) => socket.destroy()],
    ['resets', (socket) => socket.resetAndDestroy()],
  ]
  for (const [name, end] of endings) {
    it(`stops at tls when the gateway ${name} the connection: it has no certificate for the host`, async () => {
      server = await serveSockets((socket) => socket.once('data', () => end(socket)))
      assert.deepEqual(withoutTime(await probe(server.port)), {
        ok: false,
        hop: 'tls',
        message: 'the gateway closed the connection: it serves no certificate for this host',
      })
    })
  }

  it('stops at tls when the server does not speak TLS', async () => {
    server = await serveSockets((socket) => socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')))
    const { ok, hop, message } = await probe(server.port)
    assert.deepEqual([ok, hop], [false, 'tls'])
    assert.equal(message, 'the gateway answers in plaintext, not with TLS')
  })

  it('stops at tls when another CA signed the certificate', async () => {
    const { port, asked } = await serve('HTTP/2', { status: 200 })
    const { ok, hop, message } = await probe(port, '/', await authorityOf('example.com', 2, { now }))
    assert.deepEqual([ok, hop], [false, 'tls'])
    assert.match(message ?? '', /unable to verify the first certificate/)
    assert.equal(asked.length, 0)
  })

  it('reports the served certificate, from any CA and for any host', async () => {
    const other = await issueLeaf(authority, ['kiali.example.com'], issuing(1, { now }))
    server = await servePage('HTTP/2', other, { status: 200 })
    const target = { host: 'grafana.example.com', address: '127.0.0.1', port: server.port }
    const { fingerprint256 } = new X509Certificate(other.certificate)
    assert.deepEqual(await new WebProber().servedCertificate(target), { fingerprint: fingerprint256 })
    assert.equal(server.asked.length, 0)
  })

  it('reports why no certificate is served', async () => {
    server = await serveSockets((socket) => socket.once('data', () => socket.destroy()))
    const target = { host: 'grafana.example.com', address: '127.0.0.1', port: server.port }
    assert.deepEqual(await new WebProber().servedCertificate(target), {
      message: 'the gateway closed the connection: it serves no certificate for this host',
    })
    const closed = { ...target, port: 1 }
    assert.deepEqual(await new WebProber().servedCertificate(closed), {
      message: 'no connection to 127.0.0.1 port 1: ECONNREFUSED',
    })
  })

  it('stops at tls when the certificate is for other hosts', async () => {
    const other = await issueLeaf(authority, ['kiali.example.com'], issuing(1, { now }))
    server = await servePage('HTTP/2', other, { status: 200 })
    const { hop, message } = await probe(server.port)
    assert.equal(hop, 'tls')
    assert.match(message ?? '', /grafana\.example\.com\. is not in the cert's altnames: DNS:kiali\.example\.com/)
  })

  it("resolves the gateway's host name", async () => {
    const { port } = await serve('HTTP/2', { status: 200 })
    const target = { host: HOST, address: 'localhost', port, path: '/', authorityCertificate: authority.certificate }
    assert.deepEqual(withoutTime(await prober.probe(target)), {
      ok: true,
      hop: 'upstream',
      status: 200,
      protocol: 'HTTP/2',
    })
  })

  it('stops at tcp when nothing listens at the resolved address', async () => {
    const { port, close } = await serveSockets(() => {})
    await close()
    const { hop, message } = await prober.probe({ ...AT_NAME, address: 'localhost', port })
    assert.deepEqual([hop, message], ['tcp', `no connection to localhost port ${port}: ECONNREFUSED`])
  })

  it('stops at dns when the host name does not resolve', async () => {
    const { ok, hop, message } = await prober.probe({ ...AT_NAME, address: 'lb.example.invalid', port: 443 })
    assert.deepEqual([ok, hop], [false, 'dns'])
    assert.match(message ?? '', /^lb\.example\.invalid does not resolve: (ENOTFOUND|EAI_AGAIN)$/)
  })

  describe('resolve', () => {
    it('returns the addresses of each name, in order', async () => {
      const [none, local] = await prober.resolve(['grafana.example.invalid', 'localhost'])
      assert.deepEqual(none?.addresses, [])
      assert.match(none?.failure ?? '', /^no-(such-name|dns)$/)
      assert.equal(local?.failure, undefined)
      assert.ok(local?.addresses.some((address) => ['127.0.0.1', '::1'].includes(address)))
    })

    it('does not interpret a name as an option', async () => {
      const [found] = await prober.resolve(['--eval=process.stdout.write("1")'])
      assert.deepEqual(found?.addresses, [])
    })
  })
})
