/** Tunnels to one pod: a slow connection makes its session wait, so others get another one. */
import { pause, type Timers } from '../../time/timers.ts'
import type { Session } from './session.ts'

/** More tunnels that take connections than this gain nothing; each is a connection to the API server. */
const LIMIT = 8
/**
 * Milliseconds that a connection waits for a tunnel of its own before it shares one: a slow reader in it may make it wait for minutes, and
 * an API server whose etcd waits for the disk takes seconds.
 */
const SHARING = 5_000
/** Milliseconds after a tunnel was given away within which its connection comes. */
const MOMENT = 10
/** Milliseconds after which a tunnel that has not been opened yet is not waited for alone, */
const STAGGER = 500
/** and for how long at most, when nobody new comes. */
const LONGEST_STAGGER = 5_000
/** So many are being opened at once at most: an API server that hangs has to see to all of them one day. */
const OPENING = 8

export class SessionPool {
  readonly #dial: (closed: (session: Session) => void) => Promise<Session>
  readonly #timers: Timers
  readonly #sessions = new Set<Session>()
  /** When it was that a tunnel's last connection was given to it: until when it is awaited, and how many there will have been by then. */
  readonly #given = new WeakMap<Session, { turn: number; until: number; opened: number }>()
  #turn = 0
  #opening: Promise<Session> | undefined
  /** How many are being opened, and since when the latest one. */
  #pending = 0
  #latest = 0
  #another: (stagger?: number) => void = () => {}
  #callOff = () => {}
  #over: 'retired' | 'destroyed' | undefined

  /** @param dial opens a tunnel; told what to call when it is gone */
  constructor(dial: (closed: (session: Session) => void) => Promise<Session>, timers: Timers) {
    this.#dial = dial
    this.#timers = timers
  }

  /**
   * A session for the next connection: one without connections, else the one that got its last one longest ago, never a slow one while
   * another can be had. Keeps a spare one open. Between the dial and the answer it may have gone: ask whether it accepts.
   * @throws what the dial throws
   */
  async acquire(): Promise<Session> {
    const session = await this.#ownOrShared()
    // The spare is opened beside the connection, not before it.
    queueMicrotask(() => this.#keepSpare(session))
    return session
  }

  async #ownOrShared(): Promise<Session> {
    const opened = this.#best() === undefined ? await this.#open() : undefined
    // Others have waited for the same one, and those that were silent may have spoken meanwhile.
    const best = this.#best() ?? opened ?? (await this.#open())
    if (this.#loadOf(best) === 0 || this.#usable().length + this.#pending >= LIMIT) return this.#give(best)
    const over = new AbortController()
    const own = this.#dialOne().catch(() => undefined)
    try {
      const session = await Promise.race([own, pause(this.#timers, SHARING, over.signal)])
      if (session !== undefined) return this.#give(session)
      const shared = this.#best() ?? best
      // Behind a slow reader is no place to go while there may be another one.
      return this.#give(shared.slow ? ((await own) ?? shared) : shared)
    } finally {
      over.abort('over')
    }
  }

  #give(session: Session): Session {
    const opened = session.opened + this.#awaitedIn(session) + 1
    this.#given.set(session, { turn: ++this.#turn, until: this.#timers.now() + MOMENT, opened })
    return session
  }

  /** Connections that it was given to and that are not in it yet. */
  #awaitedIn(session: Session): number {
    const { until, opened } = this.#given.get(session) ?? { until: 0, opened: 0 }
    return this.#timers.now() < until ? Math.max(0, opened - session.opened) : 0
  }

  #loadOf(session: Session): number {
    return session.load + this.#awaitedIn(session)
  }

  /** Opens the first tunnel before anybody needs it. */
  async warm(): Promise<Session> {
    return this.#best() ?? this.#open()
  }

  /** No more connections; those that are there may end. */
  retire(): void {
    this.#over ??= 'retired'
    this.#callOff()
    for (const session of this.#sessions) session.retire()
  }

  destroy(): void {
    this.#over = 'destroyed'
    this.#callOff()
    for (const session of this.#sessions) session.destroy()
  }

  /** Those that may lead nowhere are left to answer or to end. */
  #usable(): Session[] {
    return [...this.#sessions].filter(({ accepts, doubtful }) => accepts && !doubtful)
  }

  #best(): Session | undefined {
    const usable = this.#usable()
    // Connections that come at once are kept apart, however few others there are: what is new may be large.
    const turn = (session: Session) => (this.#loadOf(session) === 0 ? 0 : (this.#given.get(session)?.turn ?? 0))
    const next = (sessions: Session[]) => sessions.toSorted((a, b) => turn(a) - turn(b))[0]
    return next(usable.filter(({ slow }) => !slow)) ?? (usable.length < LIMIT ? undefined : next(usable))
  }

  /** @param taken the connection that it was given to comes in a moment */
  #keepSpare(taken: Session): void {
    const usable = this.#usable()
    const hasSpare = usable.some((session) => session !== taken && this.#loadOf(session) === 0)
    if (!hasSpare && this.#over === undefined && usable.length + this.#pending < LIMIT) this.#open().catch(() => {})
  }

  #open(): Promise<Session> {
    if (this.#opening === undefined) {
      this.#opening = this.#firstToOpen().finally(() => {
        this.#opening = undefined
        this.#callOff()
      })
    } else if (this.#timers.now() - this.#latest >= STAGGER) this.#another()
    return this.#opening
  }

  /**
   * One that is not answered is not waited for alone: its packets may be lost, and TCP waits ever longer before it sends them again.
   * Whichever comes later is a spare.
   */
  #firstToOpen(): Promise<Session> {
    return new Promise((resolve, reject) => {
      let isOver = false
      const first = (session: Session) => {
        if (isOver && this.#usable().filter(({ load }) => load === 0).length > 1) session.retire()
        isOver = true
        resolve(session)
      }
      this.#another = (stagger = STAGGER) => {
        this.#callOff()
        if (this.#pending < OPENING) this.#dialOne().then(first, reject)
        if (this.#over !== undefined) return
        this.#callOff = this.#timers.after(stagger, () => this.#another(Math.min(stagger * 1.5, LONGEST_STAGGER)))
      }
      this.#another()
    })
  }

  async #dialOne(): Promise<Session> {
    let gone = false
    this.#pending++
    this.#latest = this.#timers.now()
    try {
      const session = await this.#dial((closed) => {
        gone = true
        this.#sessions.delete(closed)
      })
      if (!gone) this.#sessions.add(session)
      if (this.#over === 'retired') session.retire()
      if (this.#over === 'destroyed') session.destroy()
      return session
    } finally {
      this.#pending--
    }
  }
}
