/** The terms of an exposure, stored on its VirtualService: when it expires, and whether anyone may enter. Pure. */
import { createHash } from 'node:crypto'
import { failingOpen, isProtected } from '../access/guard.ts'
import type { GuardPlan } from '../access/guard-plan.ts'
import type { SurveyedAddon } from '../addons/survey.ts'
import { ALLOWS_ANONYMOUS, anonymousConsentOf, EXPIRES_AT, expiryOf, ownPortNote } from '../cluster/ownership.ts'
import { type Finding, notes } from '../findings.ts'
import type { ExposedRoute } from '../gateways/exposed-routes.ts'
import { type Entry, isSecure, type Layout, type OwnPort } from '../gateways/layout.ts'

export interface Terms {
  /** RFC 3339; left out when it never expires. */
  expiresAt?: string
  /** To what the user agreed, if the add-on lets anyone in and no guard protects it: see `opennessOf`. */
  anonymous?: string
}

export interface TermsRequest {
  /** Milliseconds, or `never`. Left out: unchanged. */
  ttl?: number | 'never' | undefined
  /** Whether the named add-ons may let anyone in. */
  allowAnonymous: boolean
  /** Add-ons about which the user was asked, and may let anyone in. */
  allowed?: string[]
}

/** With the time of expiry, so that planning twice in a run gives the same plan. */
export interface DatedTerms extends TermsRequest {
  expiresAt?: Date | 'never' | undefined
}

/** @param now by the API server's clock, which cleanup --expired uses too */
export function dated(terms: DatedTerms, now: Date): DatedTerms {
  const { ttl, expiresAt } = terms
  if (ttl === undefined || expiresAt !== undefined) return terms
  return { ...terms, expiresAt: ttl === 'never' ? ttl : new Date(now.getTime() + ttl) }
}

/** A difference of clocks that changes no time of expiry that a person would notice. */
const SMALL_SKEW = 60_000

/** @param ahead milliseconds by which the API server's clock is ahead of this machine's */
export function clockFindings(ahead = 0): Finding[] {
  if (Math.abs(ahead) <= SMALL_SKEW) return []
  const by = `${Math.round(Math.abs(ahead) / 60_000)} min ${ahead > 0 ? 'behind' : 'ahead of'}`
  const message = `the clock of this machine is ${by} that of the API server; times of expiry follow the API server`
  return [notes('CLOCK_SKEW', message, 'timedatectl   # is the clock of this machine synchronized?')]
}

/** Terms by add-on: named add-ons as requested, all others unchanged. @param moving add-ons that are not named and get another entry */
export function chooseTerms(
  {
    addons,
    moving,
    exposed,
  }: { addons: readonly SurveyedAddon[]; moving: readonly SurveyedAddon[]; exposed: readonly ExposedRoute[] },
  asked: DatedTerms,
  { guarding, entries, layout }: { guarding: Place['guarding']; entries: readonly Entry[]; layout: Layout },
): Record<string, Terms> {
  const present = Object.fromEntries(exposed.map(({ name, object }) => [name, termsIn(object)]))
  const termsFor = (one: SurveyedAddon, isNamed: boolean): [string, Terms] => {
    const { name } = one.found.addon
    const before = present[name] ?? {}
    const entry = entries.find(({ name: addon }) => addon === name)
    const secure = isSecure(entry ?? {}, layout)
    const isAllowed = asked.allowed?.includes(name) || (isNamed && asked.allowAnonymous)
    const now = opennessOf(one, guarding, secure)
    const anonymous = now !== undefined && (isAllowed || isCovered(one, before.anonymous, { guarding, secure }))
    const expiresAt = isNamed && asked.expiresAt !== undefined ? timestamp(asked.expiresAt) : before.expiresAt
    return [name, { ...(expiresAt === undefined ? {} : { expiresAt }), ...(anonymous ? { anonymous: now } : {}) }]
  }
  return {
    ...present,
    ...Object.fromEntries(moving.map((one) => termsFor(one, false))),
    ...Object.fromEntries(addons.map((one) => termsFor(one, true))),
  }
}

/** What protects the add-ons at a gateway. */
interface Place {
  guarding: Pick<GuardPlan, 'guards' | 'failOpen'>
  /** HTTPS. */
  secure: boolean
}

/**
 * To what a user agrees who exposes the add-on: `Viewer over HTTPS`. `undefined` if it asks for a login or a guard protects it. Another
 * role, an unknown one, HTTP instead of HTTPS, or an authorizer in place of another one is another text.
 */
export function opennessOf(
  { found: { addon }, access }: Pick<SurveyedAddon, 'found' | 'access'>,
  { guards, failOpen }: Place['guarding'],
  secure: boolean,
): string | undefined {
  const guard = guards[addon.name]
  if (access.kind === 'login' || isProtected(guard, failOpen)) return undefined
  const who = access.kind === 'anonymous' ? shortened(access.role) : 'unknown access'
  const provider = failingOpen(guard, failOpen)
  return `${who} over ${secure ? 'HTTPS' : 'HTTP'}${provider === undefined ? '' : ` while ${provider} does not answer`}`
}

/** Whether consent that was given earlier is for what would be exposed. Who agreed to HTTP agreed to HTTPS. */
export function isCovered(
  one: Pick<SurveyedAddon, 'found' | 'access'>,
  given: string | undefined,
  { guarding, secure }: Place,
): boolean {
  const schemes = secure ? [true, false] : [false]
  return given !== undefined && schemes.some((scheme) => given === opennessOf(one, guarding, scheme))
}

/** A role is text of the cluster: an annotation has a limited size, and the API server refuses control characters in YAML. */
function shortened(role: string): string {
  return /^[\w .:/-]{1,64}$/.test(role) ? role : `role ${createHash('sha256').update(role).digest('hex')}`
}

export function termsIn(object: ExposedRoute['object']): Terms {
  const [expiresAt, anonymous] = [expiryOf(object), anonymousConsentOf(object)]
  return { ...(expiresAt === undefined ? {} : { expiresAt }), ...(anonymous === undefined ? {} : { anonymous }) }
}

/** RFC 3339 without milliseconds. */
function timestamp(time: Date | 'never'): string | undefined {
  return time === 'never' ? undefined : time.toISOString().replace(/\.\d+Z$/, 'Z')
}

/** The annotations that store the terms, and that the port is its own. */
export function annotationsOf(
  { expiresAt, anonymous }: Terms = {},
  own?: Pick<OwnPort, 'secure'>,
): Record<string, string> | undefined {
  const annotations = {
    ...(own === undefined ? {} : ownPortNote(own.secure)),
    ...(expiresAt === undefined ? {} : { [EXPIRES_AT]: expiresAt }),
    ...(anonymous === undefined ? {} : { [ALLOWS_ANONYMOUS]: anonymous }),
  }
  return Object.keys(annotations).length === 0 ? undefined : annotations
}
