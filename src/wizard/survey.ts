/** What the wizard shows at first and lets people choose from: by the surveys of the commands that it ends in. */
import { ADDON_NAMES } from '../addons/catalog.ts'
import type { FoundAddon } from '../addons/find.ts'
import { type SurveyedAddon, surveyAddons, surveyAllAddons } from '../addons/survey.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { Service } from '../cluster/objects.ts'
import { readServices, requireIstioVersion } from '../cluster/reading.ts'
import { UserError } from '../errors.ts'
import type { IngressAddress } from '../gateways/address.ts'
import type { IngressGateway } from '../gateways/find.ts'
import { findIngressAddress, requireGateways } from '../gateways/survey.ts'
import type { Terminal } from '../terminal/terminal.ts'
import type { Warning } from '../world.ts'

export interface FoundGateway {
  gateway: IngressGateway
  /** Without one somebody has to name it. */
  address: IngressAddress | undefined
}

export interface Findings {
  /** The kubeconfig context, and the URL of its API server. */
  context: string
  server: string
  /** Every Service that may be an add-on's. */
  candidates: FoundAddon[]
  /** Of these, in each namespace, the add-ons that are found without a doubt. */
  addons: SurveyedAddon[]
  warnings: Warning[]
  gateways: FoundGateway[]
  /** Why nothing can be exposed here, if so. */
  obstacle?: UserError
}

/** The surveys refuse instead of asking: their questions have no way back. */
export const NOBODY: Terminal = {
  interactive: false,
  note: () => {},
  confirm: unasked,
  select: unasked,
  checkbox: unasked,
  input: unasked,
}

function unasked(question: string): never {
  throw new Error(`nobody is there to answer: ${question}`)
}

/**
 * @param namespace of the add-ons; every one when left out
 * @throws UserError ADDON_NOT_FOUND, ADDON_AMBIGUOUS when nothing is left to choose from
 */
export async function findForWizard(namespace: string | undefined, cluster: Cluster): Promise<Findings> {
  const services = await readServices(cluster)
  const [all, reached] = await Promise.all([
    surveyAllAddons(services, namespace, cluster),
    findGateways(services, cluster),
  ])
  const candidates = all.map(({ found }) => found)
  const addons = all.filter(({ found }) => candidates.filter((one) => isSame(one, found)).length === 1)
  const refusals = await refusalsOf(candidates, addons, services, namespace, cluster)
  if (addons.length === 0 && refusals[0] !== undefined) throw refusals[0]
  const { context, server } = cluster
  return { context, server, candidates, addons, warnings: refusals.map(asWarning), ...reached }
}

function isSame(one: FoundAddon, other: FoundAddon): boolean {
  return one.namespace === other.namespace && one.addon.name === other.addon.name
}

/** What commands say of add-ons that are in doubt: several in a namespace, or none at all. */
async function refusalsOf(
  candidates: FoundAddon[],
  addons: SurveyedAddon[],
  services: Service[],
  namespace: string | undefined,
  cluster: Cluster,
): Promise<UserError[]> {
  const asking = { cluster, terminal: NOBODY }
  const inDoubt = candidates.filter((one) => !addons.some(({ found }) => found === one))
  const each = inDoubt.filter((one, index) => inDoubt.findIndex((other) => isSame(one, other)) === index)
  const tried = each.map((one) =>
    refusal(surveyAddons({ names: [one.addon.name], named: true }, services, one.namespace, asking)),
  )
  const none = { names: [...ADDON_NAMES], named: false }
  if (candidates.length === 0) tried.push(refusal(surveyAddons(none, services, namespace, asking)))
  return (await Promise.all(tried)).filter((error) => error !== undefined)
}

async function findGateways(
  services: Service[],
  cluster: Cluster,
): Promise<Pick<Findings, 'gateways'> & { obstacle?: UserError }> {
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

function asWarning({ code, message, suggestions }: UserError): Warning {
  return { code, message, remedy: suggestions[0] ?? '' }
}
