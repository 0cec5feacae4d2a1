/** Keeps what a client sends before the pod answers, so that it can be sent again to another pod. */
import type { RequestGate } from './request-gate.ts'
import type { Failure } from './tunnel/stream-pair.ts'

/** How many bytes are kept until the pod answers. */
const LONGEST = 64 * 1024
const NOTHING = Buffer.alloc(0)

type Passing = Pick<RequestGate, 'hasPassed' | 'isSafe'>

export class FirstBytes {
  #kept: Buffer[] | undefined = []
  #length = 0
  #repeated = false

  /** Whether nothing has passed. */
  get isEmpty(): boolean {
    return this.#length === 0
  }

  get isTooLong(): boolean {
    return this.#length > LONGEST
  }

  add(bytes: Buffer): void {
    this.#length += bytes.length
    this.#kept?.push(bytes)
  }

  /** @returns an empty buffer after `forget` */
  all(): Buffer {
    return this.#kept === undefined ? NOTHING : Buffer.concat(this.#kept)
  }

  /** Call it when the pod has answered, or when there are too many bytes to keep. */
  forget(): void {
    this.#kept = undefined
  }

  /** @param gate through which the bytes came */
  mayResend(how: Failure, { hasPassed, isSafe }: Passing): boolean {
    if (this.#kept === undefined) return false
    if (how === 'refused' || !hasPassed) return true
    return this.isEmpty ? how === 'lost' : isSafe
  }

  /**
   * Call it for each end without an answer. A killed process ends or resets the connections that it has not answered, often before the
   * watch reports that its pod terminates. A server that ends the connection on purpose gets the request twice, but not a third time.
   * @param terminating whether the pod is known to terminate
   */
  mayRepeat(terminating: boolean, gate: Passing): boolean {
    if (terminating) return this.mayResend('lost', gate)
    if (this.#repeated || this.#kept === undefined || this.isEmpty || !gate.isSafe) return false
    this.#repeated = true
    return true
  }
}
