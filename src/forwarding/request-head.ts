/** The head of a connection's first request: pure. A page of somebody else's may send a browser to our port under its own name. */
import { isIP } from 'node:net'

export type Head =
  /** Too little to tell. */
  | { kind: 'more' }
  /** Not HTTP/1: nothing to check. */
  | { kind: 'other' }
  /** `host` is undefined when none is named. */
  | { kind: 'http'; method: string; host: string | undefined }

/** Any method: scripts of a page may make up their own. HTTP/2 without TLS (`PRI * HTTP/2.0`) is nothing that browsers speak. */
const REQUEST_LINE = /^(\S+) .* HTTP\/1\.\d *$/
const LONGEST = 32 * 1024

/** @param bytes what the client has sent so far */
export function readHead(bytes: Buffer): Head {
  const text = bytes.toString('latin1', 0, LONGEST + 4)
  const lineEnd = text.search(/\p{Cc}/u)
  const isLong = bytes.length > LONGEST
  if (lineEnd < 0 || (text[lineEnd] === '\r' && lineEnd === text.length - 1))
    return isLong ? { kind: 'other' } : { kind: 'more' }
  const [, method] = /^\r?\n/.test(text.slice(lineEnd, lineEnd + 2))
    ? (REQUEST_LINE.exec(text.slice(0, lineEnd)) ?? [])
    : []
  if (method === undefined) return { kind: 'other' }
  const end = /\r?\n\r?\n/.exec(text)?.index
  if (end === undefined && !isLong) return { kind: 'more' }
  const [, host] = /\nhost:[ \t]*([^\r\n]*?)[ \t]*(?:\r?\n|$)/i.exec(text.slice(0, end)) ?? []
  // A head that is too long may name one further on.
  return { kind: 'http', method, host: host ?? (end === undefined ? '' : undefined) }
}

/**
 * Whether a Host header names this machine: an address, or `localhost`. Any other name may be somebody's whose DNS leads here
 * (DNS rebinding). https://en.wikipedia.org/wiki/DNS_rebinding
 */
export function isLocalHost(host: string): boolean {
  const name = host.replace(/:\d+$/, '').toLowerCase()
  const bare = name.startsWith('[') ? name.slice(1, -1) : name
  return isIP(bare) !== 0 || bare === 'localhost' || bare.endsWith('.localhost')
}
