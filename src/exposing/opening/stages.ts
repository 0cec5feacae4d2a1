/**
 * In which order a plan is written where guards change: pure. Such a route is closed first, then its guard is written, and the route is
 * opened after a stranger was seen to be refused. Cut off anywhere, it is closed or guarded.
 */
import { isGuarded } from '../../access/guard.ts'
import { guardObjects, isGuardKind } from '../../access/guard-plan.ts'
import { guardVersion } from '../../access/guard-version.ts'
import { withFormer } from '../../access/transition.ts'
import { onlyWidens } from '../../access/widened.ts'
import { type Change, planChanges, type Wanted } from '../../changes/changes.ts'
import type { KubeObject } from '../../cluster/cluster.ts'
import { componentOf, EXPOSING } from '../../cluster/ownership.ts'
import { SECRETS } from '../../cluster/resources.ts'
import type { ExposedRoute } from '../../gateways/exposed-routes.ts'
import { domainOf } from '../../gateways/layout.ts'
import { closedRoute } from '../../manifests/virtual-service.ts'
import type { ExposePlan } from '../plan.ts'
import { type ExposureSpec, entryIn, moves, mustCover, portInUse, serviceHostsOf } from '../spec.ts'

export interface Stages {
  /** Add-ons whose route is closed until their guard is proven. */
  readonly closing: readonly string[]
  /** Everything; guards of add-ons that move are for the old entry, too. */
  readonly first: readonly Change[]
  /** Add-ons whose route stays open while their guard becomes one for more server names: proven before the Gateway has them. */
  readonly widening: readonly string[]
  /** The open routes. */
  readonly open: readonly Change[]
  /** Guards that no longer have to be for an old entry, and removals of former ones. */
  readonly last: readonly Change[]
}

export function stagesOf({ spec, changes }: Pick<ExposePlan, 'spec' | 'changes'>): Stages {
  const addons = [...new Set(changes.filter(isRoute).map(addonOf))]
  const closing = addons.filter((addon) => isClosing(addon, spec, changes))
  const moving = closing.filter((addon) => formerRoute(addon, spec) !== undefined)
  const closed = changes.flatMap((change) => closedChanges(change, closing, spec))
  const isEarly = ({ present }: Change) => present !== undefined
  const others = changes.filter((change) => !isGuard(change) && !isRoute(change) && !isGateway(change))
  const isFinal = (change: Change) =>
    isGuard(change) && (change.by === 'removing' ? closing : moving).includes(addonOf(change))
  const isWidened = (change: Change) =>
    (change.action !== 'unchanged' && onlyWidens(change)) ||
    (isGuard(change) && change.by !== 'removing' && mustCover(addonOf(change), spec))
  const widened = changes.filter(isWidened).map(addonOf)
  return {
    closing,
    widening: [...new Set(widened)].filter((addon) => !closing.includes(addon) && isServed(addon, spec)),
    first: [
      ...others.filter((change) => !isNewSecret(change)),
      ...closed.filter(isEarly),
      ...changes.filter((change) => isGuard(change) && !isFinal(change)),
      ...moving.flatMap((addon) => transitional(addon, spec, changes)),
      ...closed.filter((change) => !isEarly(change)),
      ...changes.filter((change) => isRoute(change) && !closing.includes(addonOf(change))),
      // A cleanup that removes it has removed a route before it, which the look at the routes shows.
      ...others.filter(isNewSecret),
      ...changes.filter(isGateway),
    ],
    open: changes.filter((change) => isRoute(change) && closing.includes(addonOf(change))).map(rewritten),
    last: changes.filter(isFinal).map(rewritten),
  }
}

/** The version of an add-on's guard for which its route is closed. */
function versionOf(addon: string, { guarding }: ExposureSpec): string | undefined {
  const guard = guarding.guards[addon]
  return isGuarded(guard) ? guardVersion(guard) : undefined
}

/** Whether a guard may not be in force where the route leads: the guard, the entry or the gateway's route is new. */
function isClosing(addon: string, spec: ExposureSpec, changes: readonly Change[]): boolean {
  if (versionOf(addon, spec) === undefined || spec.closed[addon] !== undefined) return false
  const present = spec.exposed.find((route) => route.name === addon)
  if (present === undefined || present.closedFor !== undefined || moves(present, spec)) return true
  const isOther = (change: Change) => change.action !== 'unchanged' && !onlyWidens(change)
  return changes.some((change) => isGuard(change) && addonOf(change) === addon && isOther(change))
}

function isServed(addon: string, { exposed, closed }: ExposureSpec): boolean {
  return closed[addon] === undefined && exposed.some((route) => route.name === addon && route.closedFor === undefined)
}

function closedChanges(change: Change, closing: readonly string[], spec: ExposureSpec): Change[] {
  const addon = addonOf(change)
  const version = versionOf(addon, spec)
  if (!isRoute(change) || !closing.includes(addon) || version === undefined) return []
  const manifest = closedRoute(change.manifest, entryIn(spec, addon).port, version)
  return planChanges([{ resource: change.resource, manifest }], presentOf(change), EXPOSING)
}

/** The guards of an add-on that moves, for both entries. Former ones that are no longer wanted stay until then. */
function transitional(addon: string, spec: ExposureSpec, changes: readonly Change[]): Change[] {
  const route = formerRoute(addon, spec)
  const { layoutInUse = spec.layout, guarding } = spec
  if (route === undefined) return []
  const layout = { ...layoutInUse, domain: domainOf(route) ?? spec.layout.domain }
  const entry = { name: addon, host: route.host, port: portInUse(route, layoutInUse), own: route.own }
  const former = guardObjects([entry], guarding, { ...spec, layout, serviceHosts: serviceHostsOf(spec.exposed) })
  const wanted = changes.filter((change) => isGuard(change) && addonOf(change) === addon && change.by !== 'removing')
  return planChanges(withFormer(wanted.map(wantedOf), former), guarding.objects, EXPOSING)
}

function formerRoute(addon: string, spec: ExposureSpec): ExposedRoute | undefined {
  return spec.exposed.find((route) => route.name === addon && moves(route, spec))
}

/** It was written differently in an earlier stage. */
function rewritten(change: Change): Change {
  return change.by === 'removing' ? change : { ...change, action: 'configured' }
}

function wantedOf({ resource, manifest, by }: Change): Wanted {
  return { resource, manifest, by }
}

function presentOf({ present }: Change): KubeObject[] {
  return present === undefined ? [] : [present]
}

function isRoute({ resource }: Change): boolean {
  return resource.plural === 'virtualservices'
}

function isNewSecret({ resource, action }: Change): boolean {
  return resource === SECRETS && action === 'created'
}

export function isGateway({ resource }: Change): boolean {
  return resource.plural === 'gateways'
}

function isGuard({ resource }: Change): boolean {
  return isGuardKind(resource)
}

export function addonOf({ manifest }: Pick<Change, 'manifest'>): string {
  return componentOf(manifest) ?? ''
}
