/** A connection in a tunnel as a Node stream, so that TLS can run over it. */
import { Duplex } from 'node:stream'
import type { Session } from './session.ts'
import type { Stream } from './stream-pair.ts'

export class StreamDuplex extends Duplex {
  readonly #stream: Stream
  #written: (() => void) | undefined

  constructor(session: Session) {
    super()
    this.#stream = session.open({
      data: (bytes) => this.push(bytes),
      drain: () => {
        const written = this.#written
        this.#written = undefined
        written?.()
      },
      end: () => void this.push(null),
      // Not needed: requests over this stream are short and have their own time limit.
      silent: () => {},
      leave: () => {},
      fail: (reason) => this.destroy(new Error(reason)),
    })
  }

  override _read(): void {
    this.#stream.resumed()
  }

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (this.#stream.write(bytes)) done()
    else this.#written = done
  }

  override _final(done: () => void): void {
    this.#stream.end()
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#stream.close()
    done(error)
  }
}
