/** What the wizard shows at first and lets people choose from: by the surveys of the commands that it ends in. */
import { ADDON_NAMES, rowsOf } from '../addons/catalog.ts'
import { type FoundAddon, findAddon } from '../addons/find.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { Service } from '../cluster/objects.ts'
import { UserError } from '../errors.ts'
import type { IngressAddress } from '../gateways/address.ts'
import type { IngressGateway } from '../gateways/find.ts'
import type { Terminal } from '../terminal/terminal.ts'
import type { Warning } from './dependencies.ts'
import { readServices, requireIstioVersion } from './reading.ts'
import { type SurveyedAddon, surveyAddons } from './survey-addons.ts'
import { findIngressAddress, requireGateways } from './survey-gateway.ts'

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
  const candidates = ADDON_NAMES.flatMap((name) => rowsOf(name).flatMap((row) => findAddon(row, services))).filter(
    (found) => namespace === undefined || found.namespace === namespace,
  )
  const [{ addons, warnings }, reached] = await Promise.all([
    placesOf(candidates, services, namespace, cluster),
    findGateways(services, cluster),
  ])
  const { context, server } = cluster
  return { context, server, candidates, addons, warnings, ...reached }
}

/** One read of pods for each namespace. What is in doubt there is a warning. */
async function placesOf(
  candidates: FoundAddon[],
  services: Service[],
  namespace: string | undefined,
  cluster: Cluster,
): Promise<Pick<Findings, 'addons' | 'warnings'>> {
  const asking = { cluster, terminal: NOBODY }
  const all = { names: [...ADDON_NAMES], named: false }
  // It says what was looked for.
  if (candidates.length === 0) return surveyAddons(all, services, namespace, asking)
  const surveys = [...new Set(candidates.map((found) => found.namespace))].map(async (one) => {
    const here = candidates.filter((found) => found.namespace === one).map(({ addon }) => addon.name)
    const sure = here.filter((name) => here.indexOf(name) === here.lastIndexOf(name))
    const doubtful = [...new Set(here.filter((name) => !sure.includes(name)))]
    const { addons } = await surveyAddons({ names: sure, named: true }, services, one, asking)
    const refusals = doubtful.map((name) =>
      refusal(surveyAddons({ names: [name], named: true }, services, one, asking)),
    )
    return { addons, refusals: await Promise.all(refusals) }
  })
  const found = await Promise.all(surveys)
  const addons = found.flatMap((one) => one.addons)
  const refusals = found.flatMap((one) => one.refusals).filter((error) => error !== undefined)
  if (addons.length === 0 && refusals[0] !== undefined) throw refusals[0]
  return { addons, warnings: refusals.map(asWarning) }
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
