/** An add-on that lets anyone in is not put on a reachable address silently (DESIGN, promise 5). */
import { requireCidr } from '../access/cidr.ts'
import { type GuardRequest, isGuarded } from '../access/guard.ts'
import type { AddonAccess } from '../addons/configuration.ts'
import type { SurveyedAddon } from '../addons/survey.ts'
import { UserError, usageError } from '../errors.ts'
import { complaintOf } from '../gateways/survey.ts'
import type { Choice, Terminal } from '../terminal/terminal.ts'
import type { Exposure, ExposureRequest } from './plan.ts'

/** What a person wants of add-ons that let anyone in: a guard, or that they stay as they are. */
export type Consent = { guard: GuardRequest } | 'as it is' | 'nothing to ask'

/** How an open add-on may be exposed. */
export type Way = 'password' | 'addresses' | 'as it is' | 'not at all'

export const WAYS: Choice<Way>[] = [
  { name: 'with a password, which is made now and shown once', value: 'password' },
  { name: 'from some addresses alone', value: 'addresses' },
  { name: 'as it is: anyone who reaches the address gets in', value: 'as it is' },
  { name: 'not at all', value: 'not at all' },
]

export const WHICH_ADDRESSES = 'Addresses or networks, such as 203.0.113.0/24'

/**
 * An add-on with a guard does not let anyone in; for one that is exposed on such terms already somebody has said so. The answer is for
 * all that are open.
 * @throws UserError ANONYMOUS_ACCESS without a terminal, DECLINED when they are not to be exposed
 */
export async function requireConsent(
  request: ExposureRequest,
  exposures: Exposure[],
  terminal: Terminal,
): Promise<Consent> {
  const open = openAddons(request)
  const [first] = open
  if (first === undefined) return 'nothing to ask'
  if (!terminal.interactive) throw refusal(first)
  tellRisks(open, terminal)
  const only = open.map(({ found }) => found.addon.name)
  const urls = exposures.filter(({ addon }) => only.includes(addon)).map(({ url }) => url)
  switch (await terminal.select(`Who may enter ${urls.join(', ')}?`, WAYS)) {
    case 'password':
      return { guard: { only, login: { kind: 'basic', users: undefined } } }
    case 'addresses':
      return { guard: { only, cidrs: await askAddresses(terminal) } }
    case 'as it is':
      return 'as it is'
    case 'not at all':
      throw new UserError('DECLINED', 'nothing was exposed or changed')
  }
}

export function tellRisks(open: SurveyedAddon[], terminal: Terminal): void {
  for (const one of open) terminal.note(`${riskOf(one)}: a visitor ${one.visitor}`)
}

/** Add-ons that would let anyone in, and nobody has said so yet. */
export function openAddons({ addons, guarding: { guards }, terms }: ExposureRequest): SurveyedAddon[] {
  return addons.filter(
    ({ found: { addon }, access }) =>
      access.kind !== 'login' && !isGuarded(guards[addon.name]) && !terms[addon.name]?.anonymous,
  )
}

async function askAddresses(terminal: Terminal): Promise<string[]> {
  return requireCidrs(await terminal.input(`${WHICH_ADDRESSES}:`, complaintOf(requireCidrs)))
}

/** With blanks or commas between them. @throws UserError CIDR_INVALID */
export function requireCidrs(text: string): string[] {
  const words = text.split(/[\s,]+/).filter((word) => word !== '')
  if (words.length === 0) throw usageError('CIDR_INVALID', 'at least one address or network')
  return [...new Set(words.map(requireCidr))].sort()
}

function refusal(one: SurveyedAddon): UserError {
  const { addon, namespace } = one.found
  const message = `${riskOf(one)}; it is not put on a reachable address unless you say so`
  return new UserError('ANONYMOUS_ACCESS', message, {
    suggestions: [
      '--auth basic   # with a password, which is made and shown once',
      '--allow-cidr 203.0.113.0/24   # from these addresses alone',
      '--allow-anonymous   # anyone who reaches the address gets in',
      `kubectl telemetry port-forward ${addon.name} -n ${namespace}   # for you alone`,
    ],
  })
}

function riskOf({
  found: { addon, namespace },
  access,
}: {
  found: SurveyedAddon['found']
  access: AddonAccess
}): string {
  return access.kind === 'anonymous'
    ? `${addon.title} in namespace ${namespace} lets anyone in as ${access.role}, without a login`
    : `it could not be read whether ${addon.title} in namespace ${namespace} asks for a login`
}
