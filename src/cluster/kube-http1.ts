/**
 * HTTP/1.1 with Node's own client, to one API server: for upgrades, and for commands with few requests. It loads in a third of the time of
 * undici with HTTP/2, and needs 9 MiB less (docs/decisions/0015-start-up.md).
 */
import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http'
import { connect, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { AnswerTimeout } from './kube-errors.ts'
import type { Switched, Transport, TransportRequest } from './kube-transport.ts'

/** Milliseconds between keep-alive packets. NATs and proxies forget connections that are silent for half a minute. */
const KEEP_ALIVE = 20_000
const FRESH = 5_000

type Sent<Method extends 'request' | 'upgrade'> = Parameters<Transport[Method]>[0]

export class Http1Transport implements Transport {
  readonly #url: URL
  readonly #tls: object
  readonly #connectTimeout: number
  readonly #fresh: number
  #agent: Agent | undefined
  readonly #asking = new Set<ClientRequest>()
  readonly #opening = new Set<Socket>()
  /** Connections that were opened before the first request. */
  readonly #early: Socket[] = []
  /** Lets later connections resume the TLS session (RFC 8446, section 2.2). */
  #session: Buffer | undefined

  /**
   * @param server the API server's URL
   * @param tls options of tls.connect
   * @param connectTimeout milliseconds
   * @param fresh milliseconds for which an unused connection counts as working
   */
  constructor(server: string, tls: object, connectTimeout: number, fresh = FRESH) {
    this.#url = new URL(server)
    this.#tls = tls
    this.#connectTimeout = connectTimeout
    this.#fresh = fresh
  }

  /** Opens connections for the next requests and upgrades. */
  expect(connections: number): void {
    while (this.#early.length < connections) {
      const socket = this.#connect()
      this.#early.push(socket)
      socket.setTimeout(this.#fresh, () => this.#early.includes(socket) && socket.destroy())
    }
  }

  request({ body, signal, headersTimeout, bodyTimeout, ...sent }: Sent<'request'>): ReturnType<Transport['request']> {
    return new Promise((resolve, reject) => {
      const asking = request({ ...this.#to(sent), ...(signal && { signal }) })
      this.#asking.add(asking)
      asking.on('error', reject).once('close', () => this.#asking.delete(asking))
      asking.setTimeout(headersTimeout, () => asking.destroy(new AnswerTimeout()))
      asking.once('response', (response) => {
        // Destroying the request would lose the reason.
        asking.removeAllListeners('timeout').on('timeout', () => response.destroy(new AnswerTimeout()))
        response.socket.setTimeout(bodyTimeout)
        const { statusCode = 0, headers } = response
        resolve({ statusCode, headers, body: Object.assign(response, { text: () => textOf(response) }) })
      })
      asking.end(body ?? undefined)
    })
  }

  upgrade({ protocol, signal, ...sent }: Sent<'upgrade'>): Promise<Switched> {
    const asking = request(
      this.#to({ ...sent, headers: { ...sent.headers, connection: 'Upgrade', upgrade: protocol } }),
    )
    // Not Node's own `signal`, which would also end the upgraded connection.
    const giveUp = () => asking.destroy(signal.reason as Error)
    signal.addEventListener('abort', giveUp)
    return upgraded(asking).finally(() => signal.removeEventListener('abort', giveUp))
  }

  async close(): Promise<void> {
    for (const socket of this.#early.splice(0)) socket.destroy()
    if (this.#agent === undefined) return
    this.#agent.maxFreeSockets = 0
    for (const socket of Object.values(this.#agent.freeSockets).flat()) socket?.destroy()
  }

  async leave(): Promise<void> {
    for (const asking of this.#asking) asking.destroy()
    await this.close()
  }

  async destroy(): Promise<void> {
    await this.close()
    this.#agent?.destroy()
    for (const socket of this.#opening) socket.destroy()
  }

  get #isSecure(): boolean {
    return this.#url.protocol === 'https:'
  }

  get #host(): { host: string; port: number; defaultPort: number } {
    const defaultPort = this.#isSecure ? 443 : 80
    return {
      host: this.#url.hostname.replace(/^\[|\]$/g, ''),
      port: Number(this.#url.port) || defaultPort,
      defaultPort,
    }
  }

  #to({ method, path, headers }: Omit<TransportRequest, 'origin'>): object {
    this.#agent ??= this.#newAgent()
    return { ...this.#host, method, path, headers, agent: this.#agent }
  }

  #newAgent(): Agent {
    // Its timeout closes unused connections.
    const agent = new Agent({ keepAlive: true, timeout: this.#fresh })
    agent.createConnection = () => this.#takeEarly() ?? this.#connect()
    return agent
  }

  #takeEarly(): Socket | undefined {
    const early = this.#early.shift()
    return early?.destroyed || early?.readableEnded ? this.#takeEarly() : early
  }

  #connect(): Socket {
    const socket = this.#isSecure ? this.#connectSecurely() : connect(this.#host)
    const seconds = this.#connectTimeout / 1_000
    const late = setTimeout(() => socket.destroy(new Error(`no connection in ${seconds} s`)), this.#connectTimeout)
    this.#opening.add(socket)
    const end = () => {
      clearTimeout(late)
      this.#opening.delete(socket)
    }
    socket.once(this.#isSecure ? 'secureConnect' : 'connect', end).once('close', end)
    // Its user gets the error too; a connection without a user would throw it.
    socket.on('error', () => {})
    return socket.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE)
  }

  #connectSecurely(): Socket {
    const { host, port } = this.#host
    const resumed = this.#session === undefined ? {} : { session: this.#session }
    // RFC 6066, section 3: an address is not a server name.
    const servername = isIP(host) === 0 ? host : ''
    const socket = connectTls({ host, port, servername, ALPNProtocols: ['http/1.1'], ...resumed, ...this.#tls })
    return socket.on('session', (session) => {
      this.#session = session
    })
  }
}

function upgraded(asking: ClientRequest): Promise<Switched> {
  return new Promise((resolve, reject) => {
    asking.on('error', reject)
    asking.once('response', () => {
      reject(new Error('bad upgrade'))
      asking.destroy()
    })
    asking.once('upgrade', ({ headers }, socket, head) => {
      if (head.length > 0) socket.unshift(head)
      socket.setTimeout(0)
      resolve({ socket, headers })
    })
    asking.end()
  })
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = ''
  for await (const part of response.setEncoding('utf8')) text += part
  return text
}
