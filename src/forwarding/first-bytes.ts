/** What a client has sent before the pod answers: kept, so that it can be sent again. */
import { readHead } from './request-head.ts'
import type { Failure } from './tunnel/stream-pair.ts'

/** So much is kept until the pod answers. */
const LONGEST = 64 * 1024
/** Requests that may be sent again when nobody knows whether they were served (RFC 9110, section 9.2.2). */
const SAFE = ['GET', 'HEAD', 'OPTIONS', 'TRACE']
const NOTHING = Buffer.alloc(0)

export class FirstBytes {
  #kept: Buffer[] | undefined = []
  #length = 0
  #repeated = false

  /** Whether nothing was sent at all. */
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

  /** @returns nothing when it was forgotten */
  all(): Buffer {
    return this.#kept === undefined ? NOTHING : Buffer.concat(this.#kept)
  }

  /** The pod has answered, or it is too much. */
  forget(): void {
    this.#kept = undefined
  }

  /** @param passed whether the pod may have got it */
  mayBeSentAgain(how: Failure, passed: boolean): boolean {
    if (this.#kept === undefined) return false
    if (how === 'refused' || !passed) return true
    return this.isEmpty ? how === 'lost' : this.#isSafe()
  }

  /**
   * Asked once for each end without an answer. A process that is killed ends or resets what it has not answered, often before anybody knows
   * that its pod is going. One that means it is asked no third time.
   * @param going whether the pod is known to be going
   */
  mayBeRepeated(going: boolean, passed: boolean): boolean {
    if (going) return this.mayBeSentAgain('lost', passed)
    if (this.#repeated || this.#kept === undefined || this.isEmpty || !this.#isSafe()) return false
    this.#repeated = true
    return true
  }

  #isSafe(): boolean {
    const head = readHead(this.all())
    return head.kind === 'http' && SAFE.includes(head.method)
  }
}
