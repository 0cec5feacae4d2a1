/** Continuous requests during a change: over new connections, and over one that is kept alive. */
import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TLSSocket } from 'node:tls'

export interface LoadTarget {
  host: string
  address: string
  port: number
  /** The file with the CAs that the client trusts; read for each connection, as curl does. */
  ca: string
}

/** Sends 50 requests a second (fewer on a busy machine), each over a new connection, and with every fifth one more over a connection that is kept alive. */
export class Load {
  readonly failures: string[] = []
  answered = 0
  /** Fingerprints in the order in which they were first seen, and when (milliseconds since 1970). */
  readonly seen: { fingerprint: string; at: number }[] = []
  readonly #target: LoadTarget
  readonly #kept: Agent
  readonly #open = new Set<Promise<void>>()
  readonly #timer: NodeJS.Timeout
  #sent = 0

  constructor(target: LoadTarget) {
    this.#target = target
    this.#kept = new Agent({ keepAlive: true, maxSockets: 1 })
    this.#timer = setInterval(() => this.#tick(), 20)
  }

  /** Resolves once this number of requests was sent over new connections. */
  async sent(requests: number): Promise<void> {
    while (this.#sent < requests) await sleep(20)
  }

  /** Stops sending, and waits for the pending answers. */
  async end(): Promise<void> {
    clearInterval(this.#timer)
    await Promise.all(this.#open)
    this.#kept.destroy()
  }

  #tick(): void {
    this.#send(false)
    if (this.#sent++ % 5 === 0) this.#send(this.#kept)
  }

  #send(agent: Agent | false): void {
    const asking = this.#ask(agent).catch((error: Error) => {
      this.failures.push(error.message)
    })
    this.#open.add(asking)
    void asking.then(() => this.#open.delete(asking))
  }

  #ask(agent: Agent | false): Promise<void> {
    const { host, address, port, ca } = this.#target
    return new Promise((resolve, reject) => {
      const asked = request(
        { host: address, port, servername: host, headers: { host }, path: '/', agent, ca: readFileSync(ca, 'utf8') },
        (response) => {
          const { fingerprint256 } = (response.socket as TLSSocket).getPeerCertificate()
          if (agent === false && !this.seen.some(({ fingerprint }) => fingerprint === fingerprint256))
            this.seen.push({ fingerprint: fingerprint256, at: Date.now() })
          response.resume().once('end', () => {
            if (response.statusCode !== 200) reject(new Error(`HTTP ${response.statusCode}`))
            this.answered++
            resolve()
          })
        },
      )
      asked.setTimeout(20_000, () => asked.destroy(new Error('no answer in 20 s')))
      asked.once('error', reject).end()
    })
  }
}
