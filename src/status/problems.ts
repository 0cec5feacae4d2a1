/** Problems, each with the next command: pure. */
import { guardDiffers, guardFindings } from '../access/guard-findings.ts'
import { guardsUnknown } from '../access/unread-guards.ts'
import { argumentsFor } from '../addons/service-name.ts'
import { serviceNotReady } from '../addons/service-survey.ts'
import type { SurveyedAddon } from '../addons/survey.ts'
import type { ExposedGateway } from '../exposing/exposed-gateways.ts'
import { routeClosed } from '../exposing/opening/prove-guards.ts'
import { isCovered, opennessOf, termsIn } from '../exposing/terms.ts'
import { asFinding, type Finding, fails, warns } from '../findings.ts'
import { addressNotFound } from '../gateways/survey.ts'
import { sh } from '../shell.ts'
import type { AddonStatus, ServiceStatus } from './report.ts'

/** Add-ons without a Ready pod, and exposures of deleted add-ons. */
export function addonProblems(addons: AddonStatus[]): Finding[] {
  return addons.flatMap(({ name, found, exposure }): Finding[] => {
    if (found === undefined) {
      if (exposure === undefined) return []
      const message = `${exposure.url} leads to ${name}, which no longer exists`
      return [fails('ADDON_GONE', message, sh`kubectl telemetry cleanup ${name}`)]
    }
    if (found.ready === undefined || found.ready > 0) return []
    const message = `${found.title} in namespace ${found.namespace} has no Ready pod`
    return [fails('ADDON_NOT_READY', message, sh`kubectl -n ${found.namespace} describe service ${found.service}`)]
  })
}

/** Exposed Services without a Ready pod, and exposures of deleted Services. */
export function serviceProblems(services: ServiceStatus[]): Finding[] {
  return services.flatMap(({ name, namespace, found, exposure }): Finding[] => {
    const words = [name, '-n', namespace]
    if (found === undefined) {
      const message = `${exposure?.url} leads to ${name} in namespace ${namespace}, which no longer exists`
      return [fails('SERVICE_GONE', message, sh`kubectl telemetry cleanup ${words}`)]
    }
    if (found.ready === undefined || found.ready > 0) return []
    return [serviceNotReady({ metadata: { name: found.service, namespace } }, 'fails')]
  })
}

/** Problems with the access, expiry and address of the exposures at one gateway. */
export function exposureProblems(place: ExposedGateway, addons: SurveyedAddon[], now: Date): Finding[] {
  const unreached = place.address === undefined ? [noAddress(place)] : []
  const guardsUnread =
    place.guards === undefined
      ? [
          unread(
            `cannot read AuthorizationPolicies and EnvoyFilters in namespace ${place.namespace}: who may enter is unknown`,
          ),
        ]
      : []
  return [
    ...unreached,
    ...guardsUnread,
    ...guardsUnknown(place.unread),
    ...guardFindings({ guards: place.guards ?? {}, failOpen: place.failOpen }, place.namespace),
    ...place.routes.flatMap((_, index) => routeProblems(place, index, addons, now)),
  ]
}

function routeProblems(place: ExposedGateway, index: number, addons: SurveyedAddon[], now: Date): Finding[] {
  const route = place.routes[index]
  const url = place.exposures[index]?.url ?? ''
  if (route === undefined) return []
  const { name: addon, backend, object } = route
  const { anonymous, expiresAt } = termsIn(object)
  const expired = expiresAt !== undefined && new Date(expiresAt) <= now
  const surveyed = addons.find(
    ({ found }) =>
      found.addon.name === addon &&
      found.namespace === backend.namespace &&
      found.service.metadata.name === backend.service,
  )
  const { guards, failOpen } = place
  const secure = place.exposures[index]?.secure ?? place.secure
  const isOpen =
    surveyed?.access.kind === 'anonymous' &&
    guards !== undefined &&
    opennessOf(surveyed, { guards, failOpen }, secure) !== undefined &&
    !isCovered(surveyed, anonymous, { guarding: { guards, failOpen }, secure })
  const isUnread = place.unread.some((part) => part.name === addon)
  const { host } = route
  return [
    ...(route.closedFor === undefined
      ? []
      : [routeClosed({ name: addon, host: place.exposures[index]?.host ?? host }, 'fails')]),
    ...(place.differing.includes(addon) && !isUnread ? [notAsWritten(addon, url)] : []),
    ...(expired
      ? [fails('EXPOSURE_EXPIRED', `${url} expired at ${expiresAt}`, 'kubectl telemetry cleanup --expired')]
      : []),
    ...(isOpen
      ? [
          warns(
            'OPEN_TO_ANYONE',
            `${url} lets anyone in`,
            sh`kubectl telemetry expose ${argumentsFor(addon)} --auth basic   # or --allow-cidr, or --allow-anonymous if that is intended`,
          ),
        ]
      : []),
  ]
}

function notAsWritten(addon: string, url: string): Finding {
  const message = `the guard of ${url} is not what kubectl telemetry writes for it`
  return guardDiffers(message, sh`kubectl telemetry expose ${argumentsFor(addon)}   # writes it again`)
}

function noAddress({ namespace, gateway }: ExposedGateway): Finding {
  if (gateway !== undefined) return asFinding(addressNotFound(gateway), 'fails')
  const message = `add-ons are exposed at the gateway in namespace ${namespace}, but no Service leads to its pods`
  return fails('GATEWAY_GONE', message, '--ingress-ip ADDRESS   # the address at which clients reach it')
}

/** The user lacks a permission that `status` needs. */
export function unread(message: string): Finding {
  return warns('STATUS_UNREAD', message, 'kubectl auth can-i --list   # docs/rbac.md has what status needs')
}
