/** The terms on which an add-on is exposed, remembered on its VirtualService: until when, and that anyone may come in. Pure. */
import { type Guards, isGuarded } from '../access/guard.ts'
import type { SurveyedAddon } from '../addons/survey.ts'
import { ALLOWS_ANONYMOUS, allowsAnonymous, EXPIRES_AT, expiryOf } from '../cluster/ownership.ts'
import type { ExposedRoute } from '../gateways/exposed-routes.ts'

export interface Terms {
  /** RFC 3339. Left out: for good. */
  expiresAt?: string
  /** Somebody said so, knowing that the add-on asks for no login. */
  anonymous?: true
}

export interface TermsRequest {
  /** Milliseconds; `never`: for good. Left out: as it is. */
  ttl?: number | 'never' | undefined
  allowAnonymous: boolean
}

/** The same with the hour it comes to, so that what is planned twice in a run is the same twice. */
export interface DatedTerms extends TermsRequest {
  expiresAt?: Date | 'never' | undefined
}

export function dated(terms: TermsRequest, now: Date): DatedTerms {
  const { ttl } = terms
  if (ttl === undefined) return terms
  return { ...terms, expiresAt: ttl === 'never' ? ttl : new Date(now.getTime() + ttl) }
}

/** By add-on: of those that are named as asked for, and else as it was; of the others as it was. */
export function chooseTerms(
  addons: SurveyedAddon[],
  exposed: ExposedRoute[],
  asked: DatedTerms,
  guards: Guards,
): Record<string, Terms> {
  const present = Object.fromEntries(exposed.map(({ addon, object }) => [addon, termsIn(object)]))
  const named = addons.map(({ found: { addon }, access }): [string, Terms] => {
    const before = present[addon.name]
    const open = access.kind !== 'login' && !isGuarded(guards[addon.name])
    const anonymous = open && (asked.allowAnonymous || before?.anonymous === true)
    const expiresAt = asked.expiresAt === undefined ? before?.expiresAt : timestamp(asked.expiresAt)
    return [addon.name, { ...(expiresAt === undefined ? {} : { expiresAt }), ...(anonymous ? { anonymous } : {}) }]
  })
  return { ...present, ...Object.fromEntries(named) }
}

export function termsIn(object: ExposedRoute['object']): Terms {
  const expiresAt = expiryOf(object)
  return { ...(expiresAt === undefined ? {} : { expiresAt }), ...(allowsAnonymous(object) ? { anonymous: true } : {}) }
}

/** Without the milliseconds that nobody needs. */
function timestamp(time: Date | 'never'): string | undefined {
  return time === 'never' ? undefined : time.toISOString().replace(/\.\d+Z$/, 'Z')
}

/** As they are written. */
export function annotationsOf({ expiresAt, anonymous }: Terms = {}): Record<string, string> | undefined {
  const annotations = {
    ...(expiresAt === undefined ? {} : { [EXPIRES_AT]: expiresAt }),
    ...(anonymous ? { [ALLOWS_ANONYMOUS]: 'true' } : {}),
  }
  return Object.keys(annotations).length === 0 ? undefined : annotations
}
