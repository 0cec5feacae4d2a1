/** Whom requests act as: `as` and its neighbours in the kubeconfig, and the flags `--as`, `--as-group`, `--as-uid` and `--as-user-extra`. Pure. */
import { EXIT, UserError } from '../../errors.ts'
import type { KubeUser } from '../kubeconfig/decode.ts'
import { headerText } from './header-text.ts'

export interface Impersonation {
  user?: string | undefined
  groups?: string[] | undefined
  uid?: string | undefined
  extra?: Record<string, string[]> | undefined
}

/** The flags. */
export interface ActingFlags extends Pick<Impersonation, 'user' | 'groups' | 'uid'> {
  /** `KEY=VALUE`. */
  extra?: string[] | undefined
}

/**
 * Like kubectl: a flag replaces the kubeconfig's value, and an empty flag is none.
 * @throws UserError IMPERSONATION_INVALID for groups and the like without a user: the request would be sent with all rights
 */
export function actingAs(user: KubeUser, flags: ActingFlags): Impersonation {
  const name = flags.user || user.as
  // An API server takes an empty header for none.
  if (name !== undefined && /^\s*$/.test(name)) throw withoutUser('spaces are', EXIT.failed)
  const acting = {
    user: name,
    groups: flags.groups?.length ? flags.groups : user['as-groups'],
    uid: flags.uid || user['as-uid'],
    // Unlike the others, both count: keys of the flags replace those of the kubeconfig.
    extra: flags.extra?.length ? { ...user['as-user-extra'], ...valuesByKey(flags.extra) } : user['as-user-extra'],
  }
  if (acting.user !== undefined) return acting
  if (flags.groups?.length || flags.uid || flags.extra?.length)
    throw withoutUser('--as-group, --as-uid and --as-user-extra are', EXIT.usage)
  if (acting.groups !== undefined || acting.uid !== undefined || acting.extra !== undefined)
    throw withoutUser('as-groups, as-uid or as-user-extra of the kubeconfig are', EXIT.failed)
  return {}
}

function valuesByKey(pairs: string[]): Record<string, string[]> {
  const values: Record<string, string[]> = Object.create(null)
  for (const pair of pairs) {
    const at = pair.indexOf('=')
    // kubectl ignores it, so the request would have other rights than was meant.
    if (at < 1) throw invalid(`--as-user-extra ${JSON.stringify(pair)} is not KEY=VALUE`, '--as-user-extra scopes=view')
    values[pair.slice(0, at)] = [...(values[pair.slice(0, at)] ?? []), pair.slice(at + 1)]
  }
  return values
}

function withoutUser(what: string, exitCode: number): UserError {
  const message = `${what} given without a user to act as, so the request would have all rights of yours`
  return invalid(message, '--as USER', exitCode)
}

function invalid(message: string, suggestion: string, exitCode: number = EXIT.usage): UserError {
  return new UserError('IMPERSONATION_INVALID', message, { suggestions: [suggestion], exitCode })
}

export function hasRepeatedHeader({ groups = [], extra = {} }: Impersonation): boolean {
  return [groups, ...Object.values(extra)].some((values) => values.length > 1)
}

/** Impersonation headers: https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation */
export function impersonationHeaders(acting: Impersonation): Record<string, string | string[]> {
  const { user, groups = [], uid, extra = {} } = acting
  const extras = Object.entries(extra).map(([key, values]) => [`impersonate-extra-${headerName(key)}`, texts(values)])
  return {
    ...(user === undefined ? {} : { 'impersonate-user': headerText(user, 'the user to act as') }),
    ...(uid === undefined ? {} : { 'impersonate-uid': headerText(uid, 'the UID to act as') }),
    ...(groups.length > 0 ? { 'impersonate-group': texts(groups) } : {}),
    ...(Object.fromEntries(extras.filter(([, values]) => values?.length)) as Record<string, string[]>),
  }
}

function texts(values: string[]): string[] {
  return values.map((value) => headerText(value, 'a group or an extra value to act with'))
}

/** client-go's escaping of a key: what is not legal in a name of a header (RFC 9110, 5.6.2), and `%`, as percent-encoded UTF-8. */
function headerName(key: string): string {
  const percent = (one: string) =>
    Buffer.from(one)
      .toString('hex')
      .replace(/../g, (byte) => `%${byte.toUpperCase()}`)
  return key.replace(/[^!#$&'*+.^_`|~0-9A-Za-z-]/gu, percent)
}
