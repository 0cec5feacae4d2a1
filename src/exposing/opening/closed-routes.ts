/** Pure: routes that an interrupted run left closed. */
import { type Guards, isGuarded } from '../../access/guard.ts'
import { candidatesIn } from '../../access/guard-reader.ts'
import { guardVersion } from '../../access/guard-version.ts'
import type { KubeObject } from '../../cluster/cluster.ts'
import type { ExposedRoute } from '../../gateways/exposed-routes.ts'
import type { ExposeIntent } from '../request.ts'

/** By add-on: the guards for which routes were closed. Objects of former guards may be there, too. */
export function awaitedGuards(exposed: readonly ExposedRoute[], objects: readonly KubeObject[]): Guards {
  const awaited = exposed.flatMap(({ name: addon, closedFor }) => {
    const candidates = closedFor === undefined ? [] : candidatesIn(objects, addon)
    const guard = candidates.find((one) => isGuarded(one) && guardVersion(one) === closedFor)
    return guard === undefined ? [] : [[addon, guard]]
  })
  return Object.fromEntries(awaited)
}

/**
 * By add-on: the version of the guard for which a route stays closed. A run was interrupted before it wrote that guard, and nobody but
 * the user knows which one it was.
 * @param chosen add-ons for which the user says in this run who may enter
 */
export function stillClosed(
  exposed: readonly ExposedRoute[],
  guards: Guards,
  chosen: readonly string[],
): Record<string, string> {
  const waiting = exposed.flatMap(({ name: addon, closedFor }) => {
    const guard = guards[addon]
    const isHere = isGuarded(guard) && guardVersion(guard) === closedFor
    return closedFor === undefined || isHere || chosen.includes(addon) ? [] : [[addon, closedFor]]
  })
  return Object.fromEntries(waiting)
}

/** The add-ons for which the user says who may enter: by flags, or by an answer. */
export function chosenAddons(
  { guard, terms }: Pick<ExposeIntent, 'guard' | 'terms'>,
  named: readonly string[],
): string[] {
  const { cidrs, login, answered } = guard
  const byFlags = cidrs !== undefined || login !== undefined || terms.allowAnonymous
  return [...(byFlags ? named : []), ...(answered?.only ?? []), ...(terms.allowed ?? [])]
}
