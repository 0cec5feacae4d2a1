/** Pure: the wizard's answers, the order of its questions, and the equivalent command. */
import { type GuardView, viewOf } from '../access/guard.ts'
import { ADDON_NAMES } from '../addons/catalog.ts'
import { type AccessChoice, openAddons } from '../exposing/consent.ts'
import { type ExposureSpec, exposuresOf } from '../exposing/spec.ts'
import type { WizardSurvey } from './survey.ts'

/** The answers so far. An answer is kept even if its question is no longer asked. */
export interface Draft {
  addons: string[]
  namespace?: string
  way?: 'expose' | 'port-forward'
  /** `NAMESPACE/SERVICE`. */
  gateway?: string
  /** Left out for the found address. */
  address?: string | undefined
  /** Left out for the domain in use, or that of the address. */
  domain?: string | undefined
  /** The facts for an exposure with these answers. */
  exposure?: ExposureSpec
  access?: Exclude<AccessChoice, 'nobody'>
  cidrs?: string[]
}

const STEPS = ['addons', 'namespace', 'way', 'gateway', 'address', 'domain', 'access', 'addresses', 'end'] as const
export type Step = (typeof STEPS)[number]

/** Whether a question is asked. */
type Condition = (draft: Draft, survey: WizardSurvey) => boolean

const exposes: Condition = ({ way }, { obstacle }) => way === 'expose' && obstacle === undefined

const CONDITIONS: Record<Step, Condition> = {
  addons: () => true,
  namespace: ({ addons }, { candidates }) => {
    const chosen = candidates.filter(({ addon }) => addons.includes(addon.name))
    const isMixed = new Set(chosen.map(({ namespace }) => namespace)).size > 1
    return (
      addons.some((name) => chosen.filter(({ addon }) => addon.name === name).length > 1) ||
      (isMixed && chosen.some(({ marked }) => marked))
    )
  },
  way: (_, { obstacle }) => obstacle === undefined,
  gateway: (draft, survey) => exposes(draft, survey) && survey.gateways.length > 1,
  address: exposes,
  domain: exposes,
  access: (draft, survey) =>
    exposes(draft, survey) && draft.exposure !== undefined && openAddons({ ...draft.exposure, moving: [] }).length > 0,
  addresses: (draft, survey) => CONDITIONS.access(draft, survey) && draft.access === 'addresses',
  end: () => true,
}

/** The next question to ask. */
export function stepAfter(step: Step, draft: Draft, survey: WizardSurvey): Step {
  return STEPS.slice(STEPS.indexOf(step) + 1).find((one) => CONDITIONS[one](draft, survey)) ?? 'end'
}

/** The previous question; the first one comes before itself. */
export function stepBefore(step: Step, draft: Draft, survey: WizardSurvey): Step {
  return STEPS.slice(0, STEPS.indexOf(step)).findLast((one) => CONDITIONS[one](draft, survey)) ?? 'addons'
}

/** Found add-ons, in the catalogue's order. */
export function namesIn({ addons }: WizardSurvey): string[] {
  return ADDON_NAMES.filter((name) => addons.some(({ found }) => found.addon.name === name))
}

/** Namespaces that contain all of these add-ons, because a command takes them from one namespace. */
export function namespacesWith(names: string[], { addons }: WizardSurvey): string[] {
  const has = (namespace: string) => (name: string) =>
    addons.some(({ found }) => found.namespace === namespace && found.addon.name === name)
  return [...new Set(addons.map(({ found }) => found.namespace))].filter((one) => names.every(has(one))).sort()
}

/** The namespace for the command, if the add-ons are in several or only an annotation names one. */
export function namespaceFlag(draft: Draft, survey: WizardSurvey): string | undefined {
  if (CONDITIONS.namespace(draft, survey)) return draft.namespace
  // The command takes an add-on that only an annotation names from no other namespace than that of -n.
  const chosen = survey.candidates.filter(({ addon }) => draft.addons.includes(addon.name))
  return chosen.find(({ marked }) => marked)?.namespace
}

/** The gateway for the command, if there are several. */
export function gatewayFlag(draft: Draft, survey: WizardSurvey): { namespace: string; name: string } | undefined {
  if (!CONDITIONS.gateway(draft, survey) || draft.gateway === undefined) return undefined
  const [namespace = '', name = ''] = draft.gateway.split('/')
  return { namespace, name }
}

/** The command that does what the answers say. */
export interface EquivalentCommand {
  command: 'expose' | 'port-forward'
  words: string[]
  /** URLs of the pages after `expose`. */
  urls: string[]
  /** By add-on: guards that stay. */
  guards: Record<string, GuardView>
}

/** Builds the shortest command: a value that is the default needs no flag. */
export function commandOf(draft: Draft, survey: WizardSurvey): EquivalentCommand {
  const { addons, address, domain } = draft
  const namespace = flag('-n', namespaceFlag(draft, survey))
  if (!exposes(draft, survey))
    return { command: 'port-forward', words: [...addons, ...namespace], urls: [], guards: {} }
  const gateway = gatewayFlag(draft, survey)
  const words = [
    ...addons,
    ...namespace,
    ...flag('--gateway', gateway && `${gateway.namespace}/${gateway.name}`),
    ...flag('--ingress-ip', address),
    ...flag('--domain', domain),
    ...(CONDITIONS.access(draft, survey) ? accessFlags(draft) : []),
  ]
  const exposures = draft.exposure === undefined ? [] : exposuresOf(draft.exposure, draft.exposure.gateway.service)
  const guards = Object.entries(draft.exposure?.guarding.guards ?? {}).map(([addon, guard]) => [addon, viewOf(guard)])
  return { command: 'expose', words, urls: exposures.map(({ url }) => url), guards: Object.fromEntries(guards) }
}

function accessFlags({ access, cidrs = [] }: Draft): string[] {
  switch (access) {
    case 'password':
      return ['--auth', 'basic']
    case 'addresses':
      return cidrs.flatMap((cidr) => ['--allow-cidr', cidr])
    case 'anyone':
      return ['--allow-anonymous']
    default:
      return []
  }
}

function flag(name: string, value: string | undefined): string[] {
  return value === undefined ? [] : [name, value]
}
