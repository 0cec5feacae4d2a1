/** An add-on that lets anyone in is not put on a reachable address silently (DESIGN, promise 5). */
import { cidrInvalid, requireCidr } from '../access/cidr.ts'
import { failingOpen, type GuardRequest } from '../access/guard.ts'
import type { GuardPlan } from '../access/guard-plan.ts'
import { argumentsFor, serviceNamed, titleOf } from '../addons/service-name.ts'
import type { SurveyedAddon } from '../addons/survey.ts'
import { UserError } from '../errors.ts'
import { isSecure } from '../gateways/layout.ts'
import { sh } from '../shell.ts'
import { complaintOf } from '../terminal/complaint.ts'
import type { Choice, Terminal } from '../terminal/terminal.ts'
import type { ExposeRequest } from './request.ts'
import { type Exposure, type ExposureSpec, entryIn } from './spec.ts'
import { opennessOf } from './terms.ts'

/** The user's answer about add-ons that let anyone in: a guard, or access for anyone. */
export type Consent = { guard: GuardRequest['answered'] } | { anyone: string[] } | 'nothing to ask'

/** Who may enter an add-on that asks for no login. */
export type AccessChoice = 'password' | 'addresses' | 'anyone' | 'nobody'

export const ACCESS_CHOICES: Choice<AccessChoice>[] = [
  { name: 'users with a password, which is generated now and shown once', value: 'password' },
  { name: 'only requests from some addresses', value: 'addresses' },
  { name: 'anyone who reaches the address', value: 'anyone' },
  { name: 'nobody: do not expose it', value: 'nobody' },
]

export const ADDRESSES_PROMPT = 'Addresses or networks, such as 203.0.113.0/24'

/**
 * Asks only about add-ons without a guard to which the user has not yet allowed anyone. One answer is for all of them.
 * @throws UserError ANONYMOUS_ACCESS without a terminal, DECLINED when the answer is nobody
 */
export async function requireConsent(
  spec: ExposureSpec,
  exposures: readonly Exposure[],
  terminal: Terminal,
): Promise<Consent> {
  const open = openAddons(spec)
  const [first] = open
  if (first === undefined) return 'nothing to ask'
  if (!terminal.interactive) throw refusal(first, spec)
  noteRisks(open, terminal, spec.guarding)
  const only = open.map(({ found }) => found.addon.name)
  const urls = exposures.filter(({ name }) => only.includes(name)).map(({ url }) => url)
  switch (await terminal.select(`Who may enter ${urls.join(', ')}?`, ACCESS_CHOICES)) {
    case 'password':
      return { guard: { only, login: { kind: 'basic', users: undefined } } }
    case 'addresses':
      return { guard: { only, cidrs: await askAddresses(terminal) } }
    case 'anyone':
      return { anyone: only }
    case 'nobody':
      throw new UserError('DECLINED', 'nothing was exposed or changed')
  }
}

/** The request, completed with the answer. */
export function requestAfter(request: ExposeRequest, consent: Exclude<Consent, 'nothing to ask'>): ExposeRequest {
  return 'anyone' in consent
    ? { ...request, terms: { ...request.terms, allowed: consent.anyone } }
    : { ...request, guard: { ...request.guard, ...(consent.guard && { answered: consent.guard }) } }
}

export function noteRisks(open: SurveyedAddon[], terminal: Terminal, guarding: GuardPlan): void {
  for (const one of open)
    terminal.note(one.visitor === '' ? riskOf(one, guarding) : `${riskOf(one, guarding)}: a visitor ${one.visitor}`)
}

/** Add-ons that would let anyone in although the user has not allowed that, also those that move with the named ones. */
export function openAddons(
  spec: Pick<ExposureSpec, 'addons' | 'moving' | 'guarding' | 'terms' | 'layout' | 'entries'>,
): SurveyedAddon[] {
  const { addons, moving, guarding, terms, layout } = spec
  return [...addons, ...moving].filter((one) => {
    const openness = opennessOf(one, guarding, isSecure(entryIn(spec, one.found.addon.name), layout))
    return openness !== undefined && terms[one.found.addon.name]?.anonymous !== openness
  })
}

async function askAddresses(terminal: Terminal): Promise<string[]> {
  return requireCidrs(await terminal.input(`${ADDRESSES_PROMPT}:`, complaintOf(requireCidrs)))
}

/** Networks, separated by blanks or commas. @throws UserError CIDR_INVALID */
export function requireCidrs(text: string): string[] {
  const words = text.split(/[\s,]+/).filter((word) => word !== '')
  if (words.length === 0) throw cidrInvalid('at least one address or network')
  return [...new Set(words.map(requireCidr))].sort()
}

function refusal(one: SurveyedAddon, { moving, guarding, addons }: ExposureSpec): UserError {
  const { addon, namespace } = one.found
  const risk = riskOf(one, guarding)
  if (moving.includes(one)) {
    const names = [...addons.map(({ found }) => titleOf(found.addon.name)), titleOf(addon.name)]
    const message = `${titleOf(addon.name)} would move with the named add-ons, because they share a gateway; ${risk}, and nobody has agreed to that for its new address`
    return new UserError('ANONYMOUS_ACCESS', message, {
      suggestions: [
        sh`kubectl telemetry expose ${names} …   # with --auth, --allow-cidr or --allow-anonymous, for all of them`,
        'leave out --domain, --layout and --insecure   # nothing moves',
        sh`kubectl telemetry cleanup ${argumentsFor(addon.name)}   # it is not exposed any more`,
      ],
    })
  }
  const message = `${risk}; it is exposed only after you choose who may enter`
  return new UserError('ANONYMOUS_ACCESS', message, {
    suggestions: [
      '--auth basic   # with a password, which is generated and shown once',
      '--allow-cidr 203.0.113.0/24   # only from these addresses',
      '--allow-anonymous   # anyone who reaches the address gets in',
      sh`kubectl telemetry port-forward ${titleOf(addon.name)} -n ${namespace}   # only for you`,
    ],
  })
}

function riskOf({ found: { addon, namespace }, access }: SurveyedAddon, { guards, failOpen }: GuardPlan): string {
  const risk =
    access.kind === 'anonymous'
      ? `${addon.title} in namespace ${namespace} lets anyone in as ${access.role}, without a login`
      : serviceNamed(addon.name) === undefined
        ? `cannot read whether ${addon.title} in namespace ${namespace} asks for a login`
        : `it is not known whether ${addon.title} in namespace ${namespace} asks for a login`
  const provider = failingOpen(guards[addon.name], failOpen)
  return provider === undefined
    ? risk
    : `${risk}, and the external authorizer ${provider} lets everybody in while it does not answer (failOpen)`
}
