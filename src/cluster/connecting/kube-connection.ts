/** How an API server is connected to: credentials, proxies, TLS. */
import type { RequestOptions } from 'node:https'
import type { Socket } from 'node:net'
import { createSecureContext } from 'node:tls'
import type { KubeConfig } from '@kubernetes/client-node'
import { Agent, buildConnector, EnvHttpProxyAgent, ProxyAgent } from 'undici'
import { credentialsError } from '../kube-errors.ts'
import { Http1Transport } from '../kube-http1.ts'
import type { Transport } from '../kube-transport.ts'

export interface Impersonation {
  user?: string | undefined
  groups?: string[] | undefined
}

export interface ConnectionOptions {
  impersonate: Impersonation
  /** Milliseconds for one request. */
  timeout: number
  environment: NodeJS.ProcessEnv
  /** A few requests, and soon an upgrade: then HTTP/1.1 will do, which starts sooner. */
  asksLittle?: boolean
  /** Gets each connection while it is being opened: undici would leave it to its timeout, and the process with it. */
  opening?: Set<Socket>
}

export interface Connection {
  transport: Transport
  tls: object
  headers: Record<string, string | string[]>
  clientCertificate?: string
}

const CONNECT_TIMEOUT = 10_000
/** Milliseconds. Often enough for proxies that cut what is idle for half a minute: a watch says something every minute only. */
const PING = 20_000

/** @throws UserError CREDENTIALS_FAILED when they cannot be had */
export async function openConnection(config: KubeConfig, connecting: ConnectionOptions): Promise<Connection> {
  const options: RequestOptions = {}
  const { server = '', proxyUrl } = config.getCurrentCluster() ?? {}
  let tls: object
  try {
    await config.applyToHTTPSOptions(options)
    tls = tlsOf(options)
  } catch (error) {
    throw credentialsError(error, { server, context: config.getCurrentContext() })
  }
  const { cert } = options
  return {
    transport: sharedTransport({ server, proxy: proxyUrl, tls }, connecting),
    tls,
    headers: {
      ...basic(options.auth),
      ...(options.headers as Record<string, string>),
      ...impersonation(connecting.impersonate),
    },
    ...(cert === undefined ? {} : { clientCertificate: String(cert) }),
  }
}

/** One context for all connections: reading certificates and keys is most of what this machine has to do for one. */
function tlsOf({ ca, cert, key, pfx, passphrase, rejectUnauthorized, servername }: RequestOptions): object {
  const secureContext = createSecureContext(withoutUndefined({ ca, cert, key, pfx, passphrase }))
  return withoutUndefined({ secureContext, rejectUnauthorized, servername })
}

export interface Reached {
  /** The API server's URL. */
  server: string
  /** `proxy-url` of the kubeconfig. */
  proxy: string | undefined
  /** What tls.connect takes. */
  tls: object
}

/** One connection: requests in parallel share it by HTTP/2, which every API server speaks. */
export function sharedTransport(reached: Reached, connecting: ConnectionOptions): Transport {
  const one = {
    connections: 1,
    h2Options: { pingInterval: PING },
    // undici joins repeated headers over HTTP/2, and two groups would become one strange group.
    allowH2: (connecting.impersonate.groups ?? []).length < 2,
  }
  const direct = () => new Agent({ connect: connectorFor(reached, connecting, one.allowH2), ...one })
  return proxyFor(reached, connecting, one) ?? (connecting.asksLittle ? soonTo(reached, connecting) : direct())
}

/** Two, since an upgrade comes beside the requests; opened before anything else is loaded that they need. */
function soonTo(reached: Reached, connecting: ConnectionOptions): Http1Transport {
  const transport = http1To(reached, connecting)
  transport.expect(2)
  return transport
}

/** What upgrades: by HTTP/1.1, since HTTP/2 cannot. */
export function upgradesTo(reached: Reached, connecting: ConnectionOptions): Transport {
  return proxyFor(reached, connecting, { allowH2: false, pipelining: 1 }) ?? http1To(reached, connecting)
}

function http1To({ server, tls }: Reached, connecting: ConnectionOptions): Http1Transport {
  return new Http1Transport(server, tls, connectTimeout(connecting))
}

/** @param one how many connections, and which HTTP */
function proxyFor(
  { proxy, tls }: Reached,
  { environment }: ConnectionOptions,
  one: Agent.Options,
): Transport | undefined {
  if (proxy) return new ProxyAgent({ uri: proxy, requestTls: tls, ...one })
  const httpsProxy = environment.HTTPS_PROXY ?? environment.https_proxy
  const noProxy = environment.NO_PROXY ?? environment.no_proxy
  if (!httpsProxy) return undefined
  return new EnvHttpProxyAgent({ httpsProxy, ...(noProxy && { noProxy }), requestTls: tls, connect: tls, ...one })
}

function connectorFor({ tls }: Reached, connecting: ConnectionOptions, allowH2: boolean): buildConnector.connector {
  const { opening } = connecting
  const connect = buildConnector({ ...tls, allowH2, timeout: connectTimeout(connecting) })
  return opening === undefined ? connect : noted(connect, opening)
}

function noted(connect: buildConnector.connector, opening: Set<Socket>): buildConnector.connector {
  return (options, done) => {
    // Not in its types: undici returns the socket.
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

/** Impersonation headers: https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation */
function impersonation({ user, groups = [] }: Impersonation): Record<string, string | string[]> {
  return {
    ...(user === undefined ? {} : { 'impersonate-user': user }),
    ...(groups.length > 0 ? { 'impersonate-group': groups } : {}),
  }
}

function basic(auth: string | null | undefined): Record<string, string> {
  return auth ? { authorization: `Basic ${Buffer.from(auth).toString('base64')}` } : {}
}

function withoutUndefined(options: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}
