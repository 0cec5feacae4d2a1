/** Tunnels to one pod: a slow connection makes its session wait, so others get another one. */
import type { Session } from './session.ts'

/** More tunnels than this gain nothing; each is a connection to the API server. */
const LIMIT = 8

export class SessionPool {
  readonly #dial: (closed: (session: Session) => void) => Promise<Session>
  readonly #sessions = new Set<Session>()
  #opening: Promise<Session> | undefined
  #count = 0
  #retired = false

  /** @param dial opens a tunnel; told what to call when it is gone */
  constructor(dial: (closed: (session: Session) => void) => Promise<Session>) {
    this.#dial = dial
  }

  get sessions(): Iterable<Session> {
    return this.#sessions
  }

  /**
   * A session for the next connection: one without connections, else the one with the fewest, never a blocked one while another can be
   * had. Keeps a spare one open.
   * @throws what the dial throws
   */
  async acquire(): Promise<Session> {
    const free = this.#best()
    if (free === undefined) return this.#open()
    // The spare is opened beside the connection, not before it.
    queueMicrotask(() => this.#keepSpare())
    return free
  }

  /** Opens the first tunnel before anybody needs it. */
  warm(): Promise<unknown> {
    return this.#best() === undefined ? this.#open() : Promise.resolve()
  }

  /** No more connections; those that are there may end. */
  retire(): void {
    this.#retired = true
    for (const session of this.#sessions) session.retire()
  }

  destroy(): void {
    this.#retired = true
    for (const session of this.#sessions) session.destroy()
  }

  #best(): Session | undefined {
    const usable = [...this.#sessions].filter(({ accepts }) => accepts)
    const unblocked = usable.filter(({ blocked }) => !blocked)
    const fewest = (sessions: Session[]) => sessions.toSorted((a, b) => a.load - b.load)[0]
    return fewest(unblocked) ?? (this.#count < LIMIT ? undefined : fewest(usable))
  }

  #keepSpare(): void {
    const hasSpare = [...this.#sessions].some(({ accepts, load }) => accepts && load === 0)
    if (!hasSpare && !this.#retired && this.#count < LIMIT) this.#open().catch(() => {})
  }

  #open(): Promise<Session> {
    this.#opening ??= this.#dialOne().finally(() => {
      this.#opening = undefined
    })
    return this.#opening
  }

  async #dialOne(): Promise<Session> {
    this.#count++
    try {
      const session = await this.#dial((closed) => {
        if (this.#sessions.delete(closed)) this.#count--
      })
      this.#sessions.add(session)
      if (this.#retired) session.retire()
      return session
    } catch (error) {
      this.#count--
      throw error
    }
  }
}
