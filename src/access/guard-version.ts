/** Pure: which version of a guard an object is for. */
import type { Entry } from '../gateways/layout.ts'
import { digestOf } from '../manifests/probe-paths.ts'
import { type Guard, viewOf } from './guard.ts'

/** So few that nobody can test guessed passwords with them: others than those who see the hashes see versions. */
const HASHED = 4

/** Changes with everything that the guard says. */
export function guardVersion(guard: Guard): string {
  const { login } = guard
  const hashes = login?.kind === 'basic' ? digestOf(login.users).slice(0, HASHED) : ''
  return digestOf([viewOf(guard), login?.kind === 'jwt' ? login.keys : []]) + hashes
}

/** A short one for an entry, to tell its versions apart by a name. */
export function entryVersion({ host, port }: Pick<Entry, 'host' | 'port'>, guard: Guard): string {
  return digestOf([host, port, guardVersion(guard)]).slice(0, HASHED)
}
