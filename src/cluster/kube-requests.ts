/**
 * HTTP to one API server over ONE connection. client-node's generated clients open a TLS connection per call (measured, docs/decisions/0002);
 * of it we use the kubeconfig and its ways to authenticate.
 */
import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { KubeConfig } from '@kubernetes/client-node'
import { type Dispatcher, request, upgrade } from 'undici'
import { UserError } from '../errors.ts'
import {
  type Connection,
  type ConnectionOptions,
  dispatcherFor,
  openConnection,
  sharedDispatcher,
} from './kube-connection.ts'
import { networkError, notKubernetes, type Peer, parseStatus, type Status, statusError } from './kube-errors.ts'
import { linesOf } from './kube-lines.ts'

export interface KubeRequestsOptions extends ConnectionOptions {
  /** Waits before a failed request is tried again, in milliseconds. */
  pauses?: readonly number[]
  /** Told of every request (-v). */
  trace?: ((line: string) => void) | undefined
}

export interface KubeRequest {
  method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE'
  path: string
  query?: Record<string, string | undefined>
  body?: unknown
  contentType?: string
  accept?: string
  /** `read list of pods`: what failed, in the words of an error. */
  what: string
}

export interface UpgradeRequest extends KubeRequest {
  protocol: 'websocket' | 'SPDY/3.1'
  headers: Record<string, string>
}

type Outcome<T> = { value: T } | { status?: Status; error?: unknown; retry: boolean; retryAfter?: number }

/** All of our requests may be repeated: reads, server-side apply, delete by uid. */
const PAUSES = [200, 800, 2_000]
/** An answer that does not end says something more often than this (bookmarks of a watch). */
const SILENCE = 150_000
/** Milliseconds for which a connection is taken for one that works. */
const NEW = 1_000
/** A server that asks for more patience than this is not waited for. */
const LONGEST_PAUSE = 10_000
/** The connection broke in the middle; anything else (refused, not trusted, not found) will not be better in a second. */
const BROKEN = new Set([
  'ECONNRESET',
  'EPIPE',
  'UND_ERR_SOCKET',
  'ERR_HTTP2_STREAM_ERROR',
  'ERR_HTTP2_SESSION_ERROR',
  'ERR_HTTP2_GOAWAY_SESSION',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
])

export class KubeRequests {
  readonly #config: KubeConfig
  readonly #options: KubeRequestsOptions
  #connection: Promise<Connection> | undefined
  #reconnected = Number.NEGATIVE_INFINITY
  #upgrades: Dispatcher | undefined
  readonly #opening = new Set<Socket>()
  /** Whether the credentials have been accepted: then a refusal means that they have been replaced since. */
  #accepted = false

  constructor(config: KubeConfig, options: KubeRequestsOptions) {
    this.#config = config
    this.#options = { ...options, opening: this.#opening }
  }

  get server(): string {
    return this.#config.getCurrentCluster()?.server ?? ''
  }

  get namespace(): string {
    return this.#config.getContextObject(this.context)?.namespace ?? 'default'
  }

  get context(): string {
    return this.#config.getCurrentContext()
  }

  /** @returns the parsed answer; `undefined` for 404 when `absent` says that this is an answer too */
  async send<T>(
    call: KubeRequest,
    absent: 'error' | 'undefined' = 'error',
    over: () => Promise<Dispatcher> = async () => (await this.#connect()).dispatcher,
  ): Promise<T | undefined> {
    for (let attempt = 0; ; attempt++) {
      const pause = (this.#options.pauses ?? PAUSES)[attempt]
      const outcome = await this.#once<T>(call, pause === undefined, over)
      if ('value' in outcome) return outcome.value
      if (outcome.status?.code === 404 && absent === 'undefined') return undefined
      if (!outcome.retry || pause === undefined)
        throw outcome.status ? statusError(outcome.status, call.what, await this.#peer()) : outcome.error
      await sleep(Math.max(pause, outcome.retryAfter ?? 0))
    }
  }

  /** The lines of an answer that does not end, as they come. Ends with the connection, and when that is left for another. */
  async *lines(call: Omit<KubeRequest, 'method'>, signal: AbortSignal): AsyncIterable<string> {
    const began = this.#reconnected
    try {
      yield* this.#linesOnce(call, signal)
    } catch (error) {
      if (signal.aborted || began === this.#reconnected) throw error
    }
  }

  async *#linesOnce(call: Omit<KubeRequest, 'method'>, signal: AbortSignal): AsyncIterable<string> {
    const { dispatcher, headers } = await this.#connect()
    const sent = {
      dispatcher,
      method: 'GET' as const,
      headers,
      signal,
      headersTimeout: this.#options.timeout,
      bodyTimeout: SILENCE,
    }
    const response = await request(this.#url({ ...call, method: 'GET' }), sent).catch(async (error: unknown) => {
      throw networkError(error, await this.#peer())
    })
    if (response.statusCode === 401) await this.#renew()
    if (response.statusCode !== 200)
      throw statusError(parseStatus(await response.body.text(), response.statusCode), call.what, await this.#peer())
    yield* linesOf(response.body)
  }

  /**
   * A connection of its own, upgraded to another protocol.
   * @returns undefined when the server answered but did not switch; `explain` says why
   */
  async upgrade(call: UpgradeRequest): Promise<Duplex | undefined> {
    const { headers } = await this.#connect()
    const started = performance.now()
    try {
      const upgraded = await upgrade(this.#url(call), {
        dispatcher: await this.#upgrading(),
        method: call.method,
        protocol: call.protocol,
        headers: {
          ...headers,
          ...call.headers,
          ...(call.protocol === 'websocket' ? { 'sec-websocket-key': randomBytes(16).toString('base64') } : {}),
        },
        signal: AbortSignal.timeout(this.#options.timeout),
      })
      this.#trace(call, `101 ${call.protocol}`, started)
      return upgraded.socket
    } catch (error) {
      this.#trace(call, (error as Error).message, started)
      if ((error as Error).message === 'bad upgrade') return undefined
      throw networkError(error, await this.#peer())
    }
  }

  /**
   * Why an upgrade was refused: the same request without one is, for the same reason, and says it. Not over the shared connection,
   * which may be dead.
   */
  async explain(call: KubeRequest): Promise<UserError> {
    try {
      await this.send(call, 'error', () => this.#upgrading())
    } catch (error) {
      if (error instanceof UserError) return error
      throw error
    }
    return new UserError(
      'FORWARD_REFUSED',
      `the API server does not ${call.what}: it speaks neither WebSocket nor SPDY there`,
    )
  }

  /** Leaves the connection for a new one, with the same credentials, unless it is new itself. */
  reconnect(): void {
    const old = this.#connection
    if (performance.now() - this.#reconnected < NEW) return
    this.#reconnected = performance.now()
    this.#connection = old?.then((connection) => {
      void connection.dispatcher.destroy()
      const dispatcher = sharedDispatcher(this.#config.getCurrentCluster()?.proxyUrl, connection.tls, this.#options)
      return { ...connection, dispatcher }
    })
    this.#connection?.catch(() => {}) // whoever asked for it first is told
  }

  async close(): Promise<void> {
    const connection = await this.#connection?.catch(() => undefined)
    await connection?.dispatcher.destroy()
    await this.#upgrades?.destroy()
    for (const socket of this.#opening) socket.destroy()
  }

  async #once<T>(call: KubeRequest, last: boolean, over: () => Promise<Dispatcher>): Promise<Outcome<T>> {
    const { headers } = await this.#connect()
    const dispatcher = await over()
    const started = performance.now()
    try {
      const response = await request(this.#url(call), {
        dispatcher,
        method: call.method,
        headers: {
          ...headers,
          accept: call.accept ?? 'application/json',
          ...(call.body === undefined ? {} : { 'content-type': call.contentType ?? 'application/json' }),
        },
        body: call.body === undefined ? null : JSON.stringify(call.body),
        headersTimeout: this.#options.timeout,
        bodyTimeout: this.#options.timeout,
      })
      const text = await response.body.text()
      this.#trace(call, String(response.statusCode), started)
      if (response.statusCode < 300) {
        this.#accepted = true
        return { value: JSON.parse(text) as T }
      }
      const code = response.statusCode
      const seconds = Number(response.headers['retry-after'] ?? 0)
      const retryAfter = Number.isFinite(seconds) ? Math.min(seconds * 1_000, LONGEST_PAUSE) : 0
      const renewed = code === 401 && (await this.#renew())
      return { status: parseStatus(text, code), retry: renewed || code === 429 || code >= 500, retryAfter }
    } catch (error) {
      this.#trace(call, (error as Error).message, started)
      if (error instanceof SyntaxError) throw notKubernetes(await this.#peer())
      const broken = BROKEN.has(String((error as NodeJS.ErrnoException).code))
      if (!broken || last) throw networkError(error, await this.#peer(), writeOf(call, error))
      return { retry: true }
    }
  }

  #url({ path, query = {} }: KubeRequest): string {
    const url = new URL(this.server.replace(/\/$/, '') + path)
    for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, value)
    return url.href
  }

  async #peer(): Promise<Peer> {
    const connection = await this.#connection?.catch(() => undefined)
    return { server: this.server, context: this.context, clientCertificate: connection?.clientCertificate }
  }

  #trace(call: KubeRequest, outcome: string, started: number): void {
    const { method, path } = call
    const milliseconds = Math.round(performance.now() - started)
    this.#options.trace?.(`${method} ${path} ${outcome} ${milliseconds} ms${isDryRun(call) ? ' (dry run)' : ''}`)
  }

  /**
   * Asks for credentials anew: tokens are replaced while a forward runs.
   * @returns false when these were never accepted: then new ones will not be either
   */
  async #renew(): Promise<boolean> {
    if (!this.#accepted) return false
    this.#accepted = false
    const old = await this.#connection
    this.#connection = undefined
    this.#upgrades = undefined
    // What is still under way on it may end.
    void old?.dispatcher.close()
    return true
  }

  /** HTTP/1.1, since HTTP/2 has no upgrades, and a connection for each. */
  async #upgrading(): Promise<Dispatcher> {
    const { tls } = await this.#connect()
    this.#upgrades ??= dispatcherFor(this.#config.getCurrentCluster()?.proxyUrl, tls, this.#options, {
      allowH2: false,
      pipelining: 1,
    })
    return this.#upgrades
  }

  /** Credentials are asked for once per run: an exec plugin may open a browser. */
  #connect(): Promise<Connection> {
    this.#connection ??= openConnection(this.#config, this.#options)
    return this.#connection
  }
}

/** A write that may have reached the server: not a dry run, and not one for which there was no connection at all. */
function writeOf(call: KubeRequest, error: unknown): string | undefined {
  const isWrite = ['PATCH', 'PUT', 'DELETE'].includes(call.method) && !isDryRun(call)
  const code = String((error as NodeJS.ErrnoException).code)
  const arrived = BROKEN.has(code) || code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT'
  return isWrite && arrived ? call.what : undefined
}

function isDryRun({ query, body }: KubeRequest): boolean {
  return query?.dryRun !== undefined || (body as { dryRun?: unknown } | undefined)?.dryRun !== undefined
}
