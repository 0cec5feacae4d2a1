/**
 * Which proxy of the environment a request takes. A translation of what kubectl uses, golang.org/x/net/http/httpproxy: libraries for Node know no
 * networks in CIDR form, or ask HTTP_PROXY for https, too (docs/decisions/0028). Pure.
 */
import { BlockList, isIP } from 'node:net'
import { domainToASCII } from 'node:url'
import { UserError } from '../../errors.ts'
import { type GoUrl, parseUrl } from './go-url.ts'

const DEFAULT_PORTS: Record<string, string> = { http: '80', https: '443' }

interface Target {
  host: string
  port: string
  /** 4, 6, or 0 for a name. */
  family: number
}

/** @returns undefined to connect directly. @throws UserError PROXY_UNSAFE in a CGI program */
export function proxyOfEnvironment(url: GoUrl, environment: NodeJS.ProcessEnv): GoUrl | undefined {
  const name = url.scheme === 'https' ? 'HTTPS_PROXY' : 'HTTP_PROXY'
  const proxy = parseProxy(variable(environment, name))
  if (proxy === undefined) return undefined
  if (url.scheme === 'http' && environment.REQUEST_METHOD) throw chosenByClient()
  const port = url.port === '' ? (DEFAULT_PORTS[url.scheme] ?? '') : url.port
  const target = { host: inAscii(url.host), port, family: isIP(url.host) }
  if (isLoopback(target)) return undefined
  const exceptions = variable(environment, 'NO_PROXY')
    .split(',')
    .map((entry) => entry.trim().toLowerCase())
  const lower = { ...target, host: target.host.toLowerCase() }
  return exceptions.some((entry) => isException(entry, lower)) ? undefined : proxy
}

/** A web server makes HTTP_PROXY of a header that any client can send (https://httpoxy.org). */
function chosenByClient(): UserError {
  return new UserError(
    'PROXY_UNSAFE',
    'HTTP_PROXY is not used beside REQUEST_METHOD: a web server sets both for its CGI programs, and its clients choose HTTP_PROXY',
    { suggestions: ['unset REQUEST_METHOD   # this is no CGI program', 'unset HTTP_PROXY http_proxy'] },
  )
}

/** A name outside of ASCII in the form that DNS has. */
function inAscii(host: string): string {
  return Buffer.byteLength(host) === host.length ? host : domainToASCII(host) || host
}

/** An empty variable is none: then the one in small letters counts. */
function variable(environment: NodeJS.ProcessEnv, name: string): string {
  return environment[name] || environment[name.toLowerCase()] || ''
}

/** Without a scheme it is an HTTP proxy. What is no URL is ignored, as Go does. */
function parseProxy(text: string): GoUrl | undefined {
  if (text === '') return undefined
  const proxy = parseUrl(text)
  if (proxy !== undefined && proxy.scheme !== '' && proxy.host !== '') return proxy
  return parseUrl(`http://${text}`) ?? proxy
}

const LOOPBACK = new BlockList()
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4')
LOOPBACK.addAddress('::1', 'ipv6')

function isLoopback({ host, family }: Target): boolean {
  return host === 'localhost' || contains(LOOPBACK, { host, family })
}

function contains(list: BlockList, { host, family }: Pick<Target, 'host' | 'family'>): boolean {
  return family !== 0 && list.check(host, family === 4 ? 'ipv4' : 'ipv6')
}

/** @param entry in small letters: `*`, a network, an address, a domain, each but the first with or without a port */
function isException(entry: string, target: Target): boolean {
  if (entry === '') return false
  if (entry === '*') return true
  const network = networkOf(entry)
  // `::/0` is all of IPv6, and nothing of IPv4.
  if (network !== undefined)
    return isOfIPv4(network.address) === isOfIPv4(target.host) && contains(network.list, target)
  const [, host, port = ''] = /^(\[[^\]]*\]|[^:]*):([^:]*)$/.exec(entry) ?? []
  // Go knows brackets only with a port.
  const name = host === undefined ? entry : host.replace(/^\[(.*)\]$/, '$1')
  if (name === '' || (port !== '' && port !== target.port)) return false
  if (isIP(name) !== 0) return contains(listOf(name), target)
  return target.family === 0 && isInDomain(target.host, inAscii(name))
}

/** `.example.com` and `*.example.com` are not example.com itself; `example.com` is both. */
function isInDomain(host: string, entry: string): boolean {
  const domain = entry.startsWith('*.') ? entry.slice(1) : entry
  return domain.startsWith('.') ? host.endsWith(domain) : host === domain || host.endsWith(`.${domain}`)
}

const IN_IPV6 = new BlockList()
IN_IPV6.addSubnet('::ffff:0:0', 96, 'ipv6')

/** Also `::ffff:192.0.2.1`. */
function isOfIPv4(address: string): boolean {
  const family = isIP(address)
  return family === 4 || (family === 6 && IN_IPV6.check(address, 'ipv6'))
}

function networkOf(entry: string): { address: string; list: BlockList } | undefined {
  const [address = '', bits = '', ...more] = entry.split('/')
  const family = address.includes('%') ? 0 : isIP(address)
  if (more.length > 0 || family === 0 || !/^\d+$/.test(bits) || Number(bits) > (family === 4 ? 32 : 128))
    return undefined
  const list = new BlockList()
  list.addSubnet(address, Number(bits), family === 4 ? 'ipv4' : 'ipv6')
  return { address, list }
}

function listOf(address: string): BlockList {
  const list = new BlockList()
  list.addAddress(address, isIP(address) === 4 ? 'ipv4' : 'ipv6')
  return list
}
