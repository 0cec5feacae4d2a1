/** How an API server is connected to: credentials, proxies, TLS. */
import type { RequestOptions } from 'node:https'
import type { KubeConfig } from '@kubernetes/client-node'
import { Agent, type Dispatcher, EnvHttpProxyAgent, ProxyAgent } from 'undici'
import { EarlyConnector } from './kube-early-connector.ts'
import { credentialsError } from './kube-errors.ts'

export interface Impersonation {
  user?: string | undefined
  groups?: string[] | undefined
}

export interface ConnectionOptions {
  impersonate: Impersonation
  /** Milliseconds for one request. */
  timeout: number
  environment: NodeJS.ProcessEnv
}

export interface Connection {
  dispatcher: Dispatcher
  tls: object
  headers: Record<string, string | string[]>
  clientCertificate?: string
}

const CONNECT_TIMEOUT = 10_000

/** @throws UserError CREDENTIALS_FAILED when they cannot be had */
export async function openConnection(config: KubeConfig, connecting: ConnectionOptions): Promise<Connection> {
  const options: RequestOptions = {}
  const cluster = config.getCurrentCluster()
  try {
    await config.applyToHTTPSOptions(options)
  } catch (error) {
    throw credentialsError(error, { server: cluster?.server ?? '', context: config.getCurrentContext() })
  }
  const { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername } = options
  const tls = withoutUndefined({ ca, cert, key, pfx, passphrase, rejectUnauthorized, servername })
  return {
    // One connection: requests in parallel share it by HTTP/2, which every API server speaks.
    dispatcher: dispatcherFor(cluster?.proxyUrl, tls, connecting, {
      connections: 1,
      // undici joins repeated headers over HTTP/2, and two groups would become one strange group.
      allowH2: (connecting.impersonate.groups ?? []).length < 2,
    }),
    tls,
    headers: {
      ...basic(options.auth),
      ...(options.headers as Record<string, string>),
      ...impersonation(connecting.impersonate),
    },
    ...(cert === undefined ? {} : { clientCertificate: String(cert) }),
  }
}

/** What opens a connection for each upgrade: by HTTP/1.1, since HTTP/2 has none. */
export interface Upgrades {
  dispatcher: Dispatcher
  /** Without a proxy. */
  early?: EarlyConnector
}

export function upgradesTo(
  server: string,
  proxy: string | undefined,
  tls: object,
  connecting: ConnectionOptions,
): Upgrades {
  const only = { allowH2: false, pipelining: 1 }
  const proxied = proxyFor(proxy, tls, connecting, only)
  if (proxied !== undefined) return { dispatcher: proxied }
  const early = new EarlyConnector(server, { ...tls, ...only, timeout: patience(connecting) })
  return { dispatcher: new Agent({ connect: early.connect, ...only }), early }
}

/** @param one how many connections, and which HTTP */
function dispatcherFor(
  proxy: string | undefined,
  tls: object,
  connecting: ConnectionOptions,
  one: Agent.Options,
): Dispatcher {
  const direct = () => new Agent({ connect: { ...tls, timeout: patience(connecting) }, ...one })
  return proxyFor(proxy, tls, connecting, one) ?? direct()
}

function proxyFor(
  proxy: string | undefined,
  tls: object,
  { environment }: ConnectionOptions,
  one: Agent.Options,
): Dispatcher | undefined {
  if (proxy) return new ProxyAgent({ uri: proxy, requestTls: tls, ...one })
  const httpsProxy = environment.HTTPS_PROXY ?? environment.https_proxy
  const noProxy = environment.NO_PROXY ?? environment.no_proxy
  if (!httpsProxy) return undefined
  return new EnvHttpProxyAgent({ httpsProxy, ...(noProxy && { noProxy }), requestTls: tls, connect: tls, ...one })
}

function patience({ timeout }: ConnectionOptions): number {
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
