/** Flags that say who may enter. */
import { readFile } from 'node:fs/promises'
import { Flags } from '@oclif/core'
import { ANY_ADDRESS, requireCidr } from '../access/cidr.ts'
import type { GuardRequest } from '../access/guard.ts'
import { requireUsers } from '../access/htpasswd.ts'
import { requireKeySet, requireKeysUri } from '../access/jwks.ts'
import { usageError } from '../errors.ts'

const cidr = Flags.custom<string>({
  helpValue: 'CIDR',
  multiple: true,
  multipleNonGreedy: true,
  parse: async (text) => (text === ANY_ADDRESS ? text : requireCidr(text)),
})

const htpasswd = Flags.custom<string[]>({
  helpValue: 'FILE',
  parse: async (file) => requireUsers(await requireFile('--htpasswd', file), file),
})

const jwks = Flags.custom<string>({
  helpValue: 'FILE',
  parse: async (file) => requireKeySet(await requireFile('--jwks', file), file),
})

const jwksUri = Flags.custom<string>({ helpValue: 'URL', parse: async (text) => requireKeysUri(text) })

export const accessFlags = {
  'allow-cidr': cidr({
    description:
      'let in requests from these addresses alone; may be repeated; "any" lifts it (default: as it is, else any)',
  }),
  auth: Flags.string({
    helpValue: 'none|basic|jwt|ext-authz=PROVIDER',
    description:
      'what the gateway asks for: a password (made and shown once, without --htpasswd), a token, or what an external authorizer of the mesh configuration (oauth2-proxy) asks for; none lifts it (default: as it is, else none)',
  }),
  htpasswd: htpasswd({ dependsOn: ['auth'], description: 'users of --auth basic, with SHA-1 hashes (htpasswd -s)' }),
  issuer: Flags.string({
    dependsOn: ['auth'],
    helpValue: 'ISSUER',
    description: 'whose tokens --auth jwt takes (iss)',
  }),
  'jwks-uri': jwksUri({
    dependsOn: ['auth'],
    exclusive: ['jwks'],
    description: "where the issuer's keys are: https, or http at a Service (http://NAME.NAMESPACE.svc/…)",
  }),
  jwks: jwks({ dependsOn: ['auth'], description: "the issuer's keys themselves, as a JSON Web Key Set" }),
  audience: Flags.string({
    dependsOn: ['auth'],
    multiple: true,
    multipleNonGreedy: true,
    helpValue: 'AUDIENCE',
    description: 'for whom a token has to be (aud); may be repeated (default: anybody)',
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

/** Which of them each kind of login takes. */
const BELONGING: Record<string, (keyof AccessFlags)[]> = {
  basic: ['htpasswd'],
  jwt: ['issuer', 'jwks-uri', 'jwks', 'audience'],
}

/** What the flags say of who may enter. @throws UserError CIDR_INVALID, AUTH_INVALID (exit 2) */
export function guardOf(flags: AccessFlags): GuardRequest {
  return { cidrs: cidrsOf(flags), login: loginOf(flags) }
}

function cidrsOf({ 'allow-cidr': cidrs }: AccessFlags): GuardRequest['cidrs'] {
  if (cidrs === undefined || !cidrs.includes(ANY_ADDRESS)) return cidrs && [...new Set(cidrs)].sort()
  if (cidrs.length === 1) return 'any'
  throw usageError('CIDR_INVALID', '--allow-cidr any goes with no other', ['--allow-cidr any'])
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
    '--auth jwt --issuer ISSUER --jwks-uri URL',
    '--auth ext-authz=PROVIDER',
    '--auth none',
  ])
}

function tokensOf({ issuer, 'jwks-uri': uri, jwks: inline, audience = [] }: AccessFlags): GuardRequest['login'] {
  const keys = uri !== undefined ? { uri } : inline !== undefined ? { inline } : undefined
  if (issuer && keys !== undefined) return { kind: 'jwt', issuer, audiences: [...new Set(audience)].sort(), keys }
  throw usageError('AUTH_INVALID', '--auth jwt needs the issuer and its keys', [
    '--auth jwt --issuer https://issuer.example.com --jwks-uri https://issuer.example.com/jwks.json',
    '--auth jwt --issuer https://issuer.example.com --jwks FILE',
  ])
}

async function requireFile(flag: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? (error as Error).message
    throw usageError('FILE_UNREADABLE', `${flag} ${file} cannot be read: ${why}`)
  }
}
