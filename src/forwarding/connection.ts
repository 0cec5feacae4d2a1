/** Carries one local connection to a pod: waits for a pod, retries until the pod has answered, passes ends and resets on. */
import type { Socket } from 'node:net'
import { pause, type Timers } from '../time/timers.ts'
import { FirstBytes } from './first-bytes.ts'
import { type Page, page } from './page.ts'
import { RequestGate } from './request-gate.ts'
import { reset } from './reset.ts'
import type { Session } from './tunnel/session.ts'
import type { Failure, Stream } from './tunnel/stream-pair.ts'
import { isForHttps } from './wants-https.ts'
import { WriteBatcher } from './write-batcher.ts'

/** Finds sessions for connections. */
export interface Route {
  /**
   * @param until time at which to give up
   * @param signal aborted when the client is gone
   * @returns a session to a Ready pod; undefined when there was none in time
   */
  acquire(until: number, signal?: AbortSignal): Promise<Session | undefined>
  /** Call it when a session did not reach the server: it gets no more connections. */
  distrust(session: Session): void
  /** Call it when a session has become silent: others may be dead too. */
  doubt(): void
  /** Why no pod can be reached now; '' when nothing is wrong. */
  readonly trouble: string
  /** Whether the Service has a Ready pod. */
  readonly hasPods: boolean
}

export interface ConnectionOptions {
  /** Milliseconds that a connection waits for a pod. */
  wait: number
  /** Whether to refuse HTTP requests whose Host header does not name this machine. */
  localHostsOnly: boolean
  /** Name of the add-on or Service, for error pages. */
  title: string
  timers: Timers
  /** Called when the server answers a request by saying that it speaks HTTPS. */
  tellHttps?(): void
}

/** Milliseconds to wait for the client's first bytes. After them the pod is connected, because the server may speak first. */
const FIRST_BYTES = 30
const RETRY_PAUSE = 50
const LONGEST_PAUSE = 400
/** Milliseconds in which a client has to read an error page and to close. */
const LINGER = 2_000
/** How an answer of HTTP begins: a server may answer before a request, that it has waited too long. */
const HTTP = Buffer.from('HTTP/')

/** Bytes of a connection: `up` to the pod, `down` to the client. */
export interface ByteCounts {
  up: number
  down: number
}

/**
 * @param counts raised as bytes pass
 * @returns the counts when both ends are closed; never throws
 */
export function carry(
  local: Socket,
  route: Route,
  options: ConnectionOptions,
  counts: ByteCounts = { up: 0, down: 0 },
): Promise<ByteCounts> {
  return new Connection(local, route, options, counts).done
}

class Connection {
  readonly done: Promise<ByteCounts>
  readonly #local: Socket
  readonly #toClient: WriteBatcher
  readonly #route: Route
  readonly #options: ConnectionOptions
  readonly #counts: ByteCounts
  /** Aborted when the client's connection is closed. */
  readonly #clientGone = new AbortController()
  #until: number
  #extended = false
  readonly #sent = new FirstBytes()
  readonly #gate: RequestGate
  #connecting = false
  #stream: Stream | undefined
  #answered = false
  #clientEnded = false
  #podEnded = false
  /** Whether the client gets an error page: then nothing goes to the pod any more. */
  #dismissed = false
  #reason = ''
  #callOff = () => {}
  #finish: (counts: ByteCounts) => void = () => {}

  constructor(local: Socket, route: Route, options: ConnectionOptions, counts: ByteCounts) {
    this.#counts = counts
    this.#local = local
    this.#toClient = new WriteBatcher(local)
    this.#route = route
    this.#options = options
    this.#gate = new RequestGate(options.localHostsOnly)
    this.#until = options.timers.now() + options.wait
    this.done = new Promise((resolve) => {
      this.#finish = resolve
    })
    local.on('error', () => {})
    local.on('close', () => this.#close())
    // A socket whose writing side has ended emits `finish` instead of `drain`.
    for (const event of ['drain', 'finish']) local.on(event, () => this.#stream?.resumed())
    local.on('data', (bytes: Buffer) => this.#receive(bytes))
    local.on('end', () => {
      this.#clientEnded = true
      if (this.#dismissed) return
      this.#release()
      this.#stream?.end()
    })
    this.#callOff = options.timers.after(FIRST_BYTES, () => {
      if (this.#gate.isUntouched) this.#begin()
    })
    if (local.destroyed) this.#close()
    else local.resume()
  }

  #begin(): void {
    if (this.#connecting) return
    this.#connecting = true
    this.#callOff()
    this.#connect().catch(() => reset(this.#local))
  }

  #receive(bytes: Buffer): void {
    if (this.#dismissed) return
    this.#counts.up += bytes.length
    const passed = this.#gate.take(bytes)
    if ('why' in passed) this.#refuse(passed)
    else if (passed.length > 0) this.#pass(passed)
  }

  #refuse(refusal: Page): void {
    // The answer to an earlier request comes first.
    this.#toClient.flush()
    this.#dismiss(refusal)
    this.#stream?.close()
    this.#stream = undefined
  }

  /** Sends the bytes that were held back, and all later ones, to the pod. */
  #release(): void {
    this.#pass(this.#gate.release())
  }

  #pass(bytes: Buffer): void {
    if (bytes.length > 0) {
      this.#sent.add(bytes)
      if (this.#stream?.write(bytes) === false) this.#local.pause()
      // Without a stream nothing may be forgotten, so the client has to wait.
      if (this.#sent.isTooLong && this.#stream === undefined) this.#local.pause()
      if (this.#answered || (this.#sent.isTooLong && this.#stream !== undefined)) this.#sent.forget()
    }
    this.#begin()
  }

  async #connect(): Promise<void> {
    const { timers, wait } = this.#options
    for (let pauses = 0; this.#isOpen(); pauses++) {
      this.#reason = this.#route.trouble || this.#reason
      const session = await this.#route.acquire(this.#until, this.#clientGone.signal)
      if (!this.#isOpen()) return
      if (session === undefined) return this.#giveUp()
      const failure = await this.#attach(session)
      if (failure === undefined) return
      // A connection that loses its pod waits for the next one as long as a new connection does, but only once.
      if (failure === 'lost' && !this.#extended) this.#until = Math.max(this.#until, timers.now() + wait)
      this.#extended ||= failure === 'lost'
      if (timers.now() >= this.#until) return this.#giveUp()
      await pause(timers, Math.min(RETRY_PAUSE * 2 ** pauses, LONGEST_PAUSE), this.#clientGone.signal)
    }
  }

  #isOpen(): boolean {
    return !this.#local.destroyed && !this.#dismissed
  }

  /** @returns the failure if another session may be tried without losing bytes; otherwise undefined */
  #attach(session: Session): Promise<Failure | undefined> {
    return new Promise((resolve) => {
      // A connection whose bytes may be sent again moves to another session; any other waits for this tunnel to recover or to break.
      const move = () => {
        this.#stream?.close()
        this.#stream = undefined
        resolve('lost')
      }
      const moveIfSafe = () => {
        if (this.#sent.mayResend('lost', this.#gate)) move()
      }
      this.#stream = session.open(
        {
          data: (bytes) => {
            this.#answer(bytes)
            resolve(undefined)
            this.#counts.down += bytes.length
            return this.#toClient.write(bytes)
          },
          drain: () => this.#local.resume(),
          end: () => {
            if (this.#sent.mayRepeat(session.retired, this.#gate)) return move()
            this.#podEnded = true
            resolve(undefined)
            this.#local.end()
          },
          silent: () => {
            this.#route.doubt()
            moveIfSafe()
          },
          leave: moveIfSafe,
          fail: (reason, how) => resolve(this.#failed(session, reason, how)),
        },
        this.#sent.all(),
      )
      if (this.#clientEnded) this.#stream.end()
      if (this.#sent.isTooLong) this.#sent.forget()
      this.#local.resume()
    })
  }

  /** A server that speaks first and not HTTP also releases the client's bytes. */
  #answer(bytes: Buffer): void {
    if (this.#answered) return
    this.#answered = true
    if (this.#gate.speaksHttp && isForHttps(bytes)) this.#options.tellHttps?.()
    if (!this.#gate.speaksHttp && !bytes.subarray(0, HTTP.length).equals(HTTP)) this.#release()
    this.#sent.forget()
  }

  /** @returns the failure if another session may be tried; otherwise undefined */
  #failed(session: Session, reason: string, how: Failure): Failure | undefined {
    this.#stream = undefined
    this.#reason = reason
    // Bytes that came before a reset still belong to the client.
    this.#toClient.flush()
    if (this.#podEnded) {
      // The answer is complete; the client may still be reading it.
      this.#local.destroySoon()
      return undefined
    }
    const again =
      how === 'reset' ? this.#sent.mayRepeat(session.retired, this.#gate) : this.#sent.mayResend(how, this.#gate)
    if (!again) {
      reset(this.#local)
      return undefined
    }
    if (how === 'refused' || how === 'unclear') this.#route.distrust(session)
    return how
  }

  #giveUp(): void {
    const { title, wait } = this.#options
    const reason = this.#route.trouble || this.#reason
    const seconds = wait / 1000
    const hasPods = reason !== '' || this.#route.hasPods
    const what = hasPods ? `no pod of ${title} answered` : `${title} had no Ready pod`
    const why = reason === '' ? '' : `: ${reason}`
    const answer = { status: '502 Bad Gateway', why: `${what} within ${seconds} s${why}` }
    this.#dismiss(this.#gate.speaksHttp ? answer : undefined)
  }

  /** @param answer undefined for a client that does not speak HTTP */
  #dismiss(answer: Page | undefined): void {
    this.#dismissed = true
    this.#callOff()
    if (answer === undefined) {
      reset(this.#local)
      return
    }
    this.#sent.forget()
    this.#local.end(page(answer))
    // The client's remaining bytes are read and dropped: closing with unread bytes would reset the connection before the page is read.
    this.#local.resume()
    this.#callOff = this.#options.timers.after(LINGER, () => this.#local.destroy())
  }

  #close(): void {
    this.#callOff()
    // A text as the reason is cheap; the default is a new error with a stack for each connection.
    this.#clientGone.abort('gone')
    this.#stream?.close()
    this.#stream = undefined
    this.#sent.forget()
    this.#finish(this.#counts)
  }
}
