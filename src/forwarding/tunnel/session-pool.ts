/** Keeps the tunnels to one pod. A slow connection blocks all others in its session, so new connections get another session. */

import { pause, type Timers } from '../../time/timers.ts'
import type { Session } from './session.ts'

/** How many tunnels may accept connections. More gain nothing, and each is a connection to the API server. */
const LIMIT = 8
/**
 * Milliseconds that a connection waits for a tunnel of its own before it shares one. Sharing may block it for minutes behind a slow
 * reader, while a new tunnel takes at most seconds, even when etcd waits for the disk.
 */
const SHARING = 5_000
/** Milliseconds for which a handed-out tunnel counts as busy before its connection is opened. */
const HANDOUT_TIME = 10
/** Milliseconds after which a second tunnel is dialled beside one that is not open yet. */
const STAGGER = 500
/** Longest time between two such dials. */
const LONGEST_STAGGER = 5_000
/** How many tunnels are dialled at the same time: an API server that hangs has to process all of them later. */
const MAX_DIALS = 8

export class SessionPool {
  readonly #dial: (closed: (session: Session) => void) => Promise<Session>
  readonly #timers: Timers
  readonly #sessions = new Set<Session>()
  /** The last time a tunnel was handed out: its turn, until when its connection is expected, and how many it will then have opened. */
  readonly #handouts = new WeakMap<Session, { turn: number; until: number; opened: number }>()
  #turn = 0
  #opening: Promise<Session> | undefined
  /** How many dials are pending, and when the latest one began. */
  #pending = 0
  #latest = 0
  #dialAnother: (stagger?: number) => void = () => {}
  #callOff = () => {}
  #over: 'retired' | 'destroyed' | undefined

  /** @param dial opens a tunnel; it calls `closed` when the tunnel is gone */
  constructor(dial: (closed: (session: Session) => void) => Promise<Session>, timers: Timers) {
    this.#dial = dial
    this.#timers = timers
  }

  /**
   * Chooses a session for the next connection: one without connections, otherwise the one whose last connection is the oldest, and a
   * slow one only if there is no other. Keeps a spare session open. The session may have closed in the meantime: check `accepts`.
   * @throws the error of the dial
   */
  async acquire(): Promise<Session> {
    const session = await this.#ownOrShared()
    // After the connection has been opened, so that the spare does not delay it.
    queueMicrotask(() => this.#keepSpare(session))
    return session
  }

  async #ownOrShared(): Promise<Session> {
    const opened = this.#best() === undefined ? await this.#open() : undefined
    // Several connections may have waited for the same session, and silent sessions may have answered in the meantime.
    const best = this.#best() ?? opened ?? (await this.#open())
    if (this.#loadOf(best) === 0 || this.#usable().length + this.#pending >= LIMIT) return this.#handOut(best)
    const over = new AbortController()
    const own = this.#dialOne().catch(() => undefined)
    try {
      const session = await Promise.race([own, pause(this.#timers, SHARING, over.signal)])
      if (session !== undefined) return this.#handOut(session)
      const shared = this.#best() ?? best
      // Waiting for a session of its own is better than sharing one with a slow reader.
      return this.#handOut(shared.slow ? ((await own) ?? shared) : shared)
    } finally {
      over.abort('over')
    }
  }

  #handOut(session: Session): Session {
    const opened = session.opened + this.#expectedIn(session) + 1
    this.#handouts.set(session, { turn: ++this.#turn, until: this.#timers.now() + HANDOUT_TIME, opened })
    return session
  }

  /** How many connections got this session and have not been opened in it yet. */
  #expectedIn(session: Session): number {
    const { until, opened } = this.#handouts.get(session) ?? { until: 0, opened: 0 }
    return this.#timers.now() < until ? Math.max(0, opened - session.opened) : 0
  }

  #loadOf(session: Session): number {
    return session.load + this.#expectedIn(session)
  }

  /** Opens the first tunnel before a client needs it. */
  async warm(): Promise<Session> {
    return this.#best() ?? this.#open()
  }

  /** Takes no more connections; the open ones may end normally. */
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

  /** Sessions that may be dead are left out until they answer. */
  #usable(): Session[] {
    return [...this.#sessions].filter(({ accepts, doubtful }) => accepts && !doubtful)
  }

  #best(): Session | undefined {
    const usable = this.#usable()
    // Connections that come at the same moment get different sessions, because each may be a large transfer.
    const turn = (session: Session) => (this.#loadOf(session) === 0 ? 0 : (this.#handouts.get(session)?.turn ?? 0))
    const next = (sessions: Session[]) => sessions.toSorted((a, b) => turn(a) - turn(b))[0]
    return next(usable.filter(({ slow }) => !slow)) ?? (usable.length < LIMIT ? undefined : next(usable))
  }

  /** @param taken does not count as a spare: its connection is opened in a moment */
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
    } else if (this.#timers.now() - this.#latest >= STAGGER) this.#dialAnother()
    return this.#opening
  }

  /**
   * Dials again while a dial is not answered: its packets may be lost, and TCP waits longer and longer before it repeats them.
   * A tunnel that comes later is a spare.
   */
  #firstToOpen(): Promise<Session> {
    return new Promise((resolve, reject) => {
      let isOver = false
      const first = (session: Session) => {
        if (isOver && this.#usable().filter(({ load }) => load === 0).length > 1) session.retire()
        isOver = true
        resolve(session)
      }
      this.#dialAnother = (stagger = STAGGER) => {
        this.#callOff()
        if (this.#pending < MAX_DIALS) this.#dialOne().then(first, reject)
        if (this.#over !== undefined) return
        this.#callOff = this.#timers.after(stagger, () => this.#dialAnother(Math.min(stagger * 1.5, LONGEST_STAGGER)))
      }
      this.#dialAnother()
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
