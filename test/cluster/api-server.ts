/** A real HTTPS server on loopback that plays the API server. It records requests, and fails on demand. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createSecureServer, type Http2SecureServer, Http2ServerRequest, type Http2ServerResponse } from 'node:http2'
import { createServer, type Server } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { clusterAuthority, type Pair, serverCertificate } from './pki.ts'

export interface Asked {
  method: string
  path: string
  /** With its query, unchanged. */
  url: string
  query: Record<string, string>
  /** Unchanged, with every value of a repeated name. */
  headers: Record<string, string[]>
  /** The parsed body, if there was one. */
  body: unknown
  httpVersion: string
  /** The common name of the client certificate, if there was one. */
  clientName: string | undefined
}

export type Answer =
  | { status: number; body?: unknown; headers?: Record<string, string> }
  /** When the connection breaks: before the answer or in the middle of its body. */
  | 'reset'
  | 'half'
  | 'silence'

export type Behaviour = (asked: Asked, nth: number) => Answer | Promise<Answer>

export interface ApiServerSettings {
  /** Whether it also supports HTTP/2, like every API server. */
  http2?: boolean
  certificate?: Pair
  /** The server's end of each upgraded connection; without it the server does not upgrade. */
  upgrade?: (asked: Asked, socket: Duplex) => void
}

/** Made once, because signing is slow. */
let usual: Promise<{ authority: Pair; certificate: Pair }> | undefined

export class ApiServer {
  readonly asked: Asked[] = []
  /** Bodies of the requests, unchanged. */
  readonly texts: string[] = []
  /** TLS connections so far. */
  connections = 0
  readonly authority: Pair
  answer: Behaviour = () => ({ status: 200, body: {} })
  readonly #server: Server | Http2SecureServer
  readonly #sockets = new Set<Socket>()

  static async start(settings: ApiServerSettings = {}): Promise<ApiServer> {
    usual ??= clusterAuthority().then(async (authority) => ({
      authority,
      certificate: await serverCertificate(authority),
    }))
    const { authority, certificate } = await usual
    const server = new ApiServer(authority, { certificate, ...settings })
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve))
    return server
  }

  private constructor(authority: Pair, settings: ApiServerSettings & { certificate: Pair }) {
    this.authority = authority
    const { certificate: pair, http2 = true, upgrade } = settings
    const tls = { cert: pair.certificate, key: pair.key, requestCert: true, rejectUnauthorized: false }
    const handle = (request: IncomingMessage | Http2ServerRequest, response: ServerResponse | Http2ServerResponse) =>
      void this.#handle(request, response as ServerResponse) // what is used of it, both have
    this.#server = http2 ? createSecureServer({ ...tls, allowHTTP1: true }, handle) : createServer(tls, handle)
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket)
      socket.on('error', () => {}) // resets are ours
      socket.once('close', () => this.#sockets.delete(socket))
    })
    this.#server.on('secureConnection', () => {
      this.connections++
    })
    if (upgrade !== undefined)
      this.#server.on('upgrade', (request: IncomingMessage, socket: Duplex) => {
        const asked = describe(request, '')
        this.asked.push(asked)
        socket.on('error', () => {})
        upgrade(asked, socket)
      })
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get url(): string {
    return `https://127.0.0.1:${this.port}`
  }

  /** How many connections are open. */
  get open(): number {
    return this.#sockets.size
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #handle(request: IncomingMessage | Http2ServerRequest, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer)
    } catch {
      return // the client gave up
    }
    const text = Buffer.concat(chunks).toString()
    this.texts.push(text)
    const asked = describe(request, text)
    this.asked.push(asked)
    const answer = await this.answer(asked, this.asked.length)
    if (answer === 'silence') return
    if (answer === 'reset') return this.#reset()
    const { status, body = {}, headers = {} } = answer === 'half' ? { status: 200 } : answer
    const said = typeof body === 'string' ? body : JSON.stringify(body)
    if (answer === 'half') {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' })
      response.write('{"kind":', () => setTimeout(() => this.#reset(), 20))
      return
    }
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(said)
  }

  #reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }
}

function describe(request: IncomingMessage | Http2ServerRequest, text: string): Asked {
  const url = new URL(request.url ?? '', 'https://server')
  const socket = (request instanceof Http2ServerRequest ? request.stream.session?.socket : request.socket) as TLSSocket
  return {
    method: request.method ?? '',
    path: url.pathname,
    url: request.url ?? '',
    query: Object.fromEntries(url.searchParams),
    headers: headersOf(request.rawHeaders),
    body: text === '' ? undefined : JSON.parse(text),
    httpVersion: request.httpVersion,
    clientName: socket.getPeerCertificate().subject?.CN?.toString(),
  }
}

function headersOf(raw: string[]): Record<string, string[]> {
  const headers: Record<string, string[]> = {}
  for (let at = 0; at < raw.length; at += 2) {
    const name = (raw[at] ?? '').toLowerCase()
    headers[name] = [...(headers[name] ?? []), raw[at + 1] ?? '']
  }
  return headers
}
