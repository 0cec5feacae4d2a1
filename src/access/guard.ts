/** What stands in front of an add-on at the gateway: whom it lets in. Pure. */

/** Who asks for a login, and what for. */
export type Login =
  | {
      kind: 'basic'
      /** `NAME:{SHA}…`, as in a file of htpasswd. */
      users: string[]
    }
  | { kind: 'jwt'; issuer: string; audiences: string[]; keys: JwtKeys }
  | {
      kind: 'ext-authz'
      /** An extension provider of the mesh configuration. */
      provider: string
    }

/** Where the issuer's keys are: at an address, or here as a JSON Web Key Set. */
export type JwtKeys = { uri: string } | { inline: string }

/** Both have to be satisfied, where there are both. */
export interface Guard {
  /** Networks from which requests are let in; every address when left out. */
  cidrs?: string[]
  login?: Login
}

/** What was asked for; what is left out stays as it is. */
export interface GuardRequest {
  /** Add-ons that it is for; all that are named when left out. */
  only?: string[] | undefined
  /** `any`: from every address. */
  cidrs?: string[] | 'any' | undefined
  /** `none`: without. `basic` without users: the password in use, or else a generated one. */
  login?: 'none' | { kind: 'basic'; users: undefined } | Login | undefined
  /** A new password, for where one is needed. */
  generated?: Credentials | undefined
}

export interface Credentials {
  user: string
  password: string
  /** As in a file of htpasswd. */
  line: string
}

/** A guard as it may be shown: names without hashes. */
export interface GuardView {
  cidrs?: string[]
  login?:
    | { kind: 'basic'; users: string[] }
    | { kind: 'jwt'; issuer: string; audiences: string[] }
    | { kind: 'ext-authz'; provider: string }
}

/** Guards by add-on. One that has none is not in it. */
export type Guards = Record<string, Guard>

/** Whether anybody is kept out. */
export function isGuarded(guard: Guard | undefined): guard is Guard {
  return guard?.cidrs !== undefined || guard?.login !== undefined
}

/** A guard as it is to be: what was asked for, and of the rest what there is. */
export function guardWanted(asked: GuardRequest, present: Guard | undefined): Guard {
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

/** In words that follow the add-on's name: `from 10.0.0.0/8, with a password (telemetry)`. */
export function guardWords({ cidrs, login }: GuardView): string {
  const words = cidrs === undefined ? [] : [`from ${cidrs.join(', ')}`]
  switch (login?.kind) {
    case 'basic':
      return [...words, `with a password (${login.users.join(', ')})`].join(', ')
    case 'jwt':
      return [...words, `with a token of ${login.issuer}`].join(', ')
    case 'ext-authz':
      return [...words, `whom ${login.provider} lets in`].join(', ')
    default:
      return words.join(', ')
  }
}
