/** Connects to an API server: credentials, proxies, TLS. */
import type { Socket } from 'node:net'
import { Agent, buildConnector } from 'undici'
import { UserError } from '../../errors.ts'
import { credentialsError } from '../kube-errors.ts'
import { Http1Transport } from '../kube-http1.ts'
import { followed } from '../kube-redirects.ts'
import { boundedText, type Transport } from '../kube-transport.ts'
import type { AskIssuer, Credentials } from '../kubeconfig/credentials.ts'
import type { KubeConfig } from '../kubeconfig/kube-config.ts'
import { authorityOf, credentialsOf } from '../kubeconfig/kube-credentials.ts'
import { basicOf, type GoUrl, nodeUrl, parseUrl } from './go-url.ts'
import { type ActingFlags, actingAs, hasRepeatedHeader, impersonationHeaders } from './impersonation.ts'
import { tlsOptions } from './kube-trust.ts'
import { proxyOfEnvironment } from './proxy-choice.ts'

export interface ConnectionOptions {
  impersonate: ActingFlags
  /** Milliseconds for one request. */
  timeout: number
  environment: NodeJS.ProcessEnv
  /** Whether there will be few requests and an upgrade soon: then HTTP/1.1 is used, which starts faster. */
  fewRequests?: boolean
  /** Contains each connection while it is being opened, so that the process can end it: undici waits for the timeout. */
  opening?: Set<Socket>
}

export interface Connection {
  transport: Transport
  endpoint: Endpoint
  headers: Record<string, string | string[]>
  credentials: Credentials
}

const CONNECT_TIMEOUT = 10_000
/** Milliseconds between pings. Proxies often close connections that are idle for half a minute, and a watch may be silent for a minute. */
const PING = 20_000

/** @throws UserError CREDENTIALS_FAILED when the credentials cannot be read */
export async function openConnection(config: KubeConfig, connecting: ConnectionOptions): Promise<Connection> {
  const { server, url, user } = config
  const { environment } = connecting
  const acting = actingAs(user, connecting.impersonate)
  try {
    const credentials = await credentialsOf(config, { environment, ask: (asked) => askIssuer(asked, connecting) })
    const { authorization } = credentials
    const headers = { ...(authorization === undefined ? {} : { authorization }), ...impersonationHeaders(acting) }
    const proxy = config.proxy ?? proxyOfEnvironment(url, environment)
    const endpoint: Endpoint = {
      server,
      proxy,
      ...tlsOf(config, credentials, { environment, proxy }),
      allowH2: !hasRepeatedHeader(acting),
    }
    return { transport: await sharedTransport(endpoint, connecting), endpoint, headers, credentials }
  } catch (error) {
    if (error instanceof UserError) throw error
    throw credentialsError(error, { server, context: config.context })
  }
}

/** Like kubectl, a proxy with TLS is verified as the server is. It gets no client certificate. */
function tlsOf(
  { cluster, url }: KubeConfig,
  { certificate, key }: Credentials,
  { environment, proxy }: Pick<ConnectionOptions, 'environment'> & Pick<Endpoint, 'proxy'>,
): Pick<Endpoint, 'tls' | 'proxyTls'> {
  if (url.scheme !== 'https') return { tls: {}, proxyTls: {} }
  const trusting = {
    authority: authorityOf(cluster),
    insecure: cluster['insecure-skip-tls-verify'] ?? false,
    serverName: cluster['tls-server-name'],
    environment,
  }
  const ofServer = { ...trusting, host: url.host }
  const pair = certificate === undefined || key === undefined ? undefined : { certificate, key }
  const tls = tlsOptions(ofServer, pair)
  // A second context takes time.
  return { tls, proxyTls: proxy?.scheme === 'https' ? tlsOptions(trusting) : tls }
}

/** The identity provider of OpenID Connect, through the proxy of the environment. */
async function askIssuer(
  { url, authority, body, authorization }: Parameters<AskIssuer>[0],
  connecting: ConnectionOptions,
): Promise<{ status: number; body: string }> {
  const read = parseUrl(url)
  const server = read === undefined || read.host === '' ? undefined : nodeUrl({ ...read, path: '' })
  if (read === undefined || server === undefined) throw new Error('the URL of its identity provider is not a URL')
  const { environment, timeout } = connecting
  const credentials = authorization ?? basicOf(read)
  const tls = read.scheme === 'https' ? tlsOptions({ authority, insecure: false, environment }) : {}
  const endpoint = { server, proxy: proxyOfEnvironment(read, environment), tls, proxyTls: tls, allowH2: false }
  const transport = await sharedTransport(endpoint, { ...connecting, fewRequests: false })
  try {
    const { pathname, search } = new URL(url)
    const asked = {
      method: body === undefined ? ('GET' as const) : ('POST' as const),
      origin: server,
      path: pathname + search,
      headers: {
        accept: 'application/json',
        ...(body === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
        ...(credentials === undefined ? {} : { authorization: credentials }),
      },
      body: body ?? null,
      headersTimeout: timeout,
      bodyTimeout: timeout,
    }
    const answer = await followed(transport, asked, 'its identity provider')
    return { status: answer.statusCode, body: (await boundedText(answer.body)) ?? '' }
  } finally {
    void transport.destroy()
  }
}

export interface Endpoint {
  /** The API server's URL. */
  server: string
  /** Of the kubeconfig, or of the environment. */
  proxy: GoUrl | undefined
  /** Options of tls.connect, to the server and to a proxy. */
  tls: object
  proxyTls: object
  /** Over HTTP/2 undici joins repeated headers, so that two groups would become one wrong group. */
  allowH2: boolean
}

/** One connection, which parallel requests share by HTTP/2. Every API server supports it. */
export async function sharedTransport(endpoint: Endpoint, connecting: ConnectionOptions): Promise<Transport> {
  const one = {
    connections: 1,
    h2Options: { pingInterval: PING },
    allowH2: endpoint.allowH2,
  }
  if (endpoint.proxy !== undefined) return through(endpoint, endpoint.proxy, { connecting, options: one })
  if (connecting.fewRequests) return preconnectedTo(endpoint, connecting)
  return new Agent({ connect: connectorFor(endpoint, connecting, one.allowH2), ...one })
}

/** Opens two connections early: one for requests, one for the upgrade. */
function preconnectedTo(endpoint: Endpoint, connecting: ConnectionOptions): Http1Transport {
  const transport = http1To(endpoint, connecting)
  transport.expect(2)
  return transport
}

/** The transport for upgrades: HTTP/1.1, because HTTP/2 cannot upgrade. */
export async function upgradeTransport(endpoint: Endpoint, connecting: ConnectionOptions): Promise<Transport> {
  const options = { allowH2: false, pipelining: 1 }
  if (endpoint.proxy !== undefined) return through(endpoint, endpoint.proxy, { connecting, options, tunnel: true })
  return http1To(endpoint, connecting)
}

async function through(
  { tls, proxyTls }: Endpoint,
  proxy: GoUrl,
  { connecting, ...how }: { connecting: ConnectionOptions; options: Agent.Options; tunnel?: boolean },
): Promise<Transport> {
  const { proxied } = await import('./kube-proxies.ts')
  return proxied({ proxy, tls, proxyTls, timeout: connectTimeout(connecting), ...how })
}

function http1To({ server, tls }: Endpoint, connecting: ConnectionOptions): Http1Transport {
  return new Http1Transport(server, tls, connectTimeout(connecting))
}

function connectorFor({ tls }: Endpoint, connecting: ConnectionOptions, allowH2: boolean): buildConnector.connector {
  const { opening } = connecting
  const connect = buildConnector({ ...tls, allowH2, timeout: connectTimeout(connecting) })
  return opening === undefined ? connect : tracked(connect, opening)
}

function tracked(connect: buildConnector.connector, opening: Set<Socket>): buildConnector.connector {
  return (options, done) => {
    // undici returns the socket, which its types do not say.
    const socket = connect(options, (...outcome) => {
      opening.delete(socket)
      done(...outcome)
    }) as unknown as Socket
    opening.add(socket)
  }
}

function connectTimeout({ timeout }: ConnectionOptions): number {
  return Math.min(timeout, CONNECT_TIMEOUT)
}
