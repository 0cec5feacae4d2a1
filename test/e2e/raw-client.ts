/** A TCP client of a forwarded port of the wire server. It records the received bytes and how the connection ended. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export interface Received {
  bytes: number
  sha256: string
  /** The received text, if it is short. */
  text: string
  /** `FIN`, or the error's code. */
  end: string
}

const SHORT = 1_000

export class RawClient {
  readonly socket: Socket
  readonly received: Promise<Received>
  bytes = 0
  /** Bytes a second; undefined for no limit. */
  rate: number | undefined

  /** @param line command for the server, see test/lab/wire/raw.go */
  constructor(port: number, line: string) {
    this.socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    this.socket.write(`${line}\n`)
    this.received = this.#receive()
  }

  /** Ends the connection as soon as the server ends it. */
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

  /** Sends blocks, and waits whenever the socket's buffer is full. */
  async send(content: Iterable<Buffer>): Promise<void> {
    for (const block of content) if (!this.socket.write(block)) await once(this.socket, 'drain')
  }
}
