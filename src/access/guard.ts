/** Pure: a guard decides at the gateway who may enter an exposed add-on. */

/** The login that the gateway requires. */
export type Login =
  | {
      kind: 'basic'
      /** Lines of an htpasswd file: `NAME:{SHA}…`. */
      users: string[]
    }
  | { kind: 'jwt'; issuer: string; audiences: string[]; keys: JwtKeys }
  | {
      kind: 'ext-authz'
      /** An extension provider of the mesh configuration. */
      provider: string
    }

/** The issuer's keys: at a URL, or inline as a JSON Web Key Set. */
export type JwtKeys = { uri: string } | { inline: string }

/** A request has to satisfy both, if both are present. */
export interface Guard {
  /** Networks from which requests are allowed; all addresses if left out. */
  cidrs?: string[]
  login?: Login
}

/** What one object says of a guard, and what one flag sets: `--auth` a login, `--allow-cidr` a list. */
export type GuardHalf = 'login' | 'list'

/** Requested changes of the named add-ons; fields that are left out stay unchanged. */
export interface GuardRequest extends GuardChange {
  /** The answer to the question who may enter these add-ons, instead of the other fields. */
  answered?: GuardChange & { only: string[] }
  /** A new password, in case one is needed. */
  generated?: Credentials | undefined
}

export interface GuardChange {
  /** `any` allows every address. */
  cidrs?: string[] | 'any' | undefined
  /** `none` removes the login. `basic` without users keeps the present password, or uses a generated one. */
  login?: 'none' | { kind: 'basic'; users: undefined } | Login | undefined
}

export interface Credentials {
  user: string
  password: string
  /** A line of an htpasswd file. */
  line: string
}

/** A guard for display: names without hashes. */
export interface GuardView {
  cidrs?: string[]
  login?:
    | { kind: 'basic'; users: string[] }
    | { kind: 'jwt'; issuer: string; audiences: string[] }
    | { kind: 'ext-authz'; provider: string }
}

/** Guards by add-on. Add-ons without a guard are left out. */
export type Guards = Record<string, Guard>

/** Whether there is a guard that denies some requests. */
export function isGuarded(guard: Guard | undefined): guard is Guard {
  return guard?.cidrs !== undefined || guard?.login !== undefined
}

/**
 * Whether a guard always denies strangers. An external authorizer that is skipped while it does not answer denies nobody then.
 * @param failOpen external authorizers that are skipped while they do not answer
 */
export function isProtected(guard: Guard | undefined, failOpen: readonly string[]): boolean {
  return isGuarded(guard) && (guard.cidrs !== undefined || failingOpen(guard, failOpen) === undefined)
}

/** The external authorizer of a guard, if it is skipped while it does not answer. */
export function failingOpen(guard: Guard | undefined, failOpen: readonly string[]): string | undefined {
  const provider = guard?.login?.kind === 'ext-authz' ? guard.login.provider : undefined
  return provider !== undefined && failOpen.includes(provider) ? provider : undefined
}

/** Whether anything of a guard is asked for. */
export function asksForGuard({ cidrs, login, answered }: GuardRequest): boolean {
  return [cidrs, login, answered].some((one) => one !== undefined)
}

/** Whether a request says what a half of a guard is to be, so that the present one need not be known. */
export function replaces({ cidrs, login }: GuardChange, half: GuardHalf): boolean {
  return (half === 'login' ? login : cidrs) !== undefined
}

/** The wanted guard: requested fields, and the present value of all others. */
export function guardWanted(asked: Omit<GuardRequest, 'answered'>, present: Guard | undefined): Guard {
  const cidrs = asked.cidrs ?? present?.cidrs
  const login = loginWanted(asked, present?.login)
  return { ...(cidrs === undefined || cidrs === 'any' ? {} : { cidrs }), ...(login === undefined ? {} : { login }) }
}

function loginWanted({ login, generated }: GuardRequest, present: Login | undefined): Login | undefined {
  if (login === undefined) return present
  if (login === 'none') return undefined
  if (login.kind !== 'basic' || login.users !== undefined) return login
  if (present?.kind === 'basic') return present
  return generated === undefined ? undefined : { kind: 'basic', users: [generated.line] }
}

export function viewOf({ cidrs, login }: Guard): GuardView {
  const shown = login === undefined ? undefined : loginView(login)
  return { ...(cidrs === undefined ? {} : { cidrs }), ...(shown === undefined ? {} : { login: shown }) }
}

function loginView(login: Login): GuardView['login'] {
  switch (login.kind) {
    case 'basic':
      return { kind: 'basic', users: login.users.map(userOf) }
    case 'jwt':
      return { kind: 'jwt', issuer: login.issuer, audiences: login.audiences }
    case 'ext-authz':
      return login
  }
}

function userOf(line: string): string {
  return line.slice(0, line.indexOf(':'))
}
