/** Leads connections to Ready pods of one Service, as EndpointSlices name them. */
import { LONGEST, pause, type Timers } from '../time/timers.ts'
import type { Route } from './connection.ts'
import type { Session } from './tunnel/session.ts'
import { SessionPool } from './tunnel/session-pool.ts'

/** A pod, and the port of its container that the Service's port leads to. */
export interface ForwardTarget {
  pod: string
  port: number
}

export type RouteEvent =
  | { event: 'connected'; pod: string }
  | { event: 'waiting' }
  | { event: 'lost'; reason: string; cause: Error }

export interface PodRouteOptions {
  /** Opens a tunnel. @throws UserError when it is refused */
  dial(target: ForwardTarget, closed: (session: Session) => void): Promise<Session>
  /** Told once for each change, not for each connection. */
  tell(event: RouteEvent): void
  timers: Timers
  /** 0 to 1, for jitter: many clients must not come back at the same moment. */
  chance(): number
}

/** Milliseconds that a pod which is going has to answer, once another one is Ready: its sandbox may end without a word to anybody. */
const GRACE = 1_000
const RETRY_PAUSE = 100
/** While somebody waits, */
const LONGEST_PAUSE = 1_000
/** and while nobody does. */
const LONGEST_IDLE_PAUSE = 5_000

export class PodRoute implements Route {
  /** Tunnels lead to pods again, or to a pod that went unseen: whoever watches the pods may be connected to nothing. */
  recovered = () => {}
  readonly #options: PodRouteOptions
  readonly #pools = new Map<string, SessionPool>()
  /** Those of pods that are gone too, while connections last. */
  readonly #sessions = new Set<Session>()
  #ready: ForwardTarget[] = []
  readonly #waiters = new Set<() => void>()
  #state: RouteEvent['event'] | undefined
  #current: string | undefined
  /** Where connections go: the pod that was reached last. */
  #preferred: ForwardTarget | undefined
  #warming = false
  /** Tunnels have fallen silent, broken or not been opened. */
  #suspicious = false
  #reason = ''
  #closed = false
  #callOff = () => {}

  constructor(options: PodRouteOptions) {
    this.#options = options
  }

  /** The pods that are Ready now. Sessions to any other take no more connections. */
  update(ready: ForwardTarget[]): void {
    if (this.#closed) return
    this.#ready = ready
    const names = new Set(ready.map(nameOf))
    for (const [name, pool] of this.#pools) {
      if (names.has(name)) continue
      pool.retire()
      this.#pools.delete(name)
    }
    if (ready.length === 0) this.#say({ event: 'waiting' })
    for (const wake of [...this.#waiters]) wake()
    this.#callOff()
    if (ready.length === 0) return
    void this.#warm()
    this.#callOff = this.#options.timers.after(GRACE, () => {
      for (const session of this.#sessions) if (session.retired) session.leave()
    })
  }

  acquire(until: number, signal?: AbortSignal): Promise<Session | undefined> {
    return this.#reach((pool) => pool.acquire(), until, signal)
  }

  distrust(session: Session): void {
    // Its pod may be gone, or only the port closed: the watch knows the one, and a new session costs little for the other.
    if (session.accepts) session.retire()
  }

  doubt(): void {
    this.#suspicious = true
    for (const session of this.#sessions) session.question()
  }

  get trouble(): string {
    return this.#state === 'lost' ? this.#reason : ''
  }

  get hasPods(): boolean {
    return this.#ready.length > 0
  }

  /** Keeps tunnels alive, and finds dead ones. */
  beat(): void {
    for (const session of this.#sessions) session.beat()
  }

  close(): void {
    this.#closed = true
    this.#callOff()
    for (const pool of this.#pools.values()) pool.destroy()
    this.#pools.clear()
    for (const session of this.#sessions) session.destroy()
    for (const wake of [...this.#waiters]) wake()
  }

  /** Opens the first tunnel to a pod before anybody needs it, and so says early what stands in its way. */
  async #warm(): Promise<void> {
    if (this.#warming) return
    this.#warming = true
    await this.#reach((pool) => pool.warm(), Number.POSITIVE_INFINITY)
    this.#warming = false
  }

  async #reach(
    take: (pool: SessionPool) => Promise<Session>,
    until: number,
    signal?: AbortSignal,
  ): Promise<Session | undefined> {
    const { timers, chance } = this.#options
    const cap = until === Number.POSITIVE_INFINITY ? LONGEST_IDLE_PAUSE : LONGEST_PAUSE
    let failed: ForwardTarget | undefined
    for (let failures = 0; !this.#closed && !signal?.aborted; ) {
      const target = this.#choose(failed)
      const left = until - timers.now()
      if (target === undefined) {
        if (!(await this.#change(left, signal))) return undefined
        failures = 0
        continue
      }
      const session = await this.#soon(this.#try(target, take, failures), until, signal)
      if (session !== undefined) return session
      if (!this.#isReady(target)) continue
      failed = target
      if (until <= timers.now()) return undefined
      const longest = Math.min(RETRY_PAUSE * 2 ** failures++, cap) * (0.5 + chance() / 2)
      await this.#change(Math.min(longest, until - timers.now()), signal)
    }
    return undefined
  }

  /** A dial may take longer than anybody waits. */
  #soon<T>(trying: Promise<T>, until: number, signal?: AbortSignal): Promise<T | undefined> {
    if (until === Number.POSITIVE_INFINITY) return trying
    const ending = new AbortController()
    const end = () => ending.abort('over')
    signal?.addEventListener('abort', end)
    const over = pause(this.#options.timers, Math.max(0, until - this.#options.timers.now()), ending.signal)
    if (signal?.aborted) end()
    return Promise.race([trying, over.then(() => undefined)]).finally(() => {
      end()
      signal?.removeEventListener('abort', end)
    })
  }

  /** @returns undefined when the pod cannot be reached now */
  async #try(
    target: ForwardTarget,
    take: (pool: SessionPool) => Promise<Session>,
    failures: number,
  ): Promise<Session | undefined> {
    try {
      const session = await take(this.#poolOf(target))
      if (!session.accepts) return undefined
      this.#preferred = target
      this.#connected(target.pod)
      return session
    } catch (error) {
      const cause = error as Error & { code?: string }
      if (this.#preferred !== undefined && nameOf(this.#preferred) === nameOf(target)) this.#preferred = undefined
      // A pod that has gone before the watch says so: nothing is lost, unless the watch has nothing to say any more.
      if (cause.code === 'NOT_FOUND') {
        if (failures > 0) this.recovered()
        return undefined
      }
      this.#suspicious = true
      this.#reason = cause.message
      this.#say({ event: 'lost', reason: cause.message, cause })
      return undefined
    }
  }

  /** The pod that connections go to already, as long as it is Ready; after a failure the next one. */
  #choose(failed: ForwardTarget | undefined): ForwardTarget | undefined {
    const after = failed === undefined ? -1 : this.#indexOf(failed)
    const preferred = this.#preferred === undefined ? -1 : this.#indexOf(this.#preferred)
    return this.#ready[preferred >= 0 ? preferred : (after + 1) % this.#ready.length]
  }

  #indexOf(target: ForwardTarget): number {
    return this.#ready.findIndex((one) => nameOf(one) === nameOf(target))
  }

  #isReady(target: ForwardTarget): boolean {
    return this.#indexOf(target) >= 0
  }

  #poolOf(target: ForwardTarget): SessionPool {
    const known = this.#pools.get(nameOf(target))
    if (known !== undefined) return known
    const pool = new SessionPool((closed) => this.#dial(target, closed), this.#options.timers)
    this.#pools.set(nameOf(target), pool)
    return pool
  }

  async #dial(target: ForwardTarget, closed: (session: Session) => void): Promise<Session> {
    let gone = false
    const session = await this.#options.dial(target, (one) => {
      gone = true
      this.#sessions.delete(one)
      closed(one)
      if (!one.retired) this.#broken()
    })
    if (!gone) this.#sessions.add(session)
    if (this.#suspicious && !this.#closed) this.recovered()
    this.#suspicious = false
    return session
  }

  /** Somebody may come: finds out before that what there is now, and says so. */
  #broken(): void {
    this.#suspicious = true
    if (!this.#closed && this.#ready.length > 0) void this.#warm()
  }

  #connected(pod: string): void {
    if (this.#closed) return
    if (this.#state === 'connected' && this.#current === pod) return
    this.#current = pod
    this.#say({ event: 'connected', pod })
    // Those that wait before they try again need not.
    for (const wake of [...this.#waiters]) wake()
  }

  #say(event: RouteEvent): void {
    if (this.#closed || (event.event !== 'connected' && this.#state === event.event)) return
    this.#state = event.event
    this.#options.tell(event)
  }

  /** @returns whether something changed before the time was up */
  #change(milliseconds: number, signal?: AbortSignal): Promise<boolean> {
    if (milliseconds <= 0 || this.#closed || signal?.aborted) return Promise.resolve(false)
    return new Promise((resolve) => {
      const end = (changed: boolean) => {
        callOff()
        this.#waiters.delete(wake)
        signal?.removeEventListener('abort', giveUp)
        resolve(changed)
      }
      const wake = () => end(true)
      const giveUp = () => end(false)
      const callOff = this.#options.timers.after(Math.min(milliseconds, LONGEST), giveUp)
      signal?.addEventListener('abort', giveUp)
      this.#waiters.add(wake)
    })
  }
}

/** A pod's port may change while it runs, when the Service does. */
function nameOf({ pod, port }: ForwardTarget): string {
  return `${pod}:${port}`
}
