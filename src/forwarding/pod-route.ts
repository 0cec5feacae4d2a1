/** Leads connections to Ready pods of one Service, as EndpointSlices name them. */
import type { Route } from './connection.ts'
import type { Session } from './session.ts'
import { SessionPool } from './session-pool.ts'
import { pause, type Timers } from './timers.ts'

/** A pod, and the port of its container that the Service's port leads to. */
export interface ForwardTarget {
  pod: string
  port: number
}

export type RouteEvent = { event: 'connected'; pod: string } | { event: 'waiting' } | { event: 'lost'; reason: string }

export interface PodRouteOptions {
  /** Opens a tunnel. @throws UserError when it is refused */
  dial(target: ForwardTarget, closed: (session: Session) => void): Promise<Session>
  /** Told once for each change, not for each connection. */
  tell(event: RouteEvent): void
  timers: Timers
}

const RETRY_PAUSE = 100
const LONGEST_PAUSE = 2_000

export class PodRoute implements Route {
  readonly #options: PodRouteOptions
  readonly #pools = new Map<string, SessionPool>()
  #ready: ForwardTarget[] = []
  #waiters = new Set<() => void>()
  #state: RouteEvent['event'] | undefined
  #current: string | undefined
  #closed = false

  constructor(options: PodRouteOptions) {
    this.#options = options
  }

  get sessions(): Session[] {
    return [...this.#pools.values()].flatMap((pool) => [...pool.sessions])
  }

  /** The pods that are Ready now. Sessions to any other take no more connections. */
  update(ready: ForwardTarget[]): void {
    this.#ready = ready
    for (const [pod, pool] of this.#pools) {
      if (ready.some((target) => target.pod === pod)) continue
      pool.retire()
      this.#pools.delete(pod)
    }
    if (ready.length === 0) this.#say({ event: 'waiting' })
    else this.#warm()
    for (const wake of this.#waiters) wake()
  }

  async acquire(until: number): Promise<Session | undefined> {
    const { timers } = this.#options
    for (let failures = 0; !this.#closed; failures++) {
      const [target] = this.#ready
      if (target === undefined) {
        if (!(await this.#change(until - timers.now()))) return undefined
        continue
      }
      try {
        const session = await this.#poolOf(target).acquire()
        this.#connected(target.pod)
        return session
      } catch (error) {
        this.#say({ event: 'lost', reason: (error as Error).message })
        const left = until - timers.now()
        if (left <= 0) return undefined
        await pause(timers, Math.min(RETRY_PAUSE * 2 ** Math.min(failures, 5), LONGEST_PAUSE, left))
      }
    }
    return undefined
  }

  distrust(session: Session): void {
    if (!session.accepts) return
    // Its pod may be gone, or only the port closed: the watch knows the one, and a new session costs little for the other.
    session.retire()
  }

  /** Keeps tunnels alive, and finds dead ones. */
  beat(): void {
    for (const session of this.sessions) session.beat()
  }

  close(): void {
    this.#closed = true
    for (const pool of this.#pools.values()) pool.destroy()
    this.#pools.clear()
    for (const wake of this.#waiters) wake()
  }

  #warm(): void {
    const [target] = this.#ready
    if (target === undefined || this.#closed) return
    this.#poolOf(target)
      .warm()
      .then(() => this.#connected(target.pod))
      .catch(() => {})
  }

  #poolOf(target: ForwardTarget): SessionPool {
    const known = this.#pools.get(target.pod)
    if (known !== undefined) return known
    const pool = new SessionPool((closed) => this.#options.dial(target, closed))
    this.#pools.set(target.pod, pool)
    return pool
  }

  #connected(pod: string): void {
    if (this.#state === 'connected' && this.#current === pod) return
    this.#current = pod
    this.#say({ event: 'connected', pod })
  }

  #say(event: RouteEvent): void {
    if (event.event !== 'connected' && this.#state === event.event) return
    this.#state = event.event
    this.#options.tell(event)
  }

  /** @returns whether something changed before the time was up */
  #change(milliseconds: number): Promise<boolean> {
    if (milliseconds <= 0) return Promise.resolve(false)
    return new Promise((resolve) => {
      const wake = () => {
        callOff()
        this.#waiters.delete(wake)
        resolve(true)
      }
      const callOff = this.#options.timers.after(milliseconds, () => {
        this.#waiters.delete(wake)
        resolve(false)
      })
      this.#waiters.add(wake)
    })
  }
}
