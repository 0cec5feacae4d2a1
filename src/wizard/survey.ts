/** Finds the add-ons and gateways to choose from, with the same surveys as `expose` and `port-forward`. */
import { ADDON_NAMES } from '../addons/catalog.ts'
import type { FoundAddon } from '../addons/find.ts'
import { type SurveyedAddon, surveyAddons, surveyAllAddons } from '../addons/survey.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { Service } from '../cluster/objects.ts'
import { inStayingNamespaces, readServices, requireIstioVersion } from '../cluster/reading.ts'
import { UserError } from '../errors.ts'
import { asFinding, type Finding } from '../findings.ts'
import type { IngressAddress } from '../gateways/address.ts'
import type { IngressGateway } from '../gateways/find.ts'
import { findIngressAddress, requireGateways } from '../gateways/survey.ts'
import type { Terminal } from '../terminal/terminal.ts'

export interface FoundGateway {
  gateway: IngressGateway
  /** If undefined, the user has to name it. */
  address: IngressAddress | undefined
}

export interface WizardSurvey {
  /** The kubeconfig context, and the URL of its API server. */
  context: string
  server: string
  /** All Services that may belong to an add-on. */
  candidates: FoundAddon[]
  /** The add-ons that have exactly one candidate in their namespace. */
  addons: SurveyedAddon[]
  warnings: Finding[]
  gateways: FoundGateway[]
  /** Why nothing can be exposed in this cluster, if so. */
  obstacle?: UserError
}

/** A terminal for surveys that must not ask: their questions would have no way back. */
export const SILENT_TERMINAL: Terminal = {
  interactive: false,
  note: () => {},
  confirm: unasked,
  select: unasked,
  checkbox: unasked,
  input: unasked,
}

function unasked(question: string): never {
  throw new Error(`the wizard's surveys must not ask: ${question}`)
}

/**
 * @param namespace namespace of the add-ons; all if left out
 * @throws UserError ADDON_NOT_FOUND, ADDON_AMBIGUOUS when there is nothing to choose from
 */
export async function findForWizard(namespace: string | undefined, cluster: Cluster): Promise<WizardSurvey> {
  const services = await readServices(cluster)
  const [surveyed, reached] = await Promise.all([
    surveyAllAddons(services, namespace, cluster),
    findGateways(services, cluster),
  ])
  const candidates = await inStayingNamespaces(
    surveyed.map(({ found }) => found),
    cluster,
  )
  const all = surveyed.filter(({ found }) => candidates.includes(found))
  const addons = all.filter(({ found }) => candidates.filter((one) => isSame(one, found)).length === 1)
  const refusals = await refusalsOf({ candidates, addons }, services, namespace, cluster)
  if (addons.length === 0 && refusals[0] !== undefined) throw refusals[0]
  const { context, server } = cluster
  return {
    context,
    server,
    candidates,
    addons,
    warnings: refusals.map((refusal) => asFinding(refusal, 'warns')),
    ...reached,
  }
}

function isSame(one: FoundAddon, other: FoundAddon): boolean {
  return one.namespace === other.namespace && one.addon.name === other.addon.name
}

/** The errors of commands for unclear add-ons: several candidates in a namespace, or none at all. */
async function refusalsOf(
  { candidates, addons }: Pick<WizardSurvey, 'candidates' | 'addons'>,
  services: Service[],
  namespace: string | undefined,
  cluster: Cluster,
): Promise<UserError[]> {
  const needs = { cluster, terminal: SILENT_TERMINAL }
  const unclear = candidates.filter((one) => !addons.some(({ found }) => found === one))
  const each = unclear.filter((one, index) => unclear.findIndex((other) => isSame(one, other)) === index)
  const tried = each.map((one) =>
    refusal(surveyAddons({ names: [one.addon.name], named: true }, services, one.namespace, needs)),
  )
  const none = { names: [...ADDON_NAMES], named: false }
  if (candidates.length === 0) tried.push(refusal(surveyAddons(none, services, namespace, needs)))
  return (await Promise.all(tried)).filter((error) => error !== undefined)
}

async function findGateways(
  services: Service[],
  cluster: Cluster,
): Promise<Pick<WizardSurvey, 'gateways'> & { obstacle?: UserError }> {
  try {
    await requireIstioVersion(cluster)
    const gateways = (await requireGateways(services, cluster)).map(async (gateway) => {
      const { address } = await findIngressAddress(gateway, undefined, cluster)
      return { gateway, address }
    })
    return { gateways: await Promise.all(gateways) }
  } catch (error) {
    if (error instanceof UserError) return { gateways: [], obstacle: error }
    throw error
  }
}

async function refusal(trying: Promise<unknown>): Promise<UserError | undefined> {
  try {
    await trying
    return undefined
  } catch (error) {
    if (error instanceof UserError) return error
    throw error
  }
}
