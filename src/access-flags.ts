/** Flags that say who may enter. */
import { readFile } from 'node:fs/promises'
import { Flags } from '@oclif/core'
import { ANY_ADDRESS, requireCidr } from './access/cidr.ts'
import type { GuardRequest } from './access/guard.ts'
import { requireUsers } from './access/htpasswd.ts'
import { usageError } from './errors.ts'

const cidr = Flags.custom<string>({
  helpValue: 'CIDR',
  multiple: true,
  parse: async (text) => (text === ANY_ADDRESS ? text : requireCidr(text)),
})

const htpasswd = Flags.custom<string[]>({
  helpValue: 'FILE',
  parse: async (file) => requireUsers(await requireFile('--htpasswd', file), file),
})

export const accessFlags = {
  'allow-cidr': cidr({
    description:
      'let in requests from these addresses alone; may be repeated; "any" lifts it (default: as it is, else any)',
  }),
  auth: Flags.string({
    helpValue: 'none|basic',
    description:
      'what the gateway asks for: basic: a password (made and shown once, without --htpasswd); none lifts it (default: as it is, else none)',
  }),
  htpasswd: htpasswd({ dependsOn: ['auth'], description: 'users of --auth basic, with SHA-1 hashes (htpasswd -s)' }),
}

interface AccessFlags {
  'allow-cidr': string[] | undefined
  auth: string | undefined
  htpasswd: string[] | undefined
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

function loginOf({ auth, htpasswd: users }: AccessFlags): GuardRequest['login'] {
  if (users !== undefined && auth !== 'basic')
    throw usageError('AUTH_INVALID', '--htpasswd goes with --auth basic', ['--auth basic'])
  switch (auth) {
    case undefined:
    case 'none':
      return auth
    case 'basic':
      return { kind: 'basic', users }
    default:
      throw usageError('AUTH_INVALID', `--auth ${JSON.stringify(auth)} is not known`, ['--auth basic', '--auth none'])
  }
}

async function requireFile(flag: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? (error as Error).message
    throw usageError('FILE_UNREADABLE', `${flag} ${file} cannot be read: ${why}`)
  }
}
