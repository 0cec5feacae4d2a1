/** Pure: reads the heads of HTTP/1 requests, and finds those that a foreign web page makes a browser send to our port. */
import { isIP } from 'node:net'

export type Head =
  /** Not enough bytes yet. */
  | { kind: 'more' }
  /** Not HTTP/1: nothing to check. */
  | { kind: 'other' }
  /** HTTP/1, but longer than `LONGEST_HEAD`. */
  | { kind: 'too long' }
  | HttpHead

export interface HttpHead {
  kind: 'http'
  method: string
  /** Number of bytes up to the body. */
  length: number
  /** Values by name in lower case. */
  fields: Map<string, string[]>
}

/** Any method counts, because scripts of a page can invent one. Browsers do not speak HTTP/2 without TLS (`PRI * HTTP/2.0`). */
const REQUEST_LINE = /^(\S+) .* HTTP\/1\.\d *$/
/** A request line that has no end yet, as a browser sends it. */
const BEGUN = /^\S+ \//
/** A page chooses how long its URL is, so a longer head is refused: what follows it could not be checked. */
const LONGEST_HEAD = 64 * 1024
/** Methods that change nothing (RFC 9110, section 9.2.1). A browser lets any page send them. */
const HARMLESS = ['GET', 'HEAD', 'OPTIONS']

/** @param bytes that the client has sent, from the beginning of a request */
export function readHead(bytes: Buffer): Head {
  const text = bytes.toString('latin1', 0, LONGEST_HEAD + 4)
  const isLong = bytes.length > LONGEST_HEAD
  const lineEnd = text.search(/\p{Cc}/u)
  if (lineEnd < 0 || (text[lineEnd] === '\r' && lineEnd === text.length - 1)) {
    if (!isLong) return { kind: 'more' }
    return { kind: BEGUN.test(text) ? 'too long' : 'other' }
  }
  const [, method] = /^\r?\n/.test(text.slice(lineEnd, lineEnd + 2))
    ? (REQUEST_LINE.exec(text.slice(0, lineEnd)) ?? [])
    : []
  if (method === undefined) return { kind: 'other' }
  const end = /\r?\n\r?\n/.exec(text)
  if (end === null) return { kind: isLong ? 'too long' : 'more' }
  return { kind: 'http', method, length: end.index + end[0].length, fields: fieldsOf(text.slice(lineEnd, end.index)) }
}

function fieldsOf(text: string): Map<string, string[]> {
  const fields = new Map<string, string[]>()
  for (const line of text.split('\n')) {
    const [, name, value] = /^([^\s:]+):[ \t]*(.*?)[ \t\r]*$/.exec(line) ?? []
    if (name === undefined || value === undefined) continue
    const key = name.toLowerCase()
    fields.set(key, [...(fields.get(key) ?? []), value])
  }
  return fields
}

/**
 * Whether the Host header has a name that is not of this machine: neither an address nor `localhost`. The owner of any other name can
 * let its DNS point to this machine (DNS rebinding). https://en.wikipedia.org/wiki/DNS_rebinding
 */
export function hasForeignHost({ fields }: HttpHead): boolean {
  return (fields.get('host') ?? []).some((host) => {
    const name = bareName(host)
    return isIP(name) === 0 && !isLocalName(name)
  })
}

/**
 * Whether a browser sends this for a page of another origin, and it may change something: any web page may send a POST to
 * `http://localhost:9090/-/quit`, or open a WebSocket. Without both headers it is no browser.
 * https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site
 */
export function isForeignChange({ method, fields }: HttpHead): boolean {
  if (HARMLESS.includes(method) && !fields.has('upgrade')) return false
  const [site] = fields.get('sec-fetch-site') ?? []
  if (site === 'same-origin' || site === 'none') return false
  const origins = fields.get('origin') ?? []
  if (origins.length === 0) return site !== undefined
  const [host = ''] = fields.get('host') ?? []
  return !origins.every((origin) => isSameOrigin(origin, host))
}

/** The same name and port, or two names of this machine and the same port. The scheme may differ: a proxy may add TLS. */
function isSameOrigin(origin: string, host: string): boolean {
  const [page, port] = [origin, `${origin.split(':')[0]}://${host}`].map((text) =>
    URL.canParse(text) ? new URL(text) : undefined,
  )
  if (page === undefined || port === undefined || page.host === '') return false
  if (page.host === port.host) return true
  return page.port === port.port && [page, port].every(({ hostname }) => isLocalName(bareName(hostname)))
}

/** In lower case, without port and brackets. */
function bareName(host: string): string {
  const name = host.replace(/:\d+$/, '').toLowerCase()
  return name.startsWith('[') ? name.slice(1, -1) : name
}

function isLocalName(name: string): boolean {
  const isLoopback = name === '::1' || (isIP(name) === 4 && name.startsWith('127.'))
  return isLoopback || name === 'localhost' || name.endsWith('.localhost')
}
