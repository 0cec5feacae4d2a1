/**
 * A proxy in front of the real API server that misbehaves on demand. It has the lab's admin credentials itself: a client certificate
 * cannot be handed on through TLS.
 */
import { writeFileSync } from 'node:fs'
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { createSecureServer, type Http2SecureServer } from 'node:http2'
import { Agent, request } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { clusterAuthority, type Pair, serverCertificate } from '../cluster/pki.ts'
import { kubeConfigWith, labCredentials } from './lab-credentials.ts'

export type Fault =
  /** An answer of the proxy's own: the API server never sees the request. */
  | { status: number; headers?: OutgoingHttpHeaders }
  /** The connection breaks before the request has reached the API server … */
  | 'cut before'
  /** … after it was carried out, before the answer … */
  | 'cut after'
  /** … in the middle of the answer. */
  | 'cut half-way'
  /** Carried out at once, answered after SLOW. */
  | 'slow'

/** Milliseconds. Tests give the client less patience than that. */
export const SLOW = 4_000

/** Faults after which the API server has done what it was asked for. */
export const CARRIED_OUT: readonly Fault[] = ['cut after', 'cut half-way', 'slow']

export interface Passing {
  method: string
  path: string
  /** A change that is to be kept: no dry run, no question. */
  write: boolean
  /** The how-many-eth write, or other request, this is; the same again when it is repeated. */
  nth: number
  /** From 1. */
  attempt: number
}

interface Answer {
  status: number
  headers: OutgoingHttpHeaders
  body: Buffer
}

export class FaultyApiServer {
  /** What becomes of a request; it may wait before it says so. */
  fault: (passing: Passing) => Fault | undefined | Promise<Fault | undefined> = () => undefined
  /** Faults that were injected so far. */
  injected = 0
  readonly #real = labCredentials()
  readonly #authority: string
  readonly #agent: Agent
  readonly #server: Http2SecureServer
  readonly #sockets = new Set<Socket>()
  readonly #seen = new Map<string, Passing>()

  static async start(): Promise<FaultyApiServer> {
    const authority = await clusterAuthority()
    const server = new FaultyApiServer(await serverCertificate(authority), authority.certificate)
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve))
    return server
  }

  private constructor({ certificate, key }: Pair, authority: string) {
    this.#authority = authority
    const { ca, cert, key: clientKey } = this.#real
    this.#agent = new Agent({ keepAlive: true, ca, cert, key: clientKey })
    this.#server = createSecureServer({ cert: certificate, key, allowHTTP1: true }, (request, response) => {
      const [asked, answer] = [request as unknown as IncomingMessage, response as unknown as ServerResponse]
      this.#handle(asked, answer).catch(() => this.#cut())
    })
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket)
      socket.on('error', () => {}).once('close', () => this.#sockets.delete(socket))
    })
    this.#server.on('sessionError', () => {}) // cuts are ours
  }

  /** Behaves again, and counts from the beginning. */
  reset(fault: FaultyApiServer['fault'] = () => undefined): void {
    this.fault = fault
    this.injected = 0
    this.#seen.clear()
  }

  /** The lab's kubeconfig, with the proxy for its API server. */
  writeKubeConfig(path: string): void {
    const { port } = this.#server.address() as AddressInfo
    const cluster = {
      server: `https://127.0.0.1:${port}`,
      'certificate-authority-data': Buffer.from(this.#authority).toString('base64'),
    }
    writeFileSync(path, kubeConfigWith({ cluster }))
  }

  close(): void {
    this.#cut()
    this.#server.close()
    this.#agent.destroy()
  }

  async #handle(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
    let gone = false
    answer.once('close', () => {
      gone = true
    })
    const body = await buffer(asked)
    const fault = await this.fault(this.#note(asked))
    if (fault !== undefined) this.injected++
    if (fault === 'cut before') return this.#cut()
    if (typeof fault === 'object') return respond(answer, refusal(fault))
    const real = await this.#carryOut(asked, body)
    if (fault === 'cut after') return this.#cut()
    if (fault === 'cut half-way') return this.#cutHalfWay(answer, real)
    if (fault === 'slow') await sleep(SLOW)
    if (!gone) respond(answer, real)
  }

  #note({ method = '', url = '' }: IncomingMessage): Passing {
    const { pathname, searchParams } = new URL(url, 'https://proxy')
    const earlier = this.#seen.get(`${method} ${url}`)
    const write = (method === 'PATCH' && !searchParams.has('dryRun')) || method === 'DELETE'
    const others = [...this.#seen.values()].filter((passing) => passing.write === write)
    const passing = {
      method,
      path: pathname,
      write,
      nth: earlier?.nth ?? others.length + 1,
      attempt: (earlier?.attempt ?? 0) + 1,
    }
    this.#seen.set(`${method} ${url}`, passing)
    return passing
  }

  #carryOut({ method = '', url, headers }: IncomingMessage, body: Buffer): Promise<Answer> {
    const { server } = this.#real
    const { accept, 'content-type': type } = headers
    return new Promise((resolve, reject) => {
      const wanted = { accept, ...(type && { 'content-type': type }), 'content-length': body.length }
      request(`${server}${url}`, { method, agent: this.#agent, headers: wanted }, (got) => {
        const { 'content-type': type, 'retry-after': after } = got.headers
        const answered = { 'content-type': type, ...(after && { 'retry-after': after }) }
        buffer(got).then((body) => resolve({ status: got.statusCode ?? 0, headers: answered, body }), reject)
      })
        .on('error', reject)
        .end(body)
    })
  }

  #cutHalfWay(answer: ServerResponse, { status, headers, body }: Answer): void {
    answer.writeHead(status, { ...headers, 'content-length': body.length })
    answer.write(body.subarray(0, body.length / 2), () => setTimeout(() => this.#cut(), 20))
  }

  #cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }
}

function respond(answer: ServerResponse, { status, headers, body }: Answer): void {
  answer.writeHead(status, { ...headers, 'content-length': body.length })
  answer.end(body)
}

/** As an API server puts it. */
function refusal({ status, headers = {} }: { status: number; headers?: OutgoingHttpHeaders }): Answer {
  const message = `injected ${status}`
  const body = Buffer.from(
    JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', message, code: status }),
  )
  return { status, headers: { 'content-type': 'application/json', ...headers }, body }
}
