/** URLs as Go's net/url reads them, which is how kubectl reads those of a kubeconfig and of the environment. Pure. */
import { isIP } from 'node:net'
import { posix } from 'node:path'

export interface GoUrl {
  /** In small letters; empty if there is none. */
  scheme: string
  /** `name:password`, percent-encoded. */
  user: string | undefined
  /** As it was written, without a port and without the brackets of IPv6. */
  host: string
  /** Empty if there is none. */
  port: string
  /** Percent-encoded. */
  path: string
}

/** Controls are refused. Written as code points, because a control in a pattern is usually a mistake. */
const isControl = (code: number) => code < 0x20 || code === 0x7f

/** What the name of a host may have: unreserved characters, sub-delimiters, and everything outside of ASCII. */
const HOST = /^(?:[\w.~!$&'()*+,;=:<>"-]|[^\0-\x7f]|%25)*$/
const USER = /^(?:[\w.~!$&'()*+,;=:@-]|%[\da-f]{2})*$/i
const PORT = /^(?::\d*)?$/

/** @returns undefined for what Go refuses */
export function parseUrl(text: string): GoUrl | undefined {
  if ([...text].some((one) => isControl(one.charCodeAt(0))) || text.startsWith(':')) return undefined
  const [whole = ''] = text.split('#')
  const [, scheme = '', after] = /^([a-z][a-z\d+.-]*):(.*)$/is.exec(whole) ?? []
  const [rest = ''] = (after ?? whole).split('?')
  const url = { scheme: scheme.toLowerCase(), user: undefined, host: '', port: '', path: rest }
  if (!rest.startsWith('/')) {
    if (scheme !== '') return { ...url, path: '' }
    return rest.split('/')[0]?.includes(':') ? undefined : url
  }
  if (!rest.startsWith('//')) return hasValidEscapes(rest) ? url : undefined
  const [, authority = '', path = ''] = /^\/\/([^/]*)(.*)$/s.exec(rest) ?? []
  const place = parseAuthority(authority)
  return place === undefined || !hasValidEscapes(path) ? undefined : { ...url, ...place, path }
}

function parseAuthority(authority: string): Pick<GoUrl, 'user' | 'host' | 'port'> | undefined {
  const at = authority.lastIndexOf('@')
  const user = at < 0 ? undefined : authority.slice(0, at)
  const address = authority.slice(at + 1)
  if (user !== undefined && !USER.test(user)) return undefined
  const end = address.startsWith('[') ? address.lastIndexOf(']') + 1 : lastColon(address)
  if (address.startsWith('[') && end === 0) return undefined
  const [name, port] = [address.slice(0, end), address.slice(end)]
  if (!PORT.test(port)) return undefined
  const host = name.startsWith('[') ? name.slice(1, -1) : name
  // IPv6 without brackets is taken for host and port, and nothing can connect to it.
  if (!name.startsWith('[') && host.includes(':')) return undefined
  return HOST.test(host) ? { user, host, port: port.slice(1) } : undefined
}

function lastColon(address: string): number {
  const colon = address.lastIndexOf(':')
  return colon < 0 ? address.length : colon
}

function hasValidEscapes(path: string): boolean {
  return !/%(?![\da-f]{2})/i.test(path)
}

/**
 * The server of a kubeconfig: without a scheme it is http, but only without a path (client-go's DefaultServerURL).
 * @returns undefined for what no request could be sent to
 */
export function serverUrl(text: string): GoUrl | undefined {
  // With a path, # is part of it: client-go reads it as the URL of a request.
  const asked = parseUrl(text.replaceAll('#', '%23'))
  const url = asked !== undefined && asked.path.length > 1 ? asked : parseUrl(text)
  const complete = url !== undefined && url.scheme !== '' && (url.host !== '' || url.port !== '')
  const meant = complete ? url : withoutPath(parseUrl(`http://${text}`))
  return meant !== undefined && ['http', 'https'].includes(meant.scheme) ? meant : undefined
}

function withoutPath(url: GoUrl | undefined): GoUrl | undefined {
  return url === undefined || !['', '/'].includes(url.path) ? undefined : url
}

/**
 * For Node: without a user, and with the path encoded again, as client-go does. A port without a host is one of this machine.
 * @returns undefined for what Node refuses
 */
export function nodeUrl({ scheme, host, port, path }: GoUrl): string | undefined {
  const address = host.includes(':') ? `[${host}]` : host || (port && 'localhost')
  const text = `${scheme}://${address}${port === '' ? '' : `:${port}`}`
  if (!URL.canParse(text)) return undefined
  const { origin, hostname } = new URL(text)
  // Node takes 127.1 and 0x7f.1 for addresses. To Go these are names, which nothing resolves.
  if (isIP(hostname) === 4 && isIP(host) === 0) return undefined
  return origin + encodedPath(posix.normalize(`/${decoded(path)}`)).replace(/\/+$/, '')
}

/** Percent-decoded, one character for each byte: it may be no UTF-8. */
function decoded(text: string): string {
  return Buffer.from(text)
    .toString('latin1')
    .replace(/%([\da-f]{2})/gi, (_, byte: string) => String.fromCharCode(Number.parseInt(byte, 16)))
}

/** @param path one character for each byte */
function encodedPath(path: string): string {
  return path.replace(
    /[^\w.~$&+,/:;=@-]/g,
    (one) => `%${one.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  )
}

/** The header for name and password in a URL. */
export function basicOf({ user }: GoUrl): string | undefined {
  if (user === undefined) return undefined
  const [name = '', ...password] = user.split(':')
  return basic(decoded(name), decoded(password.join(':')), 'latin1')
}

/** The value of a header for name and password (RFC 7617). */
export function basic(name: string, password: string, encoding: BufferEncoding = 'utf8'): string {
  return `Basic ${Buffer.from(`${name}:${password}`, encoding).toString('base64')}`
}
