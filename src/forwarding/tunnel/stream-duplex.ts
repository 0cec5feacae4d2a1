/** A connection in a tunnel as Node's streams have them: TLS can be spoken over it. */
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
      // It is for short questions with a time limit of their own.
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
