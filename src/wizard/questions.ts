/** The wizard's questions, one per step. Each offers the found values or the earlier answer, and the way back. */

import { rowsOf } from '../addons/catalog.ts'
import type { Code } from '../codes.ts'
import { hasCode, UserError } from '../errors.ts'
import { ACCESS_CHOICES, ADDRESSES_PROMPT, noteRisks, openAddons, requireCidrs } from '../exposing/consent.ts'
import { gather } from '../exposing/gather.ts'
import type { ExposureSpec } from '../exposing/spec.ts'
import { gatewayName } from '../gateways/find.ts'
import { requireAddress, requireDomain } from '../gateways/names.ts'
import { complaintOf } from '../terminal/complaint.ts'
import type { Choice, Terminal } from '../terminal/terminal.ts'
import type { Dependencies } from '../world.ts'
import { type Draft, gatewayFlag, namesIn, namespaceFlag, namespacesWith, type Step } from './steps.ts'
import { type FoundGateway, SILENT_TERMINAL, type WizardSurvey } from './survey.ts'

export const BACK = Symbol('back')
type Answer = Partial<Draft> | typeof BACK

export interface Conversation {
  survey: WizardSurvey
  /** `--namespace`. */
  namespace: string | undefined
  dependencies: Dependencies
  /** Shows why the question is repeated. */
  complain(error: UserError): void
}

type Ask = (draft: Draft, conversation: Conversation) => Promise<Answer>

/** Error codes that another domain can fix. */
const FIXED_BY_DOMAIN: Code[] = ['DOMAIN_REQUIRED', 'HOST_TAKEN']

const askAddons: Ask = async ({ addons }, { survey, dependencies: { terminal } }) => {
  const choices = namesIn(survey).map((name) => ({ name: titled(name, survey), value: name }))
  return { addons: await terminal.checkbox('Which add-ons?', choices, addons) }
}

/** Adds product names to a kind: users of `tracing` look for Jaeger or Zipkin. */
function titled(name: string, { addons }: WizardSurvey): string {
  const titles = rowsOf(name)
    .filter((row) => addons.some(({ found }) => found.addon === row))
    .map(({ title }) => title)
  const marked = addons.find(({ found }) => found.addon.name === name && found.marked)?.found
  const who = marked && `only by the annotation of ${marked.namespace}/${marked.service.metadata.name}`
  const notes = [...(titles.join().toLowerCase() === name ? [] : titles), ...(who ? [who] : [])]
  return notes.length === 0 ? name : `${name} (${notes.join(', ')})`
}

const askNamespace: Ask = async ({ addons, namespace }, { survey, complain, dependencies: { terminal } }) => {
  const namespaces = namespacesWith(addons, survey)
  if (namespaces.length > 0) {
    const choices = namespaces.map((one) => ({ name: one, value: one }))
    return answer('namespace', await choose(terminal, 'Which namespace?', choices, namespace))
  }
  const message = `${addons.join(', ')} are in several namespaces, and none has all of them`
  complain(new UserError('ADDONS_APART', message, { suggestions: ['choose fewer add-ons'] }))
  return BACK
}

const askWay: Ask = async ({ way }, { dependencies: { terminal } }) => {
  const choices: Choice<'expose' | 'port-forward'>[] = [
    { name: 'expose: over HTTPS through the ingress gateway, for other users too', value: 'expose' },
    { name: 'port-forward: on ports of this machine, until Ctrl-C', value: 'port-forward' },
  ]
  return answer('way', await choose(terminal, 'How do you want to reach them?', choices, way))
}

const askGateway: Ask = async ({ gateway }, { survey, dependencies: { terminal } }) => {
  const choices = survey.gateways.map((one) => ({ name: gatewayName(one.gateway), value: gatewayName(one.gateway) }))
  return answer('gateway', await choose(terminal, 'Which ingress gateway?', choices, gateway))
}

const askAddress: Ask = async (draft, { survey, dependencies: { terminal } }) => {
  const found = gatewayOf(draft, survey)?.address?.address
  const typed = await type(terminal, 'Address of the ingress gateway', requireAddress, draft.address ?? found)
  return typed === BACK ? BACK : { address: typed === found ? undefined : typed }
}

/** The chosen gateway, or the only one. */
function gatewayOf(draft: Draft, survey: WizardSurvey): FoundGateway | undefined {
  const { namespace, name } = gatewayFlag(draft, survey) ?? {}
  const [only] = survey.gateways
  if (name === undefined) return only
  return survey.gateways.find(({ gateway }) => gatewayName(gateway) === `${namespace}/${name}`)
}

const askDomain: Ask = async (draft, conversation) => {
  const { terminal } = conversation.dependencies
  const byDefault = await gatherExposure({ ...draft, domain: undefined }, conversation)
  const found = byDefault instanceof UserError ? undefined : byDefault.layout.domain
  if (byDefault instanceof UserError) conversation.complain(byDefault)
  for (;;) {
    const typed = await type(terminal, 'Domain of the pages', requireDomain, draft.domain ?? found)
    if (typed === BACK) return BACK
    const domain = typed === found ? undefined : typed
    const exposure = domain === undefined ? byDefault : await gatherExposure({ ...draft, domain }, conversation)
    if (!(exposure instanceof UserError)) return { domain, exposure }
    conversation.complain(exposure)
  }
}

/** Gathers the facts for `expose` with these answers. @returns an error that another domain can fix */
async function gatherExposure(draft: Draft, conversation: Conversation): Promise<ExposureSpec | UserError> {
  const { survey, dependencies } = conversation
  const request = {
    addons: { names: draft.addons, named: true },
    namespace: conversation.namespace ?? namespaceFlag(draft, survey),
    domain: draft.domain,
    ingressAddress: draft.address,
    gateway: gatewayFlag(draft, survey),
    insecure: false,
    services: [],
    ports: [],
    paths: [],
    nodePorts: [],
    guard: {},
    terms: { allowAnonymous: false },
  }
  try {
    const { spec } = await gather(request, { ...dependencies, terminal: SILENT_TERMINAL })
    return spec
  } catch (error) {
    if (hasCode(error, ...FIXED_BY_DOMAIN)) return error
    throw error
  }
}

const askAccess: Ask = async ({ access, exposure }, { dependencies: { terminal } }) => {
  const open = exposure === undefined ? [] : openAddons({ ...exposure, moving: [] })
  if (exposure !== undefined) noteRisks(open, terminal, exposure.guarding)
  const question = `Who may enter ${open.map(({ found }) => found.addon.name).join(', ')}?`
  const choices = ACCESS_CHOICES.flatMap(({ name, value }) => (value === 'nobody' ? [] : [{ name, value }]))
  return answer('access', await choose(terminal, question, choices, access))
}

const askAddresses: Ask = async ({ cidrs = [] }, { dependencies: { terminal } }) => {
  const byDefault = cidrs.length === 0 ? undefined : cidrs.join(' ')
  const typed = await type(terminal, ADDRESSES_PROMPT, (text) => requireCidrs(text).join(' '), byDefault)
  return typed === BACK ? BACK : { cidrs: requireCidrs(typed) }
}

export const ASKS: Record<Exclude<Step, 'end'>, Ask> = {
  addons: askAddons,
  namespace: askNamespace,
  way: askWay,
  gateway: askGateway,
  address: askAddress,
  domain: askDomain,
  access: askAccess,
  addresses: askAddresses,
}

/** Asks for a choice; the last one is the way back. */
export function choose<T>(
  terminal: Terminal,
  question: string,
  choices: Choice<T>[],
  before?: T,
): Promise<T | typeof BACK> {
  return terminal.select<T | typeof BACK>(question, [...choices, { name: '← back', value: BACK }], before)
}

/** Asks for a text. `<` is the way back. @param require throws for an invalid text */
async function type(
  terminal: Terminal,
  question: string,
  require: (text: string) => string,
  byDefault: string | undefined,
): Promise<string | typeof BACK> {
  const isBack = (text: string) => text.trim() === '<'
  const check = complaintOf((text) => isBack(text) || require(text))
  const text = await terminal.input(`${question} ("<" goes back):`, check, byDefault)
  return isBack(text) ? BACK : require(text)
}

function answer<K extends keyof Draft>(key: K, value: Draft[K] | typeof BACK): Answer {
  return value === BACK ? BACK : { [key]: value }
}
