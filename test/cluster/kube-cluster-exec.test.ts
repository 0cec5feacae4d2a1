/** Programs in containers: a real server that upgrades to WebSocket or SPDY, or to neither. */
import assert from 'node:assert/strict'
import type { Duplex } from 'node:stream'
import { after, before, describe, it } from 'mocha'
import type { ProgramEnd } from '../../src/cluster/cluster.ts'
import { execInside } from '../../src/forwarding/tunnel/exec-inside.ts'
import { frame, inflated, kubeletFrame } from '../fakes/fake-kubelet.ts'
import { FakeTimers } from '../fakes/fake-timers.ts'
import { ApiServer, type Asked } from './api-server.ts'
import { Clients } from './clients.ts'

const POD = { namespace: 'foo', name: 'sleep-1' }
const SUCCESS = '{"metadata":{},"status":"Success"}'

/** What a server does with an upgrade. */
type Upgrade = (asked: Asked, socket: Duplex) => void

const refuse: Upgrade = (_asked, socket) =>
  void socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n')

function isWebSocket({ headers }: Asked): boolean {
  return headers.upgrade?.[0]?.toLowerCase() === 'websocket'
}

/** Speaks one version of the WebSocket protocol, or none at all. */
const webSocket =
  (version?: string): Upgrade =>
  (asked, socket) => {
    if (!isWebSocket(asked)) return refuse(asked, socket)
    const chosen = version === undefined ? '' : `sec-websocket-protocol: ${version}\r\n`
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n${chosen}\r\n`)
    const message = (channel: number, text: string) => frame(2, Buffer.from([channel, ...Buffer.from(text)]))
    socket.end(
      Buffer.concat([
        message(1, ''),
        message(1, 'out'),
        message(2, 'err'),
        message(3, SUCCESS),
        frame(8, Buffer.from([3, 232])),
      ]),
    )
  }

/** Speaks SPDY, and begins when all streams are open. @param version `undefined`: does not say which */
const spdy =
  (version: string | undefined, opened: Record<string, string>[] = []): Upgrade =>
  (asked, socket) => {
    if (isWebSocket(asked)) return refuse(asked, socket)
    const chosen = version === undefined ? '' : `x-stream-protocol-version: ${version}\r\n`
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nupgrade: SPDY/3.1\r\nconnection: upgrade\r\n${chosen}\r\n`)
    socket.once('data', (bytes: Buffer) => {
      opened.push(...streamsIn(bytes))
      const { data, reset, goaway } = kubeletFrame
      socket.end(
        Buffer.concat([data(3, 'out'), data(5, 'err'), data(3, '', true), data(1, SUCCESS), reset(1), goaway()]),
      )
    })
  }

/** Headers of the streams that the client opens. */
function streamsIn(bytes: Buffer): Record<string, string>[] {
  const found: Record<string, string>[] = []
  let [blocks, total] = [Buffer.alloc(0), 0]
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUIntBE(at + 5, 3)
    blocks = Buffer.concat([blocks, bytes.subarray(at + 18, at + 8 + length)])
    const next = inflated(blocks, total)
    total = next.total
    found.push({ id: String(bytes.readUInt32BE(at + 8)), ...next.pairs })
    at += 8 + length
  }
  return found
}

describe('a program in a container', () => {
  let clients: Clients
  const servers: ApiServer[] = []

  before(async () => {
    clients = await Clients.create()
  })

  after(async () => {
    await clients.close()
    await Promise.all(servers.map((server) => server.close()))
  })

  async function started(upgrade: Upgrade): Promise<ApiServer> {
    const server = await ApiServer.start({ upgrade })
    server.answer = () => ({ status: 403, body: { kind: 'Status', code: 403, message: 'no right: pods/exec' } })
    servers.push(server)
    return server
  }

  async function run(server: ApiServer): Promise<ProgramEnd> {
    const cluster = await clients.cluster(server)
    const program = { pod: POD, container: 'app', argv: ['wget', '-O', 'a b&c'], timeout: 1_000 }
    return execInside(program, { cluster, timers: new FakeTimers() })
  }

  const ended = { exitCode: 0, stdout: 'out', stderr: 'err', cut: { stdout: false, stderr: false } }

  for (const version of ['v5.channel.k8s.io', 'v4.channel.k8s.io'])
    it(`runs over WebSocket, ${version}`, async () => {
      const server = await started(webSocket(version))
      assert.deepEqual(await run(server), ended)
      const [{ method, path, headers } = assert.fail()] = server.asked
      assert.deepEqual([method, path], ['GET', '/api/v1/namespaces/foo/pods/sleep-1/exec'])
      assert.deepEqual(headers['sec-websocket-protocol'], ['v5.channel.k8s.io, v4.channel.k8s.io'])
    })

  it('sends each word as an argument of its own, and no stdin', async () => {
    const server = await started(webSocket('v4.channel.k8s.io'))
    const cluster = await clients.cluster(server)
    await cluster.exec(POD, { container: 'app', argv: ['wget', '-O', 'a b&c=d'] })
    const [{ query, url } = assert.fail()] = server.asked
    assert.equal(
      url,
      '/api/v1/namespaces/foo/pods/sleep-1/exec?container=app&command=wget&command=-O&command=a+b%26c%3Dd&stdout=true&stderr=true',
    )
    assert.equal(query.stdin, undefined)
  })

  it('runs over SPDY where WebSocket is refused', async () => {
    const opened: Record<string, string>[] = []
    const server = await started(spdy('v4.channel.k8s.io', opened))
    assert.deepEqual(await run(server), ended)
    assert.deepEqual(opened, [
      { id: '1', streamtype: 'error' },
      { id: '3', streamtype: 'stdout' },
      { id: '5', streamtype: 'stderr' },
    ])
    assert.deepEqual(
      server.asked.map(({ method }) => method),
      ['GET', 'POST'],
    )
  })

  it('begins with the protocol that has worked', async () => {
    const server = await started(spdy('v4.channel.k8s.io'))
    const cluster = await clients.cluster(server)
    for (let nth = 0; nth < 2; nth++) await cluster.exec(POD, { container: 'app', argv: ['true'] })
    assert.deepEqual(
      server.asked.map(({ method }) => method),
      ['GET', 'POST', 'POST'],
    )
  })

  it('does not believe a server that switches without a known version: it would not say how the program ended', async () => {
    const server = await started((asked, socket) =>
      isWebSocket(asked) ? webSocket()(asked, socket) : spdy(undefined)(asked, socket),
    )
    await assert.rejects(run(server), { code: 'FORBIDDEN' })
  })

  it('names pods/exec without the right', async () => {
    const server = await started(refuse)
    await assert.rejects(run(server), {
      code: 'FORBIDDEN',
      message: 'not allowed to run wget in pod/sleep-1 in namespace foo (pods/exec): no right: pods/exec',
    })
    assert.deepEqual(
      server.asked.map(({ method }) => method),
      ['GET', 'POST', 'POST'],
    )
  })

  it('says that there is no such pod', async () => {
    const server = await started(refuse)
    server.answer = () => ({ status: 404, body: { kind: 'Status', code: 404, message: 'pods "sleep-1" not found' } })
    await assert.rejects(run(server), { code: 'NOT_FOUND' })
  })

  it('says that the API server cannot be reached', async () => {
    const server = await started((_asked, socket) => void socket.destroy())
    await assert.rejects(run(server), { code: 'CLUSTER_UNREACHABLE' })
  })
})
