/** The credentials of a user of the kubeconfig, in kubectl's order of precedence (client-go's clientcmd and transport). */
import { readFileSync } from 'node:fs'
import { basic, basicOf } from '../connecting/go-url.ts'
import { headerText } from '../connecting/header-text.ts'
import type { Credentials, Obtaining } from './credentials.ts'
import type { KubeUser } from './decode.ts'
import type { KubeConfig } from './kube-config.ts'
import { requireKnownVersion, runPlugin } from './kube-exec.ts'

/** Without TLS only a user in the URL is sent, as kubectl does. @throws Error when there are none, or when they cannot be obtained */
export async function credentialsOf(config: KubeConfig, obtaining: Obtaining): Promise<Credentials> {
  const { user, url } = config
  // http.Client of Go prefers the user in the URL.
  const ofUrl = basicOf(url)
  const preferred = ofUrl === undefined ? {} : { authorization: ofUrl }
  if (url.scheme !== 'https') return preferred
  if (user.exec) requireKnownVersion(user.exec)
  const provider = user['auth-provider'] && (await import('./kube-oidc.ts')).requireProvider(user['auth-provider'])
  const token = tokenOf(user)
  if (token !== undefined && user.username !== undefined) throw new Error('its user has a token together with a name')
  const pair = pairOf(user)
  const secret = token === undefined ? basicOfUser(user) : headerText(`Bearer ${token}`, 'the token')
  if (ofUrl !== undefined && pair === undefined && secret === undefined && user.exec)
    return { ...(await ofPlugin(config, obtaining)), ...preferred }
  const authorization = ofUrl ?? secret
  if (authorization !== undefined) return { ...pair, authorization }
  if (provider)
    return { ...pair, ...(await (await import('./kube-oidc.ts')).oidcCredentials(provider, config, obtaining)) }
  if (pair !== undefined) return pair
  if (user.exec) return ofPlugin(config, obtaining)
  throw new Error('its user has no credentials')
}

/** The content of a file counts before a token, unless it cannot be read or is empty. @throws Error for a file without a token */
function tokenOf({ token, tokenFile }: KubeUser): string | undefined {
  if (tokenFile === undefined) return token
  try {
    const content = readFileSync(tokenFile, 'utf8').trim()
    if (content !== '') return content
  } catch (error) {
    if (token === undefined) throw error
  }
  if (token === undefined) throw new Error(`its tokenFile ${tokenFile} is empty`)
  return token
}

function basicOfUser({ username, password = '' }: KubeUser): string | undefined {
  return username === undefined ? undefined : basic(username, password)
}

function pairOf(user: KubeUser): Pick<Credentials, 'certificate' | 'key'> | undefined {
  const certificate = content(user['client-certificate-data'], user['client-certificate'])
  // A key without a certificate is not used, nor read.
  const key = certificate === undefined ? undefined : content(user['client-key-data'], user['client-key'])
  return certificate === undefined || key === undefined ? undefined : { certificate, key }
}

function content(data: Buffer | undefined, file: string | undefined): string | undefined {
  return data?.toString() ?? (file === undefined ? undefined : readFileSync(file, 'utf8'))
}

/** As client-go's rest.Config has it: as it was written, but with a path the query is left out. */
function toldServer({ url, cluster: { server = '' } }: KubeConfig): string {
  if (url.path.length < 2) return server
  const { scheme, user, host, port, path } = url
  return `${scheme}://${user === undefined ? '' : `${user}@`}${host.includes(':') ? `[${host}]` : host}${port && `:${port}`}${path}`
}

async function ofPlugin(config: KubeConfig, { environment }: Obtaining): Promise<Credentials> {
  const { user, cluster } = config
  if (!user.exec) return {}
  const { token, certificate, key, expires } = await runPlugin({
    plugin: user.exec,
    server: toldServer(config),
    cluster,
    authority: authorityOf(cluster),
    environment,
  })
  return {
    ofPlugin: true,
    ...(token === undefined
      ? {}
      : { authorization: headerText(`Bearer ${token}`, 'the token of the credential plugin') }),
    ...(certificate === undefined || key === undefined ? {} : { certificate, key }),
    ...(expires === undefined ? {} : { expires }),
  }
}

/** The CA of a cluster in PEM; undefined for this machine's store. */
export function authorityOf(cluster: KubeConfig['cluster']): Buffer | undefined {
  const { 'certificate-authority': file, 'certificate-authority-data': data } = cluster
  return data ?? (file === undefined ? undefined : readFileSync(file))
}
