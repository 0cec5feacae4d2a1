/** Gateways on loopback: real TLS servers that answer like Envoy, or break off where a test wants it. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  createSecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Stream,
} from 'node:http2'
import { createServer as createHttps } from 'node:https'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import type { KeyPair } from '../../src/certificates/authority.ts'

export type Protocol = 'HTTP/2' | 'HTTP/1.1'

export interface Page {
  status: number
  headers?: Record<string, string>
  body?: string
}

export interface PageServer {
  port: number
  /** The requests of clients. */
  asked: { host: string; path: string }[]
  /** The server names of TLS handshakes. */
  servernames: string[]
  /** The Authorization headers of requests. */
  authorizations: (string | undefined)[]
  /** How many connections are open. */
  open(): number
  close(): Promise<void>
}

export async function servePage(protocol: Protocol, { certificate, key }: KeyPair, page: Page): Promise<PageServer> {
  const asked: PageServer['asked'] = []
  const authorizations: PageServer['authorizations'] = []
  const handle = (request: IncomingMessage | Http2ServerRequest, response: ServerResponse | Http2ServerResponse) => {
    const host = 'authority' in request ? request.authority : (request.headers.host ?? '')
    asked.push({ host, path: request.url ?? '' })
    authorizations.push(request.headers.authorization)
    const answer = response as ServerResponse // what is used of it, both have
    answer.writeHead(page.status, page.headers ?? {})
    answer.end(page.body ?? 'page')
  }
  const tls = { cert: certificate, key }
  const server = protocol === 'HTTP/2' ? createSecureServer(tls, handle) : createHttps(tls, handle)
  server.on('tlsClientError', () => {}) // the prober says why
  const servernames: string[] = []
  server.on('secureConnection', ({ servername }: { servername: string }) => servernames.push(servername))
  return listening(server, { asked, servernames, authorizations })
}

/** A gateway with HTTP/2 that handles each request with a function. */
export function serveStreams(leaf: KeyPair, handle: (stream: ServerHttp2Stream) => void): Promise<PageServer> {
  const server = createSecureServer({ cert: leaf.certificate, key: leaf.key })
  server.on('stream', (stream) => {
    stream.on('error', () => {}) // endings are ours
    handle(stream)
  })
  server.on('sessionError', () => {})
  return listening(server, UNSEEN)
}

/** A gateway with HTTP/1.1. */
export function serveHttp1(leaf: KeyPair, handle: (request: IncomingMessage) => void): Promise<PageServer> {
  return listening(createHttps({ cert: leaf.certificate, key: leaf.key }, handle), UNSEEN)
}

/** A TCP server. */
export function serveSockets(handle: (socket: Socket) => void): Promise<PageServer> {
  return listening(createServer(handle), UNSEEN)
}

const UNSEEN = { asked: [], servernames: [], authorizations: [] }

async function listening(
  server: Server,
  seen: Pick<PageServer, 'asked' | 'servernames' | 'authorizations'>,
): Promise<PageServer> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {}) // resets are ours
    socket.once('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    ...seen,
    open: () => sockets.size,
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
