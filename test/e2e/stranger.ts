/** Somebody without credentials who asks for pages of an add-on all the time, in every way, and notes whether one was ever served. */
import { request as httpRequest } from 'node:http'
import { type ClientHttp2Session, connect as http2Connect } from 'node:http2'
import { request as httpsRequest } from 'node:https'
import { type Socket, connect as tcpConnect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as tlsConnect } from 'node:tls'
import { loadBalancerAddress } from '../lab/lab.ts'

export interface Door {
  host: string
  port: number
  secure: boolean
  path: string
}

/** What the stranger got: `new 200`, `old connection 404`, `port 80 as if by HTTPS 301`; 0 without an answer. */
export interface Seen {
  way: string
  door: Door
  status: number
}

/** Milliseconds between two requests to a door. */
const PAUSE = 10

export class Stranger {
  readonly #doors: readonly Door[]
  readonly #seen = new Map<string, number>()
  readonly pages: Seen[] = []
  #idle: (() => Promise<void>)[] = []
  #ended = false
  #rounds: Promise<void> = Promise.resolve()
  #sockets: Socket[] = []

  constructor(...doors: Door[]) {
    this.#doors = doors
  }

  /**
   * Opens connections that stay idle until one of them is used, every 300 ms while the stranger asks: the gateway ends a connection
   * with its first answer after a change, so each shows only one moment.
   * @param servername a host that is served now @param door what is asked for later
   */
  async connectBefore(count: number, servername: string | undefined, door: Door): Promise<void> {
    const open = () => (servername === undefined ? this.#openHttp1(door) : this.#openHttp2(servername, door))
    this.#idle.push(...(await Promise.all(Array.from({ length: count }, open))))
  }

  start(): void {
    const asking = this.#doors.flatMap((door) => {
      const plain = { ...door, port: 80, secure: false }
      return [
        this.#askAgain('new', door, () => askOnce(door)),
        this.#askAgain('port 80 as if by HTTPS', door, () => askOnce(plain, { 'x-forwarded-proto': 'https' })),
      ]
    })
    this.#rounds = Promise.all([...asking, this.#askOld()]).then(() => {})
  }

  /** For controls. @throws Error when no page is served in time */
  async untilPage(): Promise<void> {
    for (let waited = 0; this.pages.length === 0; waited += 50) {
      if (waited > 20_000) throw new Error(`no page was served: ${JSON.stringify(Object.fromEntries(this.#seen))}`)
      await sleep(50)
    }
  }

  /** @returns how often each kind of answer was seen */
  async end(): Promise<Record<string, number>> {
    this.#ended = true
    await this.#rounds
    for (const socket of this.#sockets) socket.destroy()
    return Object.fromEntries(this.#seen)
  }

  /** A door that does not answer for seconds must not keep the stranger from the others. */
  async #askAgain(way: string, door: Door, ask: () => Promise<number>): Promise<void> {
    while (!this.#ended) {
      this.#note(way, door, await ask())
      await sleep(PAUSE)
    }
  }

  async #askOld(): Promise<void> {
    while (!this.#ended) {
      await this.#idle.shift()?.()
      await sleep(300)
    }
  }

  #note(way: string, door: Door, status: number): void {
    const key = `${way} ${status}`
    this.#seen.set(key, (this.#seen.get(key) ?? 0) + 1)
    if (status === 200 || status === 302) this.pages.push({ way, door, status })
  }

  async #openHttp2(servername: string, door: Door): Promise<() => Promise<void>> {
    const options = {
      host: loadBalancerAddress,
      port: 443,
      servername,
      rejectUnauthorized: false,
      ALPNProtocols: ['h2'],
    }
    const socket = tlsConnect(options).on('error', () => {})
    this.#sockets.push(socket)
    await new Promise((resolve) => socket.once('secureConnect', resolve).once('close', resolve))
    const session = http2Connect(`https://${servername}`, { createConnection: () => socket }).on('error', () => {})
    return async () => this.#note('old connection', door, await over(session, door))
  }

  async #openHttp1(door: Door): Promise<() => Promise<void>> {
    const socket = tcpConnect(door.port, loadBalancerAddress).on('error', () => {})
    this.#sockets.push(socket)
    await new Promise((resolve) => socket.once('connect', resolve).once('close', resolve))
    // A request makes it a connection of this listener; the filters are those of now.
    await raw(socket, { ...door, host: 'nobody.example.com' })
    return async () => this.#note('old connection', door, await raw(socket, door))
  }
}

function over(session: ClientHttp2Session, { host, path }: Door): Promise<number> {
  return new Promise((resolve) => {
    if (session.closed || session.destroyed) return resolve(0)
    const stream = session.request({ ':authority': host, ':path': path })
    stream.once('response', (headers) => resolve(Number(headers[':status'])))
    stream.once('error', () => resolve(0)).once('close', () => resolve(0))
    stream.resume()
  })
}

function raw(socket: Socket, { host, path }: Door): Promise<number> {
  return new Promise((resolve) => {
    if (socket.destroyed) return resolve(0)
    socket.once('close', () => resolve(0))
    socket.once('data', (data) => resolve(Number(/^HTTP\/1\.1 (\d+)/.exec(data.toString())?.[1] ?? 0)))
    socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
  })
}

/** One request over a new connection. @returns the status; 0 without an answer */
export function askOnce(door: Door, headers: Record<string, string> = {}): Promise<number> {
  const { host, port, secure, path } = door
  const standard = port === (secure ? 443 : 80)
  const options = {
    host: loadBalancerAddress,
    port,
    path,
    agent: false as const,
    servername: host,
    rejectUnauthorized: false,
    timeout: 5_000,
    headers: { host: standard ? host : `${host}:${port}`, ...headers },
  }
  return new Promise((resolve) => {
    const request = (secure ? httpsRequest : httpRequest)(options, (response) => {
      response.resume().once('close', () => resolve(response.statusCode ?? 0))
    })
    request.once('error', () => resolve(0)).once('timeout', () => request.destroy())
    request.end()
  })
}
