/** Add-ons that move with the named ones: who may enter them is read too, so that their new address asks for the same consent. */
import { rowsOf } from '../addons/catalog.ts'
import { type FoundAddon, findAddon } from '../addons/find.ts'
import { readConfiguration, type SurveyedAddon } from '../addons/survey.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { Service } from '../cluster/objects.ts'
import type { ExposedRoute } from './exposed-routes.ts'

/** @returns nothing for an add-on whose Service does not exist any more: its route leads nowhere */
export async function surveyMoved(
  routes: readonly ExposedRoute[],
  services: readonly Service[],
  cluster: Cluster,
): Promise<SurveyedAddon[]> {
  return readConfiguration(
    routes.flatMap((route) => foundBehind(route, services) ?? []),
    cluster,
  )
}

/** A Service that is no longer recognised as an add-on is read like the first product of its name. */
function foundBehind({ addon: name, backend }: ExposedRoute, services: readonly Service[]): FoundAddon | undefined {
  const service = services.find(
    ({ metadata }) => metadata.name === backend.service && metadata.namespace === backend.namespace,
  )
  const [addon] = rowsOf(name)
  if (service === undefined || addon === undefined) return undefined
  const known = rowsOf(name).flatMap((row) => findAddon(row, [service]))
  return known[0] ?? { addon, service, namespace: backend.namespace, port: backend.port }
}
