/** Pure: follows the requests of one connection, and holds the head of each back until it is complete and was checked. */
import type { Page } from './page.ts'
import { type HttpHead, hasForeignHost, isForeignChange, readHead } from './request-head.ts'

/** Methods of requests that may be sent twice (RFC 9110, section 9.2.2). */
const SAFE = ['GET', 'HEAD', 'OPTIONS', 'TRACE']
const NOTHING = Buffer.alloc(0)
const FOREIGN_HOST: Page = {
  status: '403 Forbidden',
  why: 'this port serves requests only for localhost (the Host header has another name)',
}
const FOREIGN_PAGE: Page = {
  status: '403 Forbidden',
  why: 'this port accepts only reading requests from pages of other origins (the Origin or Sec-Fetch-Site header names another one)',
}
const TOO_LONG: Page = {
  status: '431 Request Header Fields Too Large',
  why: 'the head of the request is longer than 64 KiB',
}

/**
 * Browsers send the requests of different pages over the same connection, so each head is checked, not only the first one. Bytes are
 * not changed. After an upgrade, a body in chunks or bytes that are not HTTP/1 everything passes: browsers send no request after them.
 */
export class RequestGate {
  readonly #localHostsOnly: boolean
  /** The beginning of a head. */
  #held: Buffer = NOTHING
  /** Bytes of a body that are still to come. */
  #body = 0
  #open = false
  #requests = 0
  #hasPassed = false
  #isUntouched = true
  #isSafe = true

  /** @param localHostsOnly whether to refuse requests whose Host header does not name this machine */
  constructor(localHostsOnly: boolean) {
    this.#localHostsOnly = localHostsOnly
  }

  /** Whether the client has sent nothing. */
  get isUntouched(): boolean {
    return this.#isUntouched
  }

  /** Whether anything has passed, which may be only the end of the client's bytes. */
  get hasPassed(): boolean {
    return this.#hasPassed
  }

  /** Whether the client has sent a request. */
  get speaksHttp(): boolean {
    return this.#requests > 0
  }

  /** Whether all that has passed may be sent again after a part of it may have been carried out. */
  get isSafe(): boolean {
    return this.#isSafe
  }

  /** @returns the bytes that may go to the pod now, or the answer to a request that may not */
  take(bytes: Buffer): Buffer | Page {
    this.#isUntouched = false
    const all = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes])
    let passed = 0
    while (!this.#open && passed < all.length) {
      if (this.#body > 0) {
        const part = Math.min(this.#body, all.length - passed)
        this.#body -= part
        passed += part
        continue
      }
      const length = this.#readHead(all.subarray(passed))
      if (typeof length !== 'number') return length
      if (length === 0) break
      passed += length
    }
    if (this.#open) return this.#passUnread(all)
    this.#held = all.subarray(passed)
    this.#hasPassed ||= passed > 0
    return all.subarray(0, passed)
  }

  /** Checks nothing any more. @returns the bytes that were held back */
  release(): Buffer {
    this.#open = true
    return this.#passUnread(this.#held)
  }

  #passUnread(bytes: Buffer): Buffer {
    if (bytes.length > 0) this.#isSafe = false
    this.#held = NOTHING
    this.#hasPassed = true
    return bytes
  }

  /** @returns the length of the head, 0 if it is not complete or nothing more can be read */
  #readHead(bytes: Buffer): number | Page {
    // Some clients send an empty line after a body.
    const blank = this.#requests === 0 ? 0 : (/^(\r?\n)*/.exec(bytes.toString('latin1', 0, 8))?.[0].length ?? 0)
    if (blank > 0) return blank
    const head = readHead(bytes)
    if (head.kind === 'more') return 0
    if (head.kind === 'too long') return TOO_LONG
    if (head.kind === 'other') {
      this.#open = true
      return 0
    }
    if (this.#localHostsOnly && hasForeignHost(head)) return FOREIGN_HOST
    if (isForeignChange(head)) return FOREIGN_PAGE
    this.#begin(head)
    return head.length
  }

  #begin({ method, fields }: HttpHead): void {
    this.#requests++
    this.#isSafe &&= SAFE.includes(method)
    const [length = '0', ...others] = fields.get('content-length') ?? []
    this.#body = Number(length)
    this.#open =
      method === 'CONNECT' ||
      ['upgrade', 'transfer-encoding'].some((name) => fields.has(name)) ||
      others.length > 0 ||
      !/^\d{1,15}$/.test(length)
  }
}
