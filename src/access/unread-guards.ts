/** What may be done when existing guards cannot be read: the user may not list them, or their content is none of ours. Pure. */
import { argumentsFor, titleOf } from '../addons/service-name.ts'
import { UserError } from '../errors.ts'
import { type Finding, warns } from '../findings.ts'
import { sh } from '../shell.ts'
import { guardDiffers } from './guard-findings.ts'
import type { UnreadPart } from './guard-reader.ts'

const WITH_RIGHTS = 'run expose with the permissions in docs/rbac.md'

/** Something is exposed for the first time, and no guard is asked for. */
export function guardsUnread(namespace: string): Finding {
  const message = `cannot read AuthorizationPolicies and EnvoyFilters in namespace ${namespace}: whether a guard is left there from an earlier exposure is unknown`
  return warns('ACCESS_UNREAD', message, WITH_RIGHTS)
}

/**
 * A guard that cannot be read can be neither moved with its add-on nor kept or changed: a host without it would let strangers in.
 * @param reasons what needs the guards: clauses
 * @throws UserError GUARDS_UNREADABLE if there is a reason
 */
export function requireGuardsUnneeded(namespace: string, [reason]: string[]): void {
  if (reason === undefined) return
  const message = `cannot read AuthorizationPolicies and EnvoyFilters in namespace ${namespace}, which decide who may enter, and ${reason}; nothing was changed`
  throw new UserError('GUARDS_UNREADABLE', message, {
    suggestions: [WITH_RIGHTS, sh`kubectl auth can-i list envoyfilters.networking.istio.io -n ${namespace}`],
  })
}

/**
 * Somebody has changed the content of our object. It may still keep strangers out, so it is not replaced by nothing, and its add-on does
 * not move away from it.
 * @param parts those that would be written or left behind
 * @throws UserError GUARDS_UNREADABLE if there is one
 */
export function requireGuardsKnown(parts: readonly UnreadPart[]): void {
  const [first] = parts
  if (first === undefined) return
  const message = `${cannotBeRead(parts)}; nothing was changed`
  throw new UserError('GUARDS_UNREADABLE', message, { suggestions: [...waysOut(parts), lookAt(first)] })
}

/** Such an object of an add-on that is not named and does not move. */
export function guardsUnknown(parts: readonly UnreadPart[]): Finding[] {
  return [...Map.groupBy(parts, ({ name }) => name).values()].map((some) =>
    guardDiffers(cannotBeRead(some), ...waysOut(some), ...some.slice(0, 1).map(lookAt)),
  )
}

function cannotBeRead(parts: readonly UnreadPart[]): string {
  const objects = parts.map(
    ({ name: addon, object: { kind, metadata } }) =>
      `${kind} ${metadata.namespace}/${metadata.name} (${titleOf(addon)})`,
  )
  return `who may enter cannot be read from ${objects.join(', ')}: something else has changed what kubectl telemetry wrote there`
}

/** The flags that set what the objects say. */
function waysOut(parts: readonly UnreadPart[]): string[] {
  return [...Map.groupBy(parts, ({ name: addon }) => addon)].flatMap(([addon, some]) => {
    const flags = [
      ...(some.some(({ half }) => half === 'login') ? ['--auth', 'basic'] : []),
      ...(some.some(({ half }) => half === 'list') ? ['--allow-cidr', 'CIDR'] : []),
    ]
    return [
      sh`kubectl telemetry expose ${argumentsFor(addon)} ${flags}   # sets it again; none and any set nothing in its place`,
      sh`kubectl telemetry cleanup ${argumentsFor(addon)}   # it is not exposed any more`,
    ]
  })
}

function lookAt({ object: { apiVersion, kind, metadata } }: UnreadPart): string {
  const group = apiVersion.split('/')[0]
  return sh`kubectl -n ${metadata.namespace} get ${`${kind.toLowerCase()}.${group}`} ${metadata.name} -o yaml   # look at it`
}
