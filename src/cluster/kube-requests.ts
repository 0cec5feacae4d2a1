/**
 * HTTP to one API server over ONE connection. client-node's generated clients open a TLS connection per call (measured, docs/decisions/0002);
 * of it we use the kubeconfig and its ways to authenticate.
 */
import { randomBytes } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { UserError } from '../errors.ts'
import type { PodAnswer } from './cluster.ts'
import type { ConnectionOptions } from './connecting/kube-connection.ts'
import { now } from './kube-clock.ts'
import { KubeConnections, type ReadKubeConfig } from './kube-connections.ts'
import {
  isTimeout,
  networkError,
  notKubernetes,
  parseStatus,
  passedOn,
  type Status,
  statusError,
} from './kube-errors.ts'
import { linesOf } from './kube-lines.ts'
import type { Transport, TransportRequest } from './kube-transport.ts'

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
  readonly #options: KubeRequestsOptions
  readonly #connections: KubeConnections

  constructor(read: ReadKubeConfig, options: KubeRequestsOptions) {
    this.#options = options
    this.#connections = new KubeConnections(read, options)
  }

  get server(): string {
    return this.#connections.server
  }

  get namespace(): string {
    return this.#connections.namespace
  }

  get context(): string {
    return this.#connections.context
  }

  /** @returns the parsed answer; `undefined` for 404 when `absent` says that this is an answer too */
  async send<T>(
    call: KubeRequest,
    absent: 'error' | 'undefined' = 'error',
    over: () => Promise<Transport> = async () => (await this.#connections.shared()).transport,
  ): Promise<T | undefined> {
    for (let attempt = 0; ; attempt++) {
      const pause = (this.#options.pauses ?? PAUSES)[attempt]
      const outcome = await this.#once<T>(call, pause === undefined, over)
      if ('value' in outcome) return outcome.value
      if (outcome.status?.code === 404 && absent === 'undefined') return undefined
      if (!outcome.retry || pause === undefined)
        throw outcome.status ? statusError(outcome.status, call.what, await this.#connections.peer()) : outcome.error
      await sleep(Math.max(pause, outcome.retryAfter ?? 0))
    }
  }

  /**
   * A request that the API server passes on to somebody else, once: whatever the answer is, it is one.
   * @param timeout milliseconds; that of all requests when left out
   */
  async pass(call: KubeRequest, timeout = this.#options.timeout): Promise<PodAnswer> {
    const { transport, headers } = await this.#connections.shared()
    const started = now()
    const sent = { ...this.#target(call), headers, headersTimeout: timeout, bodyTimeout: timeout }
    const response = await transport.request(sent).catch(async (error: unknown) => {
      this.#trace(call, (error as Error).message, started)
      if (isTimeout(error)) return undefined
      throw networkError(error, await this.#connections.peer())
    })
    if (response === undefined) return { failed: `no answer in ${Math.round(timeout / 1000)} s` }
    const body = await response.body.text()
    this.#trace(call, String(response.statusCode), started)
    return passedOn(body, response.statusCode, async (status) =>
      statusError(status, call.what, await this.#connections.peer()),
    )
  }

  /** The lines of an answer that does not end, as they come. Ends with the connection, and when that is left for another. */
  async *lines(call: Omit<KubeRequest, 'method'>, signal: AbortSignal): AsyncIterable<string> {
    const began = this.#connections.reconnected
    try {
      yield* this.#linesOnce(call, signal)
    } catch (error) {
      if (signal.aborted || began === this.#connections.reconnected) throw error
    }
  }

  async *#linesOnce(call: Omit<KubeRequest, 'method'>, signal: AbortSignal): AsyncIterable<string> {
    const { transport, headers } = await this.#connections.shared()
    const sent = {
      ...this.#target({ ...call, method: 'GET' }),
      headers,
      signal,
      headersTimeout: this.#options.timeout,
      bodyTimeout: SILENCE,
    }
    const response = await transport.request(sent).catch(async (error: unknown) => {
      throw networkError(error, await this.#connections.peer())
    })
    if (response.statusCode === 401) await this.#connections.renew()
    if (response.statusCode !== 200)
      throw statusError(
        parseStatus(await response.body.text(), response.statusCode),
        call.what,
        await this.#connections.peer(),
      )
    yield* linesOf(response.body)
  }

  /**
   * A connection of its own, upgraded to another protocol.
   * @returns undefined when the server answered but did not switch; `explain` says why
   */
  async upgrade(call: UpgradeRequest): Promise<Duplex | undefined> {
    const { headers } = await this.#connections.shared()
    const started = now()
    try {
      const transport = await this.#connections.upgrades()
      const upgraded = await transport.upgrade({
        ...this.#target(call),
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
      throw networkError(error, await this.#connections.peer())
    }
  }

  /**
   * Why an upgrade was refused: the same request without one is, for the same reason, and says it. Not over the shared connection,
   * which may be dead.
   */
  async explain(call: KubeRequest): Promise<UserError> {
    try {
      await this.send(call, 'error', () => this.#connections.upgrades())
    } catch (error) {
      if (error instanceof UserError) return error
      throw error
    }
    return new UserError(
      'FORWARD_REFUSED',
      `the API server does not ${call.what}: it speaks neither WebSocket nor SPDY there`,
    )
  }

  /** Begins to connect. @throws UserError CREDENTIALS_FAILED */
  async connect(): Promise<void> {
    await this.#connections.shared()
  }

  /** Leaves the connection for a new one, with the same credentials, unless it is new itself. */
  reconnect(): void {
    this.#connections.reconnect()
  }

  close(): Promise<void> {
    return this.#connections.close()
  }

  async #once<T>(call: KubeRequest, last: boolean, over: () => Promise<Transport>): Promise<Outcome<T>> {
    const { headers } = await this.#connections.shared()
    const transport = await over()
    const started = now()
    try {
      const response = await transport.request({
        ...this.#target(call),
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
        this.#connections.accepted()
        return { value: JSON.parse(text) as T }
      }
      const code = response.statusCode
      const seconds = Number(response.headers['retry-after'] ?? 0)
      const retryAfter = Number.isFinite(seconds) ? Math.min(seconds * 1_000, LONGEST_PAUSE) : 0
      const renewed = code === 401 && (await this.#connections.renew())
      return { status: parseStatus(text, code), retry: renewed || code === 429 || code >= 500, retryAfter }
    } catch (error) {
      this.#trace(call, (error as Error).message, started)
      if (error instanceof SyntaxError) throw notKubernetes(await this.#connections.peer())
      const broken = BROKEN.has(String((error as NodeJS.ErrnoException).code))
      if (!broken || last) throw networkError(error, await this.#connections.peer(), writeOf(call, error))
      return { retry: true }
    }
  }

  #target({ method, path, query = {} }: KubeRequest): Pick<TransportRequest, 'method' | 'origin' | 'path'> {
    const url = new URL(this.server.replace(/\/$/, '') + path)
    for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, value)
    return { method, origin: url.origin, path: `${url.pathname}${url.search}` }
  }

  #trace(call: KubeRequest, outcome: string, started: number): void {
    const { method, path } = call
    const milliseconds = Math.round(now() - started)
    this.#options.trace?.(`${method} ${path} ${outcome} ${milliseconds} ms${isDryRun(call) ? ' (dry run)' : ''}`)
  }
}

/** A write that may have reached the server: not a dry run, and not one for which there was no connection at all. */
function writeOf(call: KubeRequest, error: unknown): string | undefined {
  const isWrite = ['PATCH', 'PUT', 'DELETE'].includes(call.method) && !isDryRun(call)
  const code = String((error as NodeJS.ErrnoException).code)
  const arrived = BROKEN.has(code) || isTimeout(error)
  return isWrite && arrived ? call.what : undefined
}

function isDryRun({ query, body }: KubeRequest): boolean {
  return query?.dryRun !== undefined || (body as { dryRun?: unknown } | undefined)?.dryRun !== undefined
}
