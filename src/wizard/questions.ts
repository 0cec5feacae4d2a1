/** The wizard's questions, one a step. Each offers what is found or was answered before, and the way back. */
import { rowsOf } from '../addons/catalog.ts'
import { UserError } from '../errors.ts'
import { openAddons, requireCidrs, tellRisks, WAYS, WHICH_ADDRESSES } from '../exposing/consent.ts'
import { gather } from '../exposing/gather.ts'
import type { ExposureRequest } from '../exposing/plan.ts'
import { gatewayName } from '../gateways/find.ts'
import { requireAddress, requireDomain } from '../gateways/names.ts'
import { complaintOf } from '../gateways/survey.ts'
import type { Choice, Terminal } from '../terminal/terminal.ts'
import type { Dependencies } from '../world.ts'
import { type Draft, gatewaySaid, namesIn, namespaceSaid, namespacesWith, type Step } from './steps.ts'
import { type Findings, type FoundGateway, NOBODY } from './survey.ts'

export const BACK = Symbol('back')
type Answer = Partial<Draft> | typeof BACK

export interface Conversation {
  findings: Findings
  /** `--namespace`. */
  namespace: string | undefined
  dependencies: Dependencies
  /** Says why the question comes again. */
  complain(error: UserError): void
}

type Ask = (draft: Draft, conversation: Conversation) => Promise<Answer>

/** What another domain may mend. */
const MENDED_BY_DOMAIN = ['DOMAIN_REQUIRED', 'HOST_TAKEN']

const askAddons: Ask = async ({ addons }, { findings, dependencies: { terminal } }) => {
  const choices = namesIn(findings).map((name) => ({ name: titled(name, findings), value: name }))
  return { addons: await terminal.checkbox('Which add-ons?', choices, addons) }
}

/** `tracing` is a sort: people know the product. */
function titled(name: string, { addons }: Findings): string {
  const titles = rowsOf(name)
    .filter((row) => addons.some(({ found }) => found.addon === row))
    .map(({ title }) => title)
  return titles.join().toLowerCase() === name ? name : `${name} (${titles.join(', ')})`
}

const askNamespace: Ask = async ({ addons, namespace }, { findings, complain, dependencies: { terminal } }) => {
  const namespaces = namespacesWith(addons, findings)
  if (namespaces.length > 0) {
    const choices = namespaces.map((one) => ({ name: one, value: one }))
    return answer('namespace', await choose(terminal, 'In which namespace?', choices, namespace))
  }
  const message = `${addons.join(', ')} are in several namespaces, and none has all of them`
  complain(new UserError('ADDON_AMBIGUOUS', message, { suggestions: ['choose fewer add-ons'] }))
  return BACK
}

const askWay: Ask = async ({ way }, { dependencies: { terminal } }) => {
  const choices: Choice<'expose' | 'port-forward'>[] = [
    { name: 'expose: by HTTPS through the ingress gateway, for others too', value: 'expose' },
    { name: 'port-forward: at ports of this machine, until Ctrl-C', value: 'port-forward' },
  ]
  return answer('way', await choose(terminal, 'How are they to be reached?', choices, way))
}

const askGateway: Ask = async ({ gateway }, { findings, dependencies: { terminal } }) => {
  const choices = findings.gateways.map((one) => ({ name: gatewayName(one.gateway), value: gatewayName(one.gateway) }))
  return answer('gateway', await choose(terminal, 'Which ingress gateway?', choices, gateway))
}

const askAddress: Ask = async (draft, { findings, dependencies: { terminal } }) => {
  const found = gatewayOf(draft, findings)?.address?.address
  const typed = await type(terminal, 'Address of the ingress gateway', requireAddress, draft.address ?? found)
  return typed === BACK ? BACK : { address: typed === found ? undefined : typed }
}

/** The gateway that the answers say, or the only one. */
function gatewayOf(draft: Draft, findings: Findings): FoundGateway | undefined {
  const { namespace, name } = gatewaySaid(draft, findings) ?? {}
  const [only] = findings.gateways
  if (name === undefined) return only
  return findings.gateways.find(({ gateway }) => gatewayName(gateway) === `${namespace}/${name}`)
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

/** What `expose` with these answers would build on, or why another domain is needed. */
async function gatherExposure(draft: Draft, conversation: Conversation): Promise<ExposureRequest | UserError> {
  const { findings, dependencies } = conversation
  const request = {
    addons: { names: draft.addons, named: true },
    namespace: conversation.namespace ?? namespaceSaid(draft, findings),
    domain: draft.domain,
    ingressAddress: draft.address,
    gateway: gatewaySaid(draft, findings),
    insecure: false,
    nodePorts: [],
    guard: {},
    terms: { allowAnonymous: false },
  }
  try {
    const { gathered } = await gather(request, { ...dependencies, terminal: NOBODY })
    return gathered
  } catch (error) {
    if (error instanceof UserError && MENDED_BY_DOMAIN.includes(error.code)) return error
    throw error
  }
}

const askAccess: Ask = async ({ access, exposure }, { dependencies: { terminal } }) => {
  const open = exposure === undefined ? [] : openAddons(exposure)
  tellRisks(open, terminal)
  const question = `Who may enter ${open.map(({ found }) => found.addon.name).join(', ')}?`
  const choices = WAYS.flatMap(({ name, value }) => (value === 'not at all' ? [] : [{ name, value }]))
  return answer('access', await choose(terminal, question, choices, access))
}

const askAddresses: Ask = async ({ cidrs = [] }, { dependencies: { terminal } }) => {
  const byDefault = cidrs.length === 0 ? undefined : cidrs.join(' ')
  const typed = await type(terminal, WHICH_ADDRESSES, (text) => requireCidrs(text).join(' '), byDefault)
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

/** A choice, or the way back, which comes last. */
export function choose<T>(
  terminal: Terminal,
  question: string,
  choices: Choice<T>[],
  before?: T,
): Promise<T | typeof BACK> {
  return terminal.select<T | typeof BACK>(question, [...choices, { name: '← back', value: BACK }], before)
}

/** @param require what a text has to be; `<` is the way back */
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
