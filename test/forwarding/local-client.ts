/** A client at a real local port, and a fake route behind it. */
import { connect, type Socket } from 'node:net'
import { type ByteCounts, type ConnectionOptions, carry, type Route } from '../../src/forwarding/connection.ts'
import type { Listening } from '../../src/forwarding/listener.ts'
import { TcpListener } from '../../src/forwarding/tcp-listener.ts'
import { Session } from '../../src/forwarding/tunnel/session.ts'
import { FakeKubelet } from '../fakes/fake-kubelet.ts'
import { eventually, FakeTimers } from '../fakes/fake-timers.ts'

/** A route to one pod after the other, each with one session for as long as it accepts connections. */
export class FakeRoute implements Route {
  readonly kubelets: FakeKubelet[] = []
  readonly distrusted: Session[] = []
  /** Whether there is no Ready pod. */
  isEmpty = false
  waiting = 0
  session: Session | undefined
  readonly #timers: FakeTimers
  #wake: () => void = () => {}

  constructor(timers: FakeTimers) {
    this.#timers = timers
  }

  get kubelet(): FakeKubelet {
    const last = this.kubelets.at(-1)
    if (last === undefined) throw new Error('no session was opened')
    return last
  }

  ready(): void {
    this.isEmpty = false
    this.#wake()
  }

  async acquire(until: number, signal?: AbortSignal): Promise<Session | undefined> {
    if (this.isEmpty) await this.#wait(until, signal)
    if (this.isEmpty) return undefined
    if (!this.session?.accepts) {
      const kubelet = new FakeKubelet()
      this.kubelets.push(kubelet)
      this.session = new Session(kubelet.upgraded, 3000, this.#timers, () => {})
    }
    return this.session
  }

  trouble = ''
  hasPods = false
  doubts = 0

  doubt(): void {
    this.doubts++
  }

  distrust(session: Session): void {
    this.distrusted.push(session)
    session.retire()
  }

  async #wait(until: number, signal?: AbortSignal): Promise<void> {
    this.waiting++
    let callOff = () => {}
    await new Promise<void>((resolve) => {
      this.#wake = resolve
      callOff = this.#timers.after(until - this.#timers.now(), resolve)
      signal?.addEventListener('abort', () => resolve())
    })
    callOff()
    this.waiting--
  }
}

export class Client {
  readonly socket: Socket
  text = ''
  length = 0
  isEnded = false
  isClosed = false
  error: string | undefined

  constructor(port: number, keeps = true) {
    this.socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    this.socket.on('data', (bytes: Buffer) => {
      this.length += bytes.length
      if (keeps) this.text += bytes.toString('latin1')
    })
    this.socket.on('end', () => {
      this.isEnded = true
    })
    this.socket.on('close', () => {
      this.isClosed = true
    })
    this.socket.on('error', ({ code }: NodeJS.ErrnoException) => {
      this.error = code
    })
  }

  async send(...pieces: (string | Buffer)[]): Promise<void> {
    for (const piece of pieces) {
      this.socket.write(piece)
      // So that each piece is a packet of its own, as far as that can be controlled.
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
}

/** A local port whose connections are carried to a fake route. */
export class ForwardedPort {
  readonly timers = new FakeTimers()
  readonly route = new FakeRoute(this.timers)
  readonly done: ByteCounts[] = []
  /** The server's ends of the connections. */
  readonly locals: Socket[] = []
  readonly clients: Client[] = []
  #listening: Listening | undefined
  readonly #options: Partial<ConnectionOptions>

  constructor(options: Partial<ConnectionOptions> = {}) {
    this.#options = options
  }

  async client(keeps = true): Promise<Client> {
    const options = { wait: 10_000, localHostsOnly: true, title: 'grafana', timers: this.timers, ...this.#options }
    this.#listening ??= await this.#listen(options)
    const known = this.locals.length
    const client = new Client(this.#listening.port, keeps)
    this.clients.push(client)
    await eventually(() => this.locals.length > known)
    return client
  }

  close(): void {
    this.#listening?.close()
    for (const { socket } of this.clients) socket.destroy()
    for (const local of this.locals) local.destroy()
  }

  async #listen(options: ConnectionOptions): Promise<Listening> {
    for (let port = 20_000 + (process.pid % 20_000); ; port++) {
      const listening = await new TcpListener().listen(['127.0.0.1'], port, (socket) => {
        this.locals.push(socket)
        void carry(socket, this.route, options).then((carried) => this.done.push(carried))
      })
      if (!('failure' in listening)) return listening
    }
  }
}
