/** A TCP client at a forwarded port of the wire server: what it was sent, and how it ended. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export interface Received {
  bytes: number
  sha256: string
  /** What was said, when it is short. */
  text: string
  /** `FIN`, or the error's code. */
  end: string
}

const SHORT = 1_000

export class RawClient {
  readonly socket: Socket
  readonly received: Promise<Received>
  bytes = 0
  /** Bytes a second; undefined: as fast as it can. */
  rate: number | undefined

  /** @param line what the server shall do, see test/lab/wire/raw.go */
  constructor(port: number, line: string) {
    this.socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    this.socket.write(`${line}\n`)
    this.received = this.#receive()
  }

  /** Ends as soon as the server has. */
  async #receive(): Promise<Received> {
    const digest = createHash('sha256')
    let text = ''
    let end = 'FIN'
    try {
      for await (const chunk of this.socket.iterator({ destroyOnReturn: false })) {
        digest.update(chunk)
        this.bytes += chunk.length
        if (this.bytes < SHORT) text += chunk
        if (this.rate !== undefined) await new Promise((resolve) => setTimeout(resolve, this.#due(chunk.length)))
      }
    } catch (error) {
      end = (error as NodeJS.ErrnoException).code ?? String(error)
    }
    if (!this.socket.destroyed) this.socket.end()
    return { bytes: this.bytes, sha256: digest.digest('hex'), text, end }
  }

  #due(bytes: number): number {
    return (bytes / (this.rate ?? Number.POSITIVE_INFINITY)) * 1_000
  }

  /** Waits for room, as often as there is none. */
  async send(content: Iterable<Buffer>): Promise<void> {
    for (const block of content) if (!this.socket.write(block)) await once(this.socket, 'drain')
  }
}
