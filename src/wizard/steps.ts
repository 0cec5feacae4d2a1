/** The wizard's steps: what has been answered, which question comes before and after which, and the command it all makes. Pure. */
import { ADDON_NAMES } from '../addons/catalog.ts'
import { openAddons, type Way } from '../exposing/consent.ts'
import type { ExposureRequest } from '../exposing/plan.ts'
import type { Findings } from './survey.ts'

/** What was answered so far. An answer is remembered also where its question no longer arises. */
export interface Draft {
  addons: string[]
  namespace?: string
  way?: 'expose' | 'port-forward'
  /** `NAMESPACE/SERVICE`. */
  gateway?: string
  /** Left out: the one that is found. */
  address?: string | undefined
  /** Left out: the one in use, or that of the address. */
  domain?: string | undefined
  /** What an exposure with these answers builds on. */
  exposure?: ExposureRequest
  access?: Exclude<Way, 'not at all'>
  cidrs?: string[]
}

const STEPS = ['addons', 'namespace', 'way', 'gateway', 'address', 'domain', 'access', 'addresses', 'end'] as const
export type Step = (typeof STEPS)[number]

type Arises = (draft: Draft, findings: Findings) => boolean

const exposes: Arises = ({ way }, { obstacle }) => way === 'expose' && obstacle === undefined

const ARISES: Record<Step, Arises> = {
  addons: () => true,
  namespace: ({ addons }, { candidates }) =>
    addons.some((name) => candidates.filter(({ addon }) => addon.name === name).length > 1),
  way: (_, { obstacle }) => obstacle === undefined,
  gateway: (draft, findings) => exposes(draft, findings) && findings.gateways.length > 1,
  address: exposes,
  domain: exposes,
  access: (draft, findings) =>
    exposes(draft, findings) && draft.exposure !== undefined && openAddons(draft.exposure).length > 0,
  addresses: (draft, findings) => ARISES.access(draft, findings) && draft.access === 'addresses',
  end: () => true,
}

/** The next question that arises. */
export function stepAfter(step: Step, draft: Draft, findings: Findings): Step {
  return STEPS.slice(STEPS.indexOf(step) + 1).find((one) => ARISES[one](draft, findings)) ?? 'end'
}

/** The question before; the first one has none. */
export function stepBefore(step: Step, draft: Draft, findings: Findings): Step {
  return STEPS.slice(0, STEPS.indexOf(step)).findLast((one) => ARISES[one](draft, findings)) ?? 'addons'
}

/** Add-ons to choose from, in the catalogue's order. */
export function namesIn({ addons }: Findings): string[] {
  return ADDON_NAMES.filter((name) => addons.some(({ found }) => found.addon.name === name))
}

/** Namespaces that have every one of these add-ons, since a command takes them from one. */
export function namespacesWith(names: string[], { addons }: Findings): string[] {
  const has = (namespace: string) => (name: string) =>
    addons.some(({ found }) => found.namespace === namespace && found.addon.name === name)
  return [...new Set(addons.map(({ found }) => found.namespace))].filter((one) => names.every(has(one))).sort()
}

/** The namespace to say, where add-ons are in several. */
export function namespaceSaid(draft: Draft, findings: Findings): string | undefined {
  return ARISES.namespace(draft, findings) ? draft.namespace : undefined
}

/** The gateway to say, where there are several. */
export function gatewaySaid(draft: Draft, findings: Findings): { namespace: string; name: string } | undefined {
  if (!ARISES.gateway(draft, findings) || draft.gateway === undefined) return undefined
  const [namespace = '', name = ''] = draft.gateway.split('/')
  return { namespace, name }
}

/** A command line, as far as the answers make it. */
export interface EqualCommand {
  command: 'expose' | 'port-forward'
  words: string[]
}

/** What is as it would be without a flag needs none. */
export function commandOf(draft: Draft, findings: Findings): EqualCommand {
  const { addons, address, domain } = draft
  const namespace = flag('-n', namespaceSaid(draft, findings))
  if (!exposes(draft, findings)) return { command: 'port-forward', words: [...addons, ...namespace] }
  const gateway = gatewaySaid(draft, findings)
  const words = [
    ...addons,
    ...namespace,
    ...flag('--gateway', gateway && `${gateway.namespace}/${gateway.name}`),
    ...flag('--ingress-ip', address),
    ...flag('--domain', domain),
    ...(ARISES.access(draft, findings) ? accessFlags(draft) : []),
  ]
  return { command: 'expose', words }
}

function accessFlags({ access, cidrs = [] }: Draft): string[] {
  switch (access) {
    case 'password':
      return ['--auth', 'basic']
    case 'addresses':
      return cidrs.flatMap((cidr) => ['--allow-cidr', cidr])
    case 'as it is':
      return ['--allow-anonymous']
    default:
      return []
  }
}

function flag(name: string, value: string | undefined): string[] {
  return value === undefined ? [] : [name, value]
}
