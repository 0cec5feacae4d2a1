/** Tunnels to one pod: a slow connection makes its session wait, so others get another one. */
import type { Session } from './session.ts'

/** More tunnels that take connections than this gain nothing; each is a connection to the API server. */
const LIMIT = 8

export class SessionPool {
  readonly #dial: (closed: (session: Session) => void) => Promise<Session>
  readonly #sessions = new Set<Session>()
  #opening: Promise<Session> | undefined
  #over: 'retired' | 'destroyed' | undefined

  /** @param dial opens a tunnel; told what to call when it is gone */
  constructor(dial: (closed: (session: Session) => void) => Promise<Session>) {
    this.#dial = dial
  }

  /**
   * A session for the next connection: one without connections, else the one with the fewest, never a blocked one while another can be
   * had. Keeps a spare one open. Between the dial and the answer it may have gone: ask whether it accepts.
   * @throws what the dial throws
   */
  async acquire(): Promise<Session> {
    const session = await this.warm()
    // The spare is opened beside the connection, not before it.
    queueMicrotask(() => this.#keepSpare(session))
    return session
  }

  /** Opens the first tunnel before anybody needs it. */
  async warm(): Promise<Session> {
    return this.#best() ?? this.#open()
  }

  /** No more connections; those that are there may end. */
  retire(): void {
    this.#over ??= 'retired'
    for (const session of this.#sessions) session.retire()
  }

  destroy(): void {
    this.#over = 'destroyed'
    for (const session of this.#sessions) session.destroy()
  }

  #usable(): Session[] {
    return [...this.#sessions].filter(({ accepts }) => accepts)
  }

  #best(): Session | undefined {
    const usable = this.#usable()
    const fewest = (sessions: Session[]) => sessions.toSorted((a, b) => a.load - b.load)[0]
    const unblocked = usable.filter(({ blocked }) => !blocked)
    return fewest(unblocked) ?? (usable.length < LIMIT ? undefined : fewest(usable))
  }

  /** @param taken the connection that it was given to comes in a moment */
  #keepSpare(taken: Session): void {
    const usable = this.#usable()
    const hasSpare = usable.some((session) => session !== taken && session.load === 0)
    if (!hasSpare && this.#over === undefined && usable.length < LIMIT) this.#open().catch(() => {})
  }

  #open(): Promise<Session> {
    this.#opening ??= this.#dialOne().finally(() => {
      this.#opening = undefined
    })
    return this.#opening
  }

  async #dialOne(): Promise<Session> {
    let gone = false
    const session = await this.#dial((closed) => {
      gone = true
      this.#sessions.delete(closed)
    })
    if (!gone) this.#sessions.add(session)
    if (this.#over === 'retired') session.retire()
    if (this.#over === 'destroyed') session.destroy()
    return session
  }
}
