/** Whom requests act as: `as` and its neighbours in the kubeconfig, and the flags `--as`, `--as-group` and `--as-uid`. Pure. */
import { EXIT, UserError } from '../../errors.ts'
import type { KubeUser } from '../kubeconfig/decode.ts'
import { headerText } from './header-text.ts'

export interface Impersonation {
  user?: string | undefined
  groups?: string[] | undefined
  uid?: string | undefined
  extra?: Record<string, string[]> | undefined
}

/**
 * Like kubectl: a flag replaces the kubeconfig's value, and an empty flag is none.
 * @throws UserError IMPERSONATION_INVALID for groups and the like without a user: the request would be sent with all rights
 */
export function actingAs(user: KubeUser, flags: Impersonation): Impersonation {
  const name = flags.user || user.as
  // An API server takes an empty header for none.
  if (name !== undefined && /^\s*$/.test(name)) throw withoutUser('spaces are', EXIT.failed)
  const acting = {
    user: name,
    groups: flags.groups?.length ? flags.groups : user['as-groups'],
    uid: flags.uid || user['as-uid'],
    extra: user['as-user-extra'],
  }
  if (acting.user !== undefined) return acting
  if (flags.groups?.length || flags.uid) throw withoutUser('--as-group and --as-uid are', EXIT.usage)
  if (acting.groups !== undefined || acting.uid !== undefined || acting.extra !== undefined)
    throw withoutUser('as-groups, as-uid or as-user-extra of the kubeconfig are', EXIT.failed)
  return {}
}

function withoutUser(what: string, exitCode: number): UserError {
  const message = `${what} given without a user to act as, so the request would have all rights of yours`
  return new UserError('IMPERSONATION_INVALID', message, { suggestions: ['--as USER'], exitCode })
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
