/** Flags that say who may enter. */
import { Flags } from '@oclif/core'
import { ANY_ADDRESS, requireCidr } from './access/cidr.ts'
import type { GuardRequest } from './access/guard.ts'
import { usageError } from './errors.ts'

const cidr = Flags.custom<string>({
  helpValue: 'CIDR',
  multiple: true,
  parse: async (text) => (text === ANY_ADDRESS ? text : requireCidr(text)),
})

export const accessFlags = {
  'allow-cidr': cidr({
    description:
      'let in requests from these addresses alone; may be repeated; "any" lifts it (default: as it is, else any)',
  }),
}

/** What the flags say of who may enter. @throws UserError CIDR_INVALID (exit 2) */
export function guardOf(flags: { 'allow-cidr': string[] | undefined }): GuardRequest {
  const cidrs = flags['allow-cidr']
  if (cidrs === undefined || !cidrs.includes(ANY_ADDRESS)) return { cidrs: cidrs && [...new Set(cidrs)].sort() }
  if (cidrs.length === 1) return { cidrs: 'any' }
  throw usageError('CIDR_INVALID', '--allow-cidr any goes with no other', ['--allow-cidr any'])
}
