import assert from 'node:assert/strict'
import { constants, type Http2Session, type ServerHttp2Stream } from 'node:http2'
import { afterEach, before, describe, it } from 'mocha'
import { type Authority, issueLeaf, type KeyPair } from '../../src/certificates/authority.ts'
import { WebProber } from '../../src/probing/web-prober.ts'
import { authorityOf, issuing } from '../certificates/issuing.ts'
import { type PageServer, serveHttp1, serveStreams } from './page-server.ts'

const HOST = 'grafana.example.com'
const NO_ANSWER = 'the gateway closed the connection without an answer'

describe('WebProber when the gateway ends the connection without an answer', () => {
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

  /** Milliseconds, much less than the prober's own timeout of 15 s. */
  const probeAt = async (port: number) => {
    const started = performance.now()
    const { ok, hop, message } = await new WebProber().probe({
      host: HOST,
      address: '127.0.0.1',
      port,
      path: '/',
      authorityCertificate: authority.certificate,
    })
    assert.ok(performance.now() - started < 5_000, `took ${performance.now() - started} ms`)
    return { ok, hop, message }
  }

  const endings: [string, (stream: ServerHttp2Stream, session: Http2Session | undefined) => void][] = [
    ['resets the stream without an error', (stream) => stream.close(constants.NGHTTP2_NO_ERROR)],
    ['cancels the stream', (stream) => stream.close(constants.NGHTTP2_CANCEL)],
    ['drops the session', (_, session) => session?.destroy()],
    ['drops the connection', (_, session) => session?.socket.destroy()],
    ['sends GOAWAY and nothing more', (_, session) => session?.goaway()],
    [
      'says that it goes away and knows of no request',
      (_, session) => {
        session?.goaway(constants.NGHTTP2_NO_ERROR, 0)
        session?.destroy()
      },
    ],
  ]
  for (const [name, end] of endings) {
    it(`reports at once over HTTP/2 that it ${name}`, async () => {
      server = await serveStreams(leaf, (stream) => end(stream, stream.session))
      assert.deepEqual(await probeAt(server.port), { ok: false, hop: 'upstream', message: NO_ANSWER })
    })
  }

  it('reports the message of a stream error', async () => {
    server = await serveStreams(leaf, (stream) => stream.close(constants.NGHTTP2_INTERNAL_ERROR))
    const { ok, hop, message } = await probeAt(server.port)
    assert.deepEqual([ok, hop], [false, 'upstream'])
    assert.match(message ?? '', /NGHTTP2_INTERNAL_ERROR/)
  })

  it('reports it at once over HTTP/1.1', async () => {
    server = await serveHttp1(leaf, (request) => request.socket.destroy())
    const { ok, hop, message } = await probeAt(server.port)
    assert.deepEqual([ok, hop], [false, 'upstream'])
    assert.match(message ?? '', /socket hang up|ECONNRESET/)
  })

  it('accepts an answer before the end', async () => {
    server = await serveStreams(leaf, (stream) => {
      stream.respond({ ':status': 200 })
      stream.end('page', () => stream.session?.goaway())
    })
    assert.deepEqual(await probeAt(server.port), { ok: true, hop: 'upstream', message: undefined })
  })

  const broken: [string, (stream: ServerHttp2Stream) => void][] = [
    ['does not end', () => {}],
    ['breaks', (stream) => stream.close(constants.NGHTTP2_INTERNAL_ERROR)],
    ['ends with its connection', (stream) => stream.session?.destroy()],
  ]
  for (const [what, end] of broken)
    it(`accepts an answer whose body ${what}`, async () => {
      server = await serveStreams(leaf, (stream) => {
        stream.respond({ ':status': 503 })
        stream.write('no more than', () => end(stream))
      })
      const { ok, hop, message } = await probeAt(server.port)
      assert.deepEqual([ok, hop, message], [false, 'upstream', 'the gateway cannot reach the add-on: 503'])
    })
})
