/** The head of a connection's first request: pure. A page of somebody else's may send a browser to our port under its own name. */
import { isIP } from 'node:net'

export type Head =
  /** Too little to tell. */
  | { kind: 'more' }
  /** Not HTTP/1: nothing to check. */
  | { kind: 'other' }
  | { kind: 'http'; host: string | undefined }

const METHOD = /^[A-Z]{1,20}( |$)/
const LONGEST = 32 * 1024

/** @param bytes what the client has sent so far */
export function readHead(bytes: Buffer): Head {
  if (bytes.length === 0) return { kind: 'more' }
  const text = bytes.toString('latin1')
  if (!METHOD.test(text.slice(0, 21))) return { kind: 'other' }
  const end = text.indexOf('\r\n\r\n')
  if (end < 0) return bytes.length > LONGEST ? { kind: 'http', host: undefined } : { kind: 'more' }
  const [, host] = /\r\nhost:[ \t]*([^\r]*?)[ \t]*(?:\r\n|$)/i.exec(text.slice(0, end)) ?? []
  return { kind: 'http', host }
}

/**
 * Whether a Host header names this machine: an address, or `localhost`. Any other name may be somebody's whose DNS leads here
 * (DNS rebinding). https://en.wikipedia.org/wiki/DNS_rebinding
 */
export function isLocalHost(host: string | undefined): boolean {
  const name = (host ?? '').replace(/:\d+$/, '').toLowerCase()
  const bare = name.startsWith('[') ? name.slice(1, -1) : name
  return isIP(bare) !== 0 || bare === 'localhost' || bare.endsWith('.localhost')
}
