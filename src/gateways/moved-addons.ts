/** Exposures that move with the named ones: who may enter them is read too, so that their new address asks for the same consent. */
import { rowsOf } from '../addons/catalog.ts'
import { type FoundAddon, findAddon } from '../addons/find.ts'
import { serviceNamed } from '../addons/service-name.ts'
import { foundService, readService } from '../addons/service-survey.ts'
import { readConfiguration, type SurveyedAddon } from '../addons/survey.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { Service } from '../cluster/objects.ts'
import type { ExposedRoute } from './exposed-routes.ts'

/** @returns nothing for a route whose Service does not exist any more: it leads nowhere */
export async function surveyMoved(
  routes: readonly ExposedRoute[],
  services: readonly Service[],
  cluster: Cluster,
): Promise<SurveyedAddon[]> {
  const [ofServices, others] = [routes.filter(isOfService), routes.filter((route) => !isOfService(route))]
  const [addons, found] = await Promise.all([
    readConfiguration(
      others.flatMap((route) => foundBehind(route, services) ?? []),
      cluster,
    ),
    surveyExposed(ofServices, services, cluster),
  ])
  return [...addons, ...found]
}

/** The Services of these routes that are no add-ons and exist. */
export function surveyExposed(
  routes: readonly ExposedRoute[],
  services: readonly Service[],
  cluster: Cluster,
): Promise<SurveyedAddon[]> {
  const found = routes.filter(isOfService).flatMap(({ name: addon, backend: { port } }) => {
    const named = serviceNamed(addon)
    const service = services.find(
      ({ metadata }) => metadata.name === named?.name && metadata.namespace === named.namespace,
    )
    return service === undefined ? [] : [foundService(service, port)]
  })
  return Promise.all(found.map((one) => readService(one, cluster)))
}

function isOfService({ name: addon }: ExposedRoute): boolean {
  return serviceNamed(addon) !== undefined
}

/** A Service that is no longer recognised as an add-on is read like the first product of its name. */
function foundBehind({ name, backend }: ExposedRoute, services: readonly Service[]): FoundAddon | undefined {
  const service = services.find(
    ({ metadata }) => metadata.name === backend.service && metadata.namespace === backend.namespace,
  )
  const [addon] = rowsOf(name)
  if (service === undefined || addon === undefined) return undefined
  const known = rowsOf(name).flatMap((row) => findAddon(row, [service]))
  return known[0] ?? { addon, service, namespace: backend.namespace, port: backend.port }
}
