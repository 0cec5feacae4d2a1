/** One local connection, carried to a pod: waits for one, tries again while nothing has come back, passes ends and resets on. */
import type { Socket } from 'node:net'
import { pause, type Timers } from '../time/timers.ts'
import { FirstBytes } from './first-bytes.ts'
import { page } from './page.ts'
import { isLocalHost, readHead } from './request-head.ts'
import { reset } from './reset.ts'
import type { Session } from './tunnel/session.ts'
import type { Failure, Stream } from './tunnel/stream-pair.ts'
import { Gathering } from './write-batcher.ts'

/** Where a connection may go. */
export interface Route {
  /**
   * A session to a Ready pod.
   * @param signal nobody waits for it any more
   * @returns undefined when there was none until then
   */
  acquire(until: number, signal?: AbortSignal): Promise<Session | undefined>
  /** A session turned out to lead nowhere. */
  distrust(session: Session, reason: string): void
  /** A session has fallen silent: others may have too. */
  doubt(): void
  /** What keeps everybody from every pod now; '' for nothing. */
  readonly trouble: string
  /** Whether there is a Ready pod at all. */
  readonly hasPods: boolean
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

/** Clients that let the server speak first are not made to wait longer than this. */
const FIRST_BYTES = 30
const RETRY_PAUSE = 50
const LONGEST_PAUSE = 400
/** So long a client may take to read a page of ours and to close. */
const LINGER = 2_000
const NOTHING = Buffer.alloc(0)

/** What was carried, in bytes. */
export interface Carried {
  up: number
  down: number
}

/**
 * @param carried bytes are added to it as they pass
 * @returns when both ends are closed; never throws
 */
export function carry(
  local: Socket,
  route: Route,
  options: ConnectionOptions,
  carried: Carried = { up: 0, down: 0 },
): Promise<Carried> {
  return new Connection(local, route, options, carried).done
}

class Connection {
  readonly done: Promise<Carried>
  readonly #local: Socket
  readonly #gathering: Gathering
  readonly #route: Route
  readonly #options: ConnectionOptions
  readonly #carried: Carried
  /** Aborted when the local end is closed. */
  readonly #gone = new AbortController()
  #until: number
  #extended = false
  readonly #sent = new FirstBytes()
  /** Whether what the client has sent may go to the pod. */
  #passed = false
  #begun = false
  #stream: Stream | undefined
  #answered = false
  #clientEnded = false
  #podEnded = false
  /** A page of ours ends it: nothing goes to the pod any more. */
  #dismissed = false
  #reason = ''
  #callOff = () => {}
  #finish: (carried: Carried) => void = () => {}

  constructor(local: Socket, route: Route, options: ConnectionOptions, carried: Carried) {
    this.#carried = carried
    this.#local = local
    this.#gathering = new Gathering(local)
    this.#route = route
    this.#options = options
    this.#until = options.timers.now() + options.wait
    this.done = new Promise((resolve) => {
      this.#finish = resolve
    })
    local.on('error', () => {})
    local.on('close', () => this.#close())
    // One that has ended says `finish`, and never `drain`.
    for (const event of ['drain', 'finish']) local.on(event, () => this.#stream?.resumed())
    local.on('data', (bytes: Buffer) => this.#take(bytes))
    local.on('end', () => {
      this.#clientEnded = true
      if (this.#dismissed) return
      this.#pass()
      this.#stream?.end()
    })
    // A client that waits for the server to speak is not waited for.
    this.#callOff = options.timers.after(FIRST_BYTES, () => {
      if (this.#sent.isEmpty) this.#begin()
    })
    if (local.destroyed) this.#close()
    else local.resume()
  }

  #begin(): void {
    if (this.#begun) return
    this.#begun = true
    this.#callOff()
    this.#connect().catch(() => reset(this.#local))
  }

  #take(bytes: Buffer): void {
    if (this.#dismissed) return
    this.#carried.up += bytes.length
    this.#remember(bytes)
    if (this.#passed) {
      if (this.#stream?.write(bytes) === false) this.#local.pause()
      return
    }
    // Also when a stream is open already: browsers connect ahead of the request that they are going to send.
    const head = readHead(this.#sent.all())
    if (head.kind === 'more') return
    if (head.kind === 'http' && this.#isForeign(head.host)) this.#refuse()
    else this.#pass()
  }

  #isForeign(host: string | undefined): boolean {
    return this.#options.localHostsOnly && host !== undefined && !isLocalHost(host)
  }

  #refuse(): void {
    this.#page('403 Forbidden', 'this port serves requests for localhost only (the Host header names somebody else)')
    this.#stream?.close()
    this.#stream = undefined
  }

  /** What the client has sent is the pod's. */
  #pass(): void {
    if (this.#passed) return
    this.#passed = true
    const held = this.#sent.all()
    if (held.length > 0 && this.#stream?.write(held) === false) this.#local.pause()
    if (this.#answered) this.#sent.forget()
    this.#begin()
  }

  #remember(bytes: Buffer): void {
    this.#sent.add(bytes)
    if (!this.#sent.isTooLong || !this.#passed) return
    // Before there is a stream everything has to be kept, so the client has to wait.
    if (this.#stream !== undefined) this.#sent.forget()
    else this.#local.pause()
  }

  async #connect(): Promise<void> {
    const { timers, wait } = this.#options
    for (let pauses = 0; this.#isOpen(); pauses++) {
      this.#reason = this.#route.trouble || this.#reason
      const session = await this.#route.acquire(this.#until, this.#gone.signal)
      if (!this.#isOpen()) return
      if (session === undefined) return this.#nobody()
      const failure = await this.#attach(session)
      if (failure === undefined) return
      // One that had found a pod waits for the next one as long as a new one does, once.
      if (failure === 'lost' && !this.#extended) this.#until = Math.max(this.#until, timers.now() + wait)
      this.#extended ||= failure === 'lost'
      if (timers.now() >= this.#until) return this.#nobody()
      await pause(timers, Math.min(RETRY_PAUSE * 2 ** pauses, LONGEST_PAUSE), this.#gone.signal)
    }
  }

  #isOpen(): boolean {
    return !this.#local.destroyed && !this.#dismissed
  }

  /** @returns how it failed, when the session led nowhere and nothing is lost: then another one may be tried */
  #attach(session: Session): Promise<Failure | undefined> {
    return new Promise((resolve) => {
      // What may be sent again goes elsewhere; the rest waits for what becomes of the tunnel.
      const leave = () => {
        this.#stream?.close()
        this.#stream = undefined
        resolve('lost')
      }
      const leaveIfSafe = () => {
        if (this.#sent.mayBeSentAgain('lost', this.#passed)) leave()
      }
      this.#stream = session.open(
        {
          data: (bytes) => {
            this.#answer()
            resolve(undefined)
            this.#carried.down += bytes.length
            return this.#gathering.write(bytes)
          },
          drain: () => this.#local.resume(),
          end: () => {
            if (this.#sent.mayBeRepeated(session.retired, this.#passed)) return leave()
            this.#podEnded = true
            resolve(undefined)
            this.#local.end()
          },
          silent: () => {
            this.#route.doubt()
            leaveIfSafe()
          },
          leave: leaveIfSafe,
          fail: (reason, how) => resolve(this.#failed(session, reason, how)),
        },
        this.#passed ? this.#sent.all() : NOTHING,
      )
      if (this.#clientEnded) this.#stream.end()
      if (this.#sent.isTooLong && this.#passed) this.#sent.forget()
      this.#local.resume()
    })
  }

  /** A server that speaks first does not speak HTTP. */
  #answer(): void {
    this.#answered = true
    this.#pass()
    this.#sent.forget()
  }

  /** @returns how, when another session may be tried */
  #failed(session: Session, reason: string, how: Failure): Failure | undefined {
    this.#stream = undefined
    this.#reason = reason
    // What came before the end is the client's, also before a reset.
    this.#gathering.flush()
    if (this.#podEnded) {
      // All that it had to say has been said; the client may still be reading it.
      this.#local.destroySoon()
      return undefined
    }
    const again =
      how === 'reset'
        ? this.#sent.mayBeRepeated(session.retired, this.#passed)
        : this.#sent.mayBeSentAgain(how, this.#passed)
    if (!again) {
      reset(this.#local)
      return undefined
    }
    if (how === 'refused') this.#route.distrust(session, reason)
    return how
  }

  #nobody(): void {
    const { title, wait } = this.#options
    const reason = this.#route.trouble || this.#reason
    const isThere = reason !== '' || this.#route.hasPods
    const what = isThere ? `no pod of ${title} that answers` : `no Ready pod of ${title}`
    const why = reason === '' ? '' : `: ${reason}`
    this.#page('502 Bad Gateway', `${what} within ${wait / 1000} s${why}`)
  }

  #page(status: string, why: string): void {
    this.#dismissed = true
    this.#callOff()
    if (readHead(this.#sent.all()).kind !== 'http') {
      reset(this.#local)
      return
    }
    this.#sent.forget()
    this.#local.end(page(status, why))
    // What the client still sends is read and dropped: closing before would take the page away from it.
    this.#local.resume()
    this.#callOff = this.#options.timers.after(LINGER, () => this.#local.destroy())
  }

  #close(): void {
    this.#callOff()
    // With a reason, since the default one is an error with a stack, made anew for each connection.
    this.#gone.abort('gone')
    this.#stream?.close()
    this.#stream = undefined
    this.#sent.forget()
    this.#finish(this.#carried)
  }
}
