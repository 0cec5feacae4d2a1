/** Flags that decide who may enter an exposure. */
import { Flags } from '@oclif/core'
import { ANY_ADDRESS, cidrInvalid, requireCidr } from '../access/cidr.ts'
import type { GuardRequest } from '../access/guard.ts'
import { requireUsers } from '../access/htpasswd.ts'
import { requireKeySet, requireKeysUri } from '../access/jwks.ts'
import { usageError } from '../errors.ts'
import { readText } from './values.ts'

const cidr = Flags.custom<string>({
  helpValue: 'CIDR',
  multiple: true,
  multipleNonGreedy: true,
  parse: async (text) => (text === ANY_ADDRESS ? text : requireCidr(text)),
})

const htpasswd = Flags.custom<string[]>({
  helpValue: 'FILE',
  parse: async (file) => requireUsers(await readText('--htpasswd', file), file),
})

const jwks = Flags.custom<string>({
  helpValue: 'FILE',
  parse: async (file) => requireKeySet(await readText('--jwks', file), file),
})

const jwksUri = Flags.custom<string>({ helpValue: 'URL', parse: async (text) => requireKeysUri(text) })

/** Help lists these flags under ACCESS FLAGS. */
export const ACCESS_GROUP = 'access'

const helpGroup = ACCESS_GROUP

export const accessFlags = {
  'allow-cidr': cidr({
    helpGroup,
    description: 'Admit only these client addresses; repeatable; "any" removes the limit (default: unchanged)',
  }),
  auth: Flags.string({
    helpGroup,
    helpValue: 'METHOD',
    description:
      'Login required at the gateway: basic (a password), jwt (a token) or ext-authz=PROVIDER from the mesh configuration; none removes it (default: unchanged)',
  }),
  htpasswd: htpasswd({
    helpGroup,
    dependsOn: ['auth'],
    description: 'Users of --auth basic, with SHA-1 hashes (htpasswd -s) (default: one generated password, shown once)',
  }),
  issuer: Flags.string({
    helpGroup,
    dependsOn: ['auth'],
    helpValue: 'ISSUER',
    description: 'Issuer (iss) of the tokens that --auth jwt accepts',
  }),
  'jwks-uri': jwksUri({
    helpGroup,
    dependsOn: ['auth'],
    exclusive: ['jwks'],
    description: "URL of the issuer's keys: https, or http at a Service (http://NAME.NAMESPACE.svc/…)",
  }),
  jwks: jwks({ helpGroup, dependsOn: ['auth'], description: "File with the issuer's keys, a JSON Web Key Set" }),
  audience: Flags.string({
    helpGroup,
    dependsOn: ['auth'],
    multiple: true,
    multipleNonGreedy: true,
    helpValue: 'AUDIENCE',
    description:
      'Audience (aud) that a token of --auth jwt must have; repeatable; "any" accepts every token of the issuer',
  }),
}

interface AccessFlags {
  'allow-cidr': string[] | undefined
  auth: string | undefined
  htpasswd: string[] | undefined
  issuer: string | undefined
  'jwks-uri': string | undefined
  jwks: string | undefined
  audience: string[] | undefined
}

/** The flags that each kind of login accepts. */
const BELONGING: Record<string, (keyof AccessFlags)[]> = {
  basic: ['htpasswd'],
  jwt: ['issuer', 'jwks-uri', 'jwks', 'audience'],
}

/** The guard that the flags request. @throws UserError CIDR_INVALID, AUTH_INVALID (exit 2) */
export function guardOf(flags: AccessFlags): GuardRequest {
  return { cidrs: cidrsOf(flags), login: loginOf(flags) }
}

function cidrsOf({ 'allow-cidr': cidrs }: AccessFlags): GuardRequest['cidrs'] {
  if (cidrs === undefined || !cidrs.includes(ANY_ADDRESS)) return cidrs && [...new Set(cidrs)].sort()
  if (cidrs.length === 1) return 'any'
  throw cidrInvalid('--allow-cidr any goes with no other', '--allow-cidr any')
}

function loginOf(flags: AccessFlags): GuardRequest['login'] {
  const { auth } = flags
  const [kind = '', provider, more] = auth?.split('=') ?? []
  for (const [owner, names] of Object.entries(BELONGING)) {
    const stray = names.find((name) => owner !== kind && flags[name] !== undefined)
    if (stray !== undefined)
      throw usageError('AUTH_INVALID', `--${stray} goes with --auth ${owner}`, [`--auth ${owner}`])
  }
  if (auth === undefined || auth === 'none') return auth
  if (auth === 'basic') return { kind: 'basic', users: flags.htpasswd }
  if (auth === 'jwt') return tokensOf(flags)
  if (kind === 'ext-authz' && provider && more === undefined) return { kind: 'ext-authz', provider }
  throw usageError('AUTH_INVALID', `--auth ${JSON.stringify(auth)} is not known`, [
    '--auth basic',
    '--auth jwt --issuer ISSUER --jwks-uri URL --audience AUDIENCE',
    '--auth ext-authz=PROVIDER',
    '--auth none',
  ])
}

/** Instead of an audience: a token of the issuer for any application is accepted. */
const ANY_AUDIENCE = 'any'

function tokensOf(flags: AccessFlags): GuardRequest['login'] {
  const { issuer, 'jwks-uri': uri, jwks: inline, audience } = flags
  const keys = uri !== undefined ? { uri } : inline !== undefined ? { inline } : undefined
  if (!issuer || keys === undefined)
    throw usageError('AUTH_INVALID', '--auth jwt needs the issuer and its keys', [
      '--auth jwt --issuer https://issuer.example.com --jwks-uri https://issuer.example.com/jwks.json --audience AUDIENCE',
      '--auth jwt --issuer https://issuer.example.com --jwks FILE --audience AUDIENCE',
    ])
  return { kind: 'jwt', issuer, audiences: audiencesOf(audience), keys }
}

/** @returns empty if every audience is accepted */
function audiencesOf(audience: string[] = []): string[] {
  const wrong = (why: string) =>
    usageError('AUTH_INVALID', why, [
      '--audience AUDIENCE   # the aud of tokens for this page',
      `--audience ${ANY_AUDIENCE}   # accepts tokens that were issued for other applications`,
    ])
  if (audience.length === 0)
    throw wrong('--auth jwt needs --audience: without one, a token that was issued for another application is accepted')
  if (audience.includes('')) throw wrong('--audience is empty')
  if (!audience.includes(ANY_AUDIENCE)) return [...new Set(audience)].sort()
  if (audience.length > 1) throw wrong(`--audience ${ANY_AUDIENCE} goes with no other`)
  return []
}
