/** A guard in words. */
import type { GuardView } from '../access/guard.ts'

/** In words that follow the add-on's name: `from 10.0.0.0/8, with a password (telemetry)`. */
export function guardWords({ cidrs, login }: GuardView): string {
  const words = cidrs === undefined ? [] : [`from ${cidrs.join(', ')}`]
  switch (login?.kind) {
    case 'basic':
      return [...words, `with a password (${login.users.join(', ')})`].join(', ')
    case 'jwt':
      return [
        ...words,
        `with a token from ${login.issuer} for ${login.audiences.join(' or ') || 'any application'}`,
      ].join(', ')
    case 'ext-authz':
      return [...words, `allowed by ${login.provider}`].join(', ')
    default:
      return words.join(', ')
  }
}
