/** Finds sessions to the Ready pods of one Service. The watch of its EndpointSlices keeps the list of pods up to date. */

import { LONGEST, pause, type Timers } from '../time/timers.ts'
import type { Route } from './connection.ts'
import type { Session } from './tunnel/session.ts'
import { SessionPool } from './tunnel/session-pool.ts'

/** A pod and the container port behind the Service's port. */
export interface ForwardTarget {
  pod: string
  port: number
}

export type RouteEvent =
  | { event: 'connected'; pod: string }
  | { event: 'waiting' }
  | { event: 'lost'; reason: string; cause: Error }

export interface PodRouteOptions {
  /** Opens a tunnel; `closed` is called when it is gone. @throws UserError when it is refused */
  dial(target: ForwardTarget, closed: (session: Session) => void): Promise<Session>
  /** Called once for each change, not for each connection. */
  tell(event: RouteEvent): void
  timers: Timers
  /** @returns 0 to 1, for jitter: many clients must not reconnect at the same moment */
  chance(): number
}

/**
 * Milliseconds that a terminating pod has to answer once another one is Ready. Its sandbox may be removed without closing connections,
 * so waiting longer may be in vain.
 */
const GRACE = 1_000
const RETRY_PAUSE = 100
/** Longest pause between retries while a client waits. */
const LONGEST_PAUSE = 1_000
/** Longest pause between retries while no client waits. */
const LONGEST_IDLE_PAUSE = 5_000

export class PodRoute implements Route {
  readonly #options: PodRouteOptions
  readonly #pools = new Map<string, SessionPool>()
  /** All open sessions, including those to pods that are gone and still have connections. */
  readonly #sessions = new Set<Session>()
  #ready: ForwardTarget[] = []
  readonly #waiters = new Set<() => void>()
  #state: RouteEvent['event'] | undefined
  #current: string | undefined
  /** The pod that was reached last: it gets the next connections. */
  #preferred: ForwardTarget | undefined
  #warming = false
  /** Whether a tunnel has become silent, has broken or could not be opened since the last success. */
  #suspicious = false
  #reason = ''
  #closed = false
  #callOff = () => {}
  #recovered = () => {}

  constructor(options: PodRouteOptions) {
    this.#options = options
  }

  /**
   * Sets what to call when pods can be reached again after a failure, or when a pod is gone that the watch still reports: the
   * watch may hang on a dead connection too.
   */
  onRecovery(act: () => void): void {
    this.#recovered = act
  }

  /** Sets the pods that are Ready now. Sessions to other pods take no more connections. */
  update(ready: ForwardTarget[]): void {
    if (this.#closed) return
    this.#ready = ready
    const names = new Set(ready.map(nameOf))
    for (const [name, pool] of this.#pools) {
      if (names.has(name)) continue
      pool.retire()
      this.#pools.delete(name)
    }
    if (ready.length === 0) this.#report({ event: 'waiting' })
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
    // The pod may be gone, which the watch reports, or only its port may be closed, and then a new session costs little.
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

  /** Call it regularly: keeps tunnels alive and finds dead ones. */
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

  /** Opens the first tunnel to a pod before a client needs it, so that problems are reported early. */
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
        if (!(await this.#nextChange(left, signal))) return undefined
        failures = 0
        continue
      }
      const session = await this.#untilGivenUp(this.#try(target, take, failures), until, signal)
      if (session !== undefined) return session
      if (!this.#isReady(target)) continue
      failed = target
      if (until <= timers.now()) return undefined
      const longest = Math.min(RETRY_PAUSE * 2 ** failures++, cap) * (0.5 + chance() / 2)
      await this.#nextChange(Math.min(longest, until - timers.now()), signal)
    }
    return undefined
  }

  /** Stops waiting for a dial when the client gives up: a dial may take longer. */
  #untilGivenUp<T>(trying: Promise<T>, until: number, signal?: AbortSignal): Promise<T | undefined> {
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
      // The pod is gone before the watch reported it. That is normal once; the second time the watch itself may be dead.
      if (cause.code === 'NOT_FOUND') {
        if (failures > 0) this.#recovered()
        return undefined
      }
      this.#suspicious = true
      this.#reason = cause.message
      this.#report({ event: 'lost', reason: cause.message, cause })
      return undefined
    }
  }

  /** Chooses the preferred pod while it is Ready, otherwise the one after `failed`. */
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
      if (!one.retired) this.#reconnect()
    })
    if (!gone) this.#sessions.add(session)
    if (this.#suspicious && !this.#closed) this.#recovered()
    this.#suspicious = false
    return session
  }

  /** Reconnects before the next client needs it, and reports the result. */
  #reconnect(): void {
    this.#suspicious = true
    if (!this.#closed && this.#ready.length > 0) void this.#warm()
  }

  #connected(pod: string): void {
    if (this.#closed) return
    if (this.#state === 'connected' && this.#current === pod) return
    this.#current = pod
    this.#report({ event: 'connected', pod })
    // Connections that pause before a retry need not wait any longer.
    for (const wake of [...this.#waiters]) wake()
  }

  #report(event: RouteEvent): void {
    if (this.#closed || (event.event !== 'connected' && this.#state === event.event)) return
    this.#state = event.event
    this.#options.tell(event)
  }

  /** @returns whether pods or the connection changed in time */
  #nextChange(milliseconds: number, signal?: AbortSignal): Promise<boolean> {
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

/** With the port, because a change of the Service may lead to another port of the same pod. */
function nameOf({ pod, port }: ForwardTarget): string {
  return `${pod}:${port}`
}
