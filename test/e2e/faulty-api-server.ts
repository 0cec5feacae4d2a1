/**
 * A proxy in front of the real API server that injects faults. It uses the lab's admin credentials, because a proxy cannot pass on a
 * client certificate.
 */
import { writeFileSync } from 'node:fs'
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { createSecureServer, type Http2SecureServer, type ServerHttp2Session } from 'node:http2'
import { Agent, request } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { clusterAuthority, type Pair, serverCertificate } from '../cluster/pki.ts'
import { kubeConfigWith, labCredentials } from './lab-credentials.ts'

export type Fault =
  /** The proxy answers; the API server never gets the request. */
  | { status: number; headers?: OutgoingHttpHeaders }
  /** The connection breaks before the request reaches the API server. */
  | 'cut before'
  /** The API server executes the request; the connection breaks before the answer. */
  | 'cut after'
  /** The API server executes the request; the connection breaks in the middle of the answer. */
  | 'cut half-way'
  /** The API server executes the request at once; the answer comes after SLOW. */
  | 'slow'

/** Milliseconds; longer than the request timeout that the tests set. */
export const SLOW = 4_000

/** All that end before the request is repeated. */
export const PASSING: readonly Fault[] = [
  { status: 429, headers: { 'retry-after': '1' } },
  { status: 500 },
  { status: 503 },
  'cut before',
  'cut after',
  'cut half-way',
]

/** Faults of requests that the API server has executed. */
export const EXECUTED: readonly Fault[] = ['cut after', 'cut half-way', 'slow']

export interface ProxiedRequest {
  method: string
  path: string
  /** A change that is not a dry run. */
  write: boolean
  /** Number among the writes, or among the other requests, from 1. A repeated request keeps its number. */
  nth: number
  /** Number of the attempt, from 1. */
  attempt: number
}

interface Answer {
  status: number
  headers: OutgoingHttpHeaders
  body: Buffer
}

export class FaultyApiServer {
  /** Chooses the fault of a request; a promise delays the request. */
  fault: (passing: ProxiedRequest) => Fault | undefined | Promise<Fault | undefined> = () => undefined
  /** Called after each request that the API server has executed; the answer waits for the promise. */
  afterExecution: (passing: ProxiedRequest) => Promise<void> = async () => {}
  /** Faults that were injected so far. */
  injected = 0
  readonly #real = labCredentials()
  readonly #authority: string
  readonly #agent: Agent
  readonly #server: Http2SecureServer
  readonly #sockets = new Set<Socket>()
  readonly #sessions = new Set<ServerHttp2Session>()
  #isOpen = true
  readonly #seen = new Map<string, ProxiedRequest>()

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
    this.#server.on('session', (session: ServerHttp2Session) => {
      this.#sessions.add(session)
      session.once('close', () => this.#sessions.delete(session))
    })
    this.#server.on('sessionError', () => {}) // caused by #cut
  }

  /** Sets another fault, by default none, and restarts the counts. */
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

  /** Nothing of it keeps the process alive afterwards, whatever is under way. */
  close(): void {
    this.#isOpen = false
    this.#cut()
    for (const session of this.#sessions) session.destroy()
    this.#server.close()
    this.#agent.destroy()
  }

  async #handle(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
    let gone = false
    answer.once('close', () => {
      gone = true
    })
    const body = await buffer(asked)
    if (!this.#isOpen) return
    const passing = this.#note(asked, body)
    const fault = await this.fault(passing)
    if (fault !== undefined) this.injected++
    if (fault === 'cut before') return this.#cut()
    if (typeof fault === 'object') return respond(answer, refusal(fault))
    const real = await this.#execute(asked, body)
    if (real.status < 400) await this.afterExecution(passing)
    if (fault === 'cut after') return this.#cut()
    if (fault === 'cut half-way') return this.#cutHalfWay(answer, real)
    if (fault === 'slow') await sleep(SLOW)
    if (!gone) respond(answer, real)
  }

  #note({ method = '', url = '' }: IncomingMessage, body: Buffer): ProxiedRequest {
    const { pathname, searchParams } = new URL(url, 'https://proxy')
    const earlier = this.#seen.get(`${method} ${url}`)
    // A delete has the flag in its body.
    const isRehearsal = searchParams.has('dryRun') || (method === 'DELETE' && body.includes('"dryRun"'))
    const write = ['PATCH', 'PUT', 'DELETE'].includes(method) && !isRehearsal
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

  #execute({ method = '', url, headers }: IncomingMessage, body: Buffer): Promise<Answer> {
    const { server } = this.#real
    const { accept, 'content-type': type } = headers
    return new Promise((resolve, reject) => {
      const wanted = { ...(accept && { accept }), ...(type && { 'content-type': type }), 'content-length': body.length }
      request(`${server}${url}`, { method, agent: this.#agent, headers: wanted }, (got) => {
        const { 'content-type': type, 'retry-after': after } = got.headers
        const answered = { ...(type && { 'content-type': type }), ...(after && { 'retry-after': after }) }
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

/** An error in the format of the API server. */
function refusal({ status, headers = {} }: { status: number; headers?: OutgoingHttpHeaders }): Answer {
  const message = `injected ${status}`
  const body = Buffer.from(
    JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', message, code: status }),
  )
  return { status, headers: { 'content-type': 'application/json', ...headers }, body }
}
