/** HTTP to one API server over one connection (docs/decisions/0002). */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { UserError } from '../errors.ts'
import { escapedForData } from '../text.ts'
import type { PodAnswer } from './cluster.ts'
import type { ConnectionOptions } from './connecting/kube-connection.ts'
import type { Shape } from './kube-answers.ts'
import { now, ServerClock } from './kube-clock.ts'
import { KubeConnections, type ReadKubeConfig } from './kube-connections.ts'
import {
  isTimeout,
  millisecondsOf,
  networkError,
  parseStatus,
  podAnswer,
  type Status,
  statusError,
  unexpectedAnswer,
  withPause,
} from './kube-errors.ts'
import { followed } from './kube-redirects.ts'
import { boundedText, linesOf, type Switched, type Transport, type TransportRequest } from './kube-transport.ts'

export interface KubeRequestsOptions extends ConnectionOptions {
  /** Pauses before retries, in milliseconds. */
  pauses?: readonly number[]
  /** Called for each request (-v). */
  trace?: ((line: string) => void) | undefined
}

export interface KubeRequest {
  method: 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'PUT' | 'DELETE'
  path: string
  query?: Record<string, string | undefined>
  body?: unknown
  contentType?: string
  accept?: string
  userAgent?: string
  /** The action for error messages: `list pods`. */
  what: string
  /** What a successful answer has to be; left out if no code reads it. */
  shape?: Shape
}

export interface UpgradeRequest extends KubeRequest {
  protocol: 'websocket' | 'SPDY/3.1'
  headers: Record<string, string>
}

type Outcome<T> = { value: T } | { status?: Status; error?: unknown; retry: boolean; retryAfter?: number }

/** Pauses before retries. All our requests may be repeated: reads, server-side apply, delete by uid. */
const PAUSES = [200, 800, 2_000]
const SILENCE = 150_000 // of a watch, in milliseconds: bookmarks come more often
/** Longest Retry-After in milliseconds that is waited for: a longer one is an error at once. */
const LONGEST_PAUSE = 10_000
/** Codes of connections that broke in use. Other failures (refused, not trusted, not found) will not go away in a second. */
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
  readonly #clock = new ServerClock()

  constructor(read: ReadKubeConfig, options: KubeRequestsOptions) {
    this.#options = options
    this.#connections = new KubeConnections(read, options)
  }

  get peer(): Pick<KubeConnections, 'server' | 'verifiedBy'> {
    return this.#connections
  }

  get namespace(): string {
    return this.#connections.namespace
  }

  get context(): string {
    return this.#connections.context
  }

  get clockAhead(): number | undefined {
    return this.#clock.ahead
  }

  /** @returns the parsed answer; `undefined` for 404 if `absent` is 'undefined' */
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
   * Sends a request once that the API server passes on to a pod: any answer of the pod is a result, not an error.
   * @param timeout milliseconds; by default that of all requests
   */
  async pass(call: KubeRequest, timeout = this.#options.timeout): Promise<PodAnswer> {
    const { transport, headers } = await this.#connections.shared()
    const started = now()
    const named = { ...headers, ...(call.userAgent && { 'user-agent': call.userAgent }) }
    const sent = { ...this.#target(call), headers: named, headersTimeout: timeout, bodyTimeout: timeout }
    const response = await transport.request(sent).catch(async (error: unknown) => {
      this.#trace(call, (error as Error).message, started)
      if (isTimeout(error)) return undefined
      throw networkError(error, await this.#connections.peer())
    })
    if (response === undefined) return { failed: `no answer in ${Math.round(timeout / 1000)} s` }
    const body = await boundedText(response.body)
    if (body === undefined) return { failed: 'its answer is longer than 64 MiB' }
    this.#trace(call, String(response.statusCode), started)
    return podAnswer(body, response.statusCode, async (status) =>
      statusError(status, call.what, await this.#connections.peer()),
    )
  }

  /** Yields the lines of an endless answer. Ends with the connection, or when that is replaced by another. */
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
   * Opens a separate connection and upgrades it to another protocol.
   * @returns undefined if the server answered but did not switch; `explain` finds the reason
   */
  async upgrade(call: UpgradeRequest): Promise<Switched | undefined> {
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
      return upgraded
    } catch (error) {
      this.#trace(call, (error as Error).message, started)
      if ((error as Error).message === 'bad upgrade') return undefined
      throw networkError(error, await this.#connections.peer())
    }
  }

  /**
   * Finds out why an upgrade was refused: the same request without an upgrade is refused with the reason. It does not use the shared
   * connection, which may be dead.
   */
  async explain(call: KubeRequest): Promise<UserError> {
    try {
      await this.send(call, 'error', () => this.#connections.upgrades())
    } catch (error) {
      if (error instanceof UserError) return error
      throw error
    }
    return new UserError('FORWARD_REFUSED', `the API server cannot ${call.what}: it accepts neither WebSocket nor SPDY`)
  }

  /** Begins to connect. @throws UserError CREDENTIALS_FAILED */
  async connect(): Promise<void> {
    await this.#connections.shared()
  }

  /** Replaces the shared connection by a new one with the same credentials, unless it is new itself. */
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
      const response = await followed(transport, {
        ...this.#target(call),
        headers: {
          ...headers,
          accept: call.accept ?? 'application/json',
          ...(call.body === undefined ? {} : { 'content-type': call.contentType ?? 'application/json' }),
        },
        body: call.body === undefined ? null : escapedForData(JSON.stringify(call.body)),
        headersTimeout: this.#options.timeout,
        bodyTimeout: this.#options.timeout,
      })
      const text = await response.body.text()
      this.#trace(call, String(response.statusCode), started)
      this.#clock.read(response.headers.date)
      if (response.statusCode < 300) {
        this.#connections.accepted()
        return { value: await this.#parsed<T>(call, text) }
      }
      const code = response.statusCode
      const retryAfter = millisecondsOf(response.headers['retry-after'])
      const renewed = code === 401 && (await this.#connections.renew())
      const status = parseStatus(text, code)
      if (retryAfter > LONGEST_PAUSE) return { status: withPause(status, retryAfter), retry: false }
      return { status, retry: renewed || code === 429 || code >= 500, retryAfter }
    } catch (error) {
      this.#trace(call, (error as Error).message, started)
      if (error instanceof UserError) throw error
      const broken = BROKEN.has(String((error as NodeJS.ErrnoException).code))
      if (!broken || last) throw networkError(error, await this.#connections.peer(), writeOf(call, error))
      return { retry: true }
    }
  }

  /** @throws UserError ANSWER_UNEXPECTED */
  async #parsed<T>({ method, path, shape }: KubeRequest, text: string): Promise<T> {
    const value = parseJson(text)
    if (value !== undefined && (shape === undefined || shape(value))) return value as T
    throw unexpectedAnswer(`${method} ${path}`, text, await this.#connections.peer())
  }

  #target({ method, path, query = {} }: KubeRequest): Pick<TransportRequest, 'method' | 'origin' | 'path'> {
    const url = new URL(this.#connections.server.replace(/\/$/, '') + path)
    for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, value)
    return { method, origin: url.origin, path: `${url.pathname}${url.search}` }
  }

  #trace(call: KubeRequest, outcome: string, started: number): void {
    const { method, path } = call
    const milliseconds = Math.round(now() - started)
    this.#options.trace?.(`${method} ${path} ${outcome} ${milliseconds} ms${isDryRun(call) ? ' (dry run)' : ''}`)
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** @returns the action, if it is a write that may have reached the server: not a dry run, and with a connection */
function writeOf(call: KubeRequest, error: unknown): string | undefined {
  const isWrite = ['PATCH', 'PUT', 'DELETE'].includes(call.method) && !isDryRun(call)
  const code = String((error as NodeJS.ErrnoException).code)
  const arrived = BROKEN.has(code) || isTimeout(error)
  return isWrite && arrived ? call.what : undefined
}

function isDryRun({ query, body }: KubeRequest): boolean {
  return query?.dryRun !== undefined || (body as { dryRun?: unknown } | undefined)?.dryRun !== undefined
}
