/** One local connection, carried to a pod: waits for one, tries again while nothing has come back, passes ends and resets on. */
import type { Socket } from 'node:net'
import { isLocalHost, readHead } from './request-head.ts'
import type { Session, Stream } from './session.ts'
import { pause, type Timers } from './timers.ts'

/** Where a connection may go. */
export interface Route {
  /**
   * A session to a Ready pod.
   * @returns undefined when there was none until then
   */
  acquire(until: number): Promise<Session | undefined>
  /** A session turned out to lead nowhere. */
  distrust(session: Session, reason: string): void
}

export interface ConnectionOptions {
  /** Milliseconds that a connection waits for a pod. */
  wait: number
  /** Whether the Host header of HTTP has to name this machine. */
  localHostsOnly: boolean
  /** For the page that says that there is no pod. */
  title: string
  timers: Timers
}

/** So much of what the client sent is kept until the pod answers, to be sent again to another pod. */
const REPLAY = 64 * 1024
/** Clients that let the server speak first are not made to wait longer than this. */
const FIRST_BYTES = 30
const RETRY_PAUSE = 50

/** What was carried, in bytes. */
export interface Carried {
  up: number
  down: number
}

/** @returns when both ends are closed; never throws */
export function carry(local: Socket, route: Route, options: ConnectionOptions): Promise<Carried> {
  return new Connection(local, route, options).done
}

class Connection {
  readonly done: Promise<Carried>
  readonly #local: Socket
  readonly #route: Route
  readonly #options: ConnectionOptions
  readonly #carried: Carried = { up: 0, down: 0 }
  readonly #until: number
  /** What the client has sent, until the pod answers or it is too much. */
  #sent: Buffer[] | undefined = []
  #sentLength = 0
  #stream: Stream | undefined
  #answered = false
  #ended = false
  #finish: (carried: Carried) => void = () => {}

  constructor(local: Socket, route: Route, options: ConnectionOptions) {
    this.#local = local
    this.#route = route
    this.#options = options
    this.#until = options.timers.now() + options.wait
    this.done = new Promise((resolve) => {
      this.#finish = resolve
    })
    local.on('error', () => {})
    local.on('close', () => this.#close())
    local.on('drain', () => this.#stream?.resumed())
    local.on('end', () => {
      this.#ended = true
      this.#stream?.end()
    })
    this.#begin()
  }

  /** Reads the first bytes, which say whose request it is, then connects. A client that waits for the server is not waited for. */
  #begin(): void {
    let begun = false
    const connect = () => {
      if (begun) return
      begun = true
      this.#connect().catch(() => this.#local.resetAndDestroy())
    }
    const callOff = this.#options.timers.after(FIRST_BYTES, () => {
      if (this.#sentLength === 0) connect()
    })
    this.#local.on('data', (bytes: Buffer) => {
      this.#carried.up += bytes.length
      if (this.#stream !== undefined) return this.#send(bytes)
      this.#remember(bytes)
      const verdict = this.#judge()
      if (verdict === 'refused') this.#refuse()
      if (verdict !== 'ready') return
      callOff()
      connect()
    })
    this.#local.resume()
  }

  #judge(): 'ready' | 'refused' | 'more' {
    const head = readHead(Buffer.concat(this.#sent ?? []))
    if (head.kind === 'more') return 'more'
    if (head.kind === 'http' && this.#options.localHostsOnly && !isLocalHost(head.host)) return 'refused'
    return 'ready'
  }

  #refuse(): void {
    this.#page('403 Forbidden', 'this port serves requests for localhost only (the Host header names somebody else)')
  }

  async #connect(): Promise<void> {
    while (!this.#local.destroyed) {
      // A head that is not complete yet may still turn out to be somebody else's.
      if (this.#judge() === 'refused') return this.#refuse()
      const session = await this.#route.acquire(this.#until)
      if (this.#local.destroyed) return
      if (session === undefined) return this.#nobody()
      if (await this.#attach(session)) return
      if (this.#options.timers.now() >= this.#until) return this.#nobody()
      await pause(this.#options.timers, RETRY_PAUSE)
    }
  }

  /** @returns false when the session led nowhere and nothing is lost: then another one may be tried */
  #attach(session: Session): Promise<boolean> {
    return new Promise((resolve) => {
      this.#stream = session.open(
        {
          data: (bytes) => {
            this.#answered = true
            this.#sent = undefined
            resolve(true)
            this.#carried.down += bytes.length
            return this.#local.write(bytes)
          },
          drain: () => this.#local.resume(),
          end: () => {
            resolve(true)
            this.#local.end()
          },
          fail: (reason) => {
            this.#stream = undefined
            const mayRetry = !this.#answered && this.#sent !== undefined
            this.#route.distrust(session, reason)
            if (!mayRetry) this.#local.resetAndDestroy()
            resolve(!mayRetry)
          },
        },
        Buffer.concat(this.#sent ?? []),
      )
      if (this.#ended) this.#stream?.end()
      if (this.#sentLength > REPLAY) this.#sent = undefined
      this.#local.resume()
    })
  }

  #send(bytes: Buffer): void {
    this.#remember(bytes)
    if (this.#stream?.write(bytes) === false) this.#local.pause()
  }

  #remember(bytes: Buffer): void {
    this.#sentLength += bytes.length
    if (this.#answered || this.#sentLength > REPLAY) {
      // Before there is a stream everything has to be kept, so the client has to wait.
      if (this.#stream !== undefined) this.#sent = undefined
      else this.#local.pause()
    }
    this.#sent?.push(bytes)
  }

  #nobody(): void {
    this.#page('502 Bad Gateway', `no Ready pod of ${this.#options.title} within ${this.#options.wait / 1000} s`)
  }

  #page(status: string, why: string): void {
    const isHttp = readHead(Buffer.concat(this.#sent ?? [])).kind === 'http'
    if (!isHttp) {
      this.#local.resetAndDestroy()
      return
    }
    const body = `kubectl telemetry port-forward: ${why}\n`
    const head = [
      `HTTP/1.1 ${status}`,
      'Content-Type: text/plain',
      `Content-Length: ${body.length}`,
      'Connection: close',
    ]
    this.#local.end(`${head.join('\r\n')}\r\n\r\n${body}`)
  }

  #close(): void {
    this.#stream?.close()
    this.#stream = undefined
    this.#finish(this.#carried)
  }
}
