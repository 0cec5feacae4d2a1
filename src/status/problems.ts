/** What is wrong, each with the next command: pure. */
import { isGuarded } from '../access/guard.ts'
import type { SurveyedAddon } from '../addons/survey.ts'
import type { ExposedGateway } from '../exposing/exposed-gateways.ts'
import { termsIn } from '../exposing/terms.ts'
import type { Warning } from '../world.ts'
import type { AddonStatus } from './status.ts'

/** Add-ons without a Ready pod, and exposures of add-ons that are gone. */
export function addonProblems(addons: AddonStatus[]): Warning[] {
  return addons.flatMap(({ name, found, exposure }): Warning[] => {
    if (found === undefined) {
      if (exposure === undefined) return []
      const message = `${exposure.url} leads to ${name}, which is not there any more`
      return [{ code: 'ADDON_GONE', message, remedy: `kubectl telemetry cleanup ${name}` }]
    }
    if (found.ready === undefined || found.ready > 0) return []
    const message = `${found.title} in namespace ${found.namespace} has no Ready pod`
    return [{ code: 'NOT_READY', message, remedy: `kubectl -n ${found.namespace} describe service ${found.service}` }]
  })
}

/** What is wrong with who may enter, until when, and how it is reached. */
export function exposureProblems(place: ExposedGateway, addons: SurveyedAddon[], now: Date): Warning[] {
  const unreached = place.address === undefined ? [noAddress(place)] : []
  const unread =
    place.guards === undefined
      ? [
          {
            code: 'UNREAD',
            message: `AuthorizationPolicies and EnvoyFilters in namespace ${place.namespace} could not be read: who may enter is not known`,
            remedy: 'kubectl auth can-i --list   # docs/rbac.md has what status needs',
          },
        ]
      : []
  return [...unreached, ...unread, ...place.routes.flatMap((_, index) => routeProblems(place, index, addons, now))]
}

function routeProblems(place: ExposedGateway, index: number, addons: SurveyedAddon[], now: Date): Warning[] {
  const route = place.routes[index]
  const url = place.exposures[index]?.url ?? ''
  if (route === undefined) return []
  const { addon, backend, object } = route
  const { anonymous, expiresAt } = termsIn(object)
  const over = expiresAt !== undefined && new Date(expiresAt) <= now
  const own = addons.find(
    ({ found }) =>
      found.addon.name === addon &&
      found.namespace === backend.namespace &&
      found.service.metadata.name === backend.service,
  )
  const isOpen = own?.access.kind === 'anonymous' && place.guards !== undefined && !isGuarded(place.guards[addon])
  return [
    ...(over
      ? [
          {
            code: 'EXPIRED',
            message: `${url} was to be gone by ${expiresAt}`,
            remedy: 'kubectl telemetry cleanup --expired',
          },
        ]
      : []),
    ...(isOpen && !anonymous
      ? [
          {
            code: 'ANONYMOUS_ACCESS',
            message: `${url} lets anyone in`,
            remedy: `kubectl telemetry expose ${addon} --auth basic   # or --allow-cidr, or --allow-anonymous if it is meant so`,
          },
        ]
      : []),
  ]
}

function noAddress({ namespace, gateway }: ExposedGateway): Warning {
  const message =
    gateway === undefined
      ? `no Service leads to the gateway in namespace ${namespace} at which add-ons are exposed`
      : `Service ${namespace}/${gateway.service.metadata.name} has no external address, and no node port leads to it`
  return { code: 'ADDRESS_NOT_FOUND', message, remedy: '--ingress-ip ADDRESS   # of what leads to it from outside' }
}
