/** OpenID Connect with refresh, as client-go's oidc provider: loaded only for users that have it. */
import { readFileSync } from 'node:fs'
import { mapOf, textOf } from '../../shapes.ts'
import { headerText } from '../connecting/header-text.ts'
import type { AskIssuer, Credentials, Obtaining } from './credentials.ts'
import type { AuthProvider } from './decode.ts'
import type { KubeConfig } from './kube-config.ts'
import { type ProviderConfig, rewriteProvider } from './kube-write-back.ts'

/** Milliseconds before its end from which on a token is not used. */
const MARGIN = 10_000

/** @throws Error for what kubectl refuses: providers for clouds have been removed from it */
export function requireProvider({ name = '', config = {} }: AuthProvider): ProviderConfig {
  if (name === 'gcp' || name === 'azure')
    throw new Error(
      `its user has the auth-provider ${name}, which kubectl no longer has; use ${name === 'gcp' ? 'gke-gcloud-auth-plugin' : 'kubelogin'}`,
    )
  if (name !== 'oidc') throw new Error(`its user has the unknown auth-provider "${name}"`)
  for (const field of ['idp-issuer-url', 'client-id'])
    if (!config[field]) throw new Error(`the auth-provider of its user has no ${field}`)
  return config
}

/** Refreshes the token if it is about to end. @throws Error */
export async function oidcCredentials(
  config: ProviderConfig,
  of: KubeConfig,
  { ask }: Obtaining,
): Promise<Credentials> {
  // Also read if nobody is asked.
  const authority = authorityIn(config)
  const expires = expiryOf(config['id-token'])
  if (expires !== undefined) return credentials(config, expires)
  requireRefresh(config)
  if (of.userFile === undefined || of.userName === undefined) throw new Error('its user is in no file')
  const renewed = await rewriteProvider(of.userFile, of.userName, async (written) => {
    // Another run may have been faster.
    if (expiryOf(written['id-token']) !== undefined) return undefined
    return refreshed(requireRefresh(written), authority, ask)
  })
  return credentials(renewed, knownExpiry(renewed['id-token']))
}

function requireRefresh(config: ProviderConfig): ProviderConfig {
  if (!config['refresh-token']) throw new Error('its id-token has ended, and it has no refresh-token; log in again')
  return config
}

function credentials(config: ProviderConfig, expires: number | undefined): Credentials {
  const authorization = headerText(`Bearer ${config['id-token'] ?? ''}`, 'the id-token')
  return { authorization, ...(expires === undefined ? {} : { expires: expires - MARGIN }) }
}

/** A provider may answer any token. */
function knownExpiry(token: string | undefined): number | undefined {
  try {
    return expiryOf(token)
  } catch {
    return undefined
  }
}

/** @returns undefined for a token that is missing or about to end. @throws Error for what is no JSON Web Token */
function expiryOf(token: string | undefined): number | undefined {
  if (!token) return undefined
  const [, payload = '', ...more] = token.split('.')
  if (more.length !== 1 || !/^[\w-]*$/.test(payload)) throw new Error('its id-token is not a JSON Web Token')
  const expires = Number(mapOf(parsed(Buffer.from(payload, 'base64url').toString(), 'its id-token')).exp ?? 0) * 1_000
  return expires > Date.now() + MARGIN ? expires : undefined
}

async function refreshed(
  config: ProviderConfig,
  authority: Buffer | undefined,
  ask: AskIssuer,
): Promise<ProviderConfig> {
  const issuer = config['idp-issuer-url'] ?? ''
  const metadata = await ask({ url: `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, authority })
  if (metadata.status !== 200) throw new Error(`its identity provider answered ${metadata.status} about itself`)
  const url = textOf(mapOf(parsed(metadata.body, 'the answer of its identity provider')).token_endpoint)
  if (!url) throw new Error('its identity provider names no token_endpoint')
  const { id, next } = await askForTokens(config, (how) => ask({ url, authority, ...how }))
  return { ...config, 'id-token': id, ...(next === undefined ? {} : { 'refresh-token': next }) }
}

type Ask = (how: { body: string; authorization?: string }) => ReturnType<AskIssuer>

interface Tokens {
  id: string
  next: string | undefined
}

/** The secret is sent in a header, and if that fails, in the form: providers differ (RFC 6749, section 2.3.1). */
async function askForTokens(config: ProviderConfig, ask: Ask): Promise<Tokens> {
  const { 'client-id': id = '', 'client-secret': secret = '', 'refresh-token': token = '' } = config
  const form = { grant_type: 'refresh_token', refresh_token: token }
  const pair = [id, secret].map((text) => encodeURIComponent(text).replaceAll('%20', '+')).join(':')
  const first = await ask({ body: encoded(form), authorization: `Basic ${Buffer.from(pair).toString('base64')}` })
  if (first.status < 300 && accessIn(first.body) !== undefined) return tokensIn(first.body)
  const second = await ask({ body: encoded({ ...form, client_id: id, ...(secret && { client_secret: secret }) }) })
  if (second.status >= 300)
    throw new Error(
      `its identity provider refused the refresh-token with ${second.status}${reasonIn(second.body)}; log in again`,
    )
  if (accessIn(second.body) === undefined) throw new Error('its identity provider answered no access_token')
  return tokensIn(second.body)
}

function accessIn(body: string): string | undefined {
  try {
    const { access_token: access, error } = mapOf(JSON.parse(body))
    return error ? undefined : textOf(access) || undefined
  } catch {
    return undefined
  }
}

function tokensIn(body: string): Tokens {
  const { id_token: id, refresh_token: next } = mapOf(JSON.parse(body))
  if (!textOf(id))
    throw new Error('its identity provider answered no id_token: was the scope "openid" asked for at the login?')
  return { id: String(id), next: textOf(next) || undefined }
}

function encoded(form: Record<string, string>): string {
  return new URLSearchParams(form).toString()
}

/** `error` is one of few words (RFC 6749, section 5.2). */
function reasonIn(body: string): string {
  try {
    const word = textOf(mapOf(JSON.parse(body)).error)
    return word !== undefined && /^[a-z_]{1,40}$/.test(word) ? ` (${word})` : ''
  } catch {
    return ''
  }
}

function parsed(json: string, what: string): unknown {
  try {
    return JSON.parse(json) as unknown
  } catch {
    throw new Error(`${what} is not JSON`)
  }
}

function authorityIn(config: ProviderConfig): Buffer | undefined {
  const data = config['idp-certificate-authority-data']
  const file = config['idp-certificate-authority']
  if (data) return Buffer.from(data, 'base64')
  return file ? readFileSync(file) : undefined
}
