/** Connections through proxies: HTTP and HTTPS (CONNECT), and SOCKS 5. Loaded only where there is one. */
import { isIP } from 'node:net'
import { SocksClient } from 'socks'
import { Agent, buildConnector, ProxyAgent } from 'undici'
import { UserError } from '../../errors.ts'
import type { Transport } from '../kube-transport.ts'
import { basicOf, type GoUrl, nodeUrl } from './go-url.ts'

export interface Through {
  proxy: GoUrl
  /** Options of tls.connect to the server, and to a proxy with TLS. */
  tls: object
  proxyTls: object
  /** Milliseconds. */
  timeout: number
  /** Number of connections and HTTP version. */
  options: Agent.Options
  /** Whether also a server without TLS is reached by CONNECT: an HTTP proxy passes no upgrade on. */
  tunnel?: boolean
}

/** @throws UserError PROXY_INVALID */
export function proxied({ proxy, tls, proxyTls, timeout, options, tunnel = false }: Through): Transport {
  if (proxy.scheme.startsWith('socks5'))
    return new Agent({ ...options, connect: throughSocks(proxy, { tls, timeout, options }) })
  // Go takes a scheme that it does not know for http.
  const uri = nodeUrl({ ...proxy, path: '', scheme: proxy.scheme === 'https' ? 'https' : 'http' })
  const token = basicOf(proxy)
  if (uri === undefined) throw unusable()
  return new ProxyAgent({
    uri,
    ...(token === undefined ? {} : { token }),
    requestTls: tls,
    proxyTls,
    proxyTunnel: tunnel,
    clientFactory,
    ...options,
  })
}

/** Without an address as the name in TLS, of which Node warns (RFC 6066, section 3). */
function clientFactory(_: URL, options: object): Agent {
  const { connect } = options as { connect: buildConnector.connector }
  const unnamed: buildConnector.connector = (asked, done) => {
    const { servername, ...rest } = asked
    return connect(servername === undefined || isIP(servername.replace(/^\[|\]$/g, '')) > 0 ? rest : asked, done)
  }
  return new Agent({ connect: unnamed })
}

/** Without the URL, which may contain a password. */
function unusable(): UserError {
  return new UserError(
    'PROXY_INVALID',
    'the proxy of the environment or of proxy-url has no address that can be used',
    {
      suggestions: ['export HTTPS_PROXY=http://proxy.example.com:3128', 'unset HTTPS_PROXY'],
    },
  )
}

/** The proxy resolves the server's name. */
function throughSocks(
  proxy: GoUrl,
  { tls, timeout, options }: Pick<Through, 'tls' | 'timeout' | 'options'>,
): buildConnector.connector {
  const [userId, ...password] = (proxy.user ?? '').split(':').map(decodeURIComponent)
  const secure = buildConnector({ ...tls, allowH2: options.allowH2 ?? false, timeout })
  return (asked, done) => {
    const port = Number(asked.port) || (asked.protocol === 'https:' ? 443 : 80)
    SocksClient.createConnection({
      proxy: {
        host: proxy.host,
        port: Number(proxy.port) || 1080,
        type: 5,
        ...(userId === undefined || userId === '' ? {} : { userId, password: password.join(':') }),
      },
      command: 'connect',
      destination: { host: asked.hostname.replace(/^\[|\]$/g, ''), port },
      timeout,
    }).then(
      ({ socket }) =>
        asked.protocol === 'https:' ? secure({ ...asked, httpSocket: socket }, done) : done(null, socket),
      (error: Error) => done(error, null),
    )
  }
}
