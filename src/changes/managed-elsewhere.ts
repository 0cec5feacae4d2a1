/** What other tools will do to the changes of a plan: one finding for each tool and its object, however many objects it manages. Pure. */
import { kindName } from '../cluster/cluster.ts'
import { type Finding, notes, warns } from '../findings.ts'
import { sh } from '../shell.ts'
import type { Change } from './changes.ts'
import { applierOf, type Management, managementOf } from './management.ts'

/** @param changes planned or rehearsed; those that change nothing of a user's object are left out */
export function managedElsewhere(changes: readonly Change[]): Finding[] {
  const managed = changes.flatMap((change) => {
    const isUsers = change.by === 'sharing' || change.by === 'replacing'
    const present = isUsers && change.action !== 'unchanged' ? change.present : undefined
    const management =
      present && (managementOf(present) ?? (change.by === 'replacing' ? applierOf(present) : undefined))
    return management ? [{ change, management, effect: effectOf(change, management) }] : []
  })
  return [...Map.groupBy(managed, ({ management, effect }) => `${management.by} ${effect}`).values()].map((group) => {
    const [{ management, effect, change }] = group as [(typeof group)[0]]
    const what = namesOf(group.map((one) => one.change))
    const { resource, manifest } = change
    const message = `${what} ${group.length > 1 ? 'are' : 'is'} managed by ${management.by}: ${effect}`
    const place = sh`kubectl -n ${manifest.metadata.namespace} get ${kindName(resource)} ${manifest.metadata.name}`
    const look = `${place} -o yaml --show-managed-fields   # its labels and managers`
    return effect.endsWith(KEPT)
      ? notes('MANAGED_ELSEWHERE', message, look)
      : warns('MANAGED_ELSEWHERE', message, management.instead, look)
  })
}

const KEPT = 'keeps the fields that are added'

function effectOf({ by }: Change, { resets, removes }: Management): string {
  if (by === 'replacing') return `${resets} resets the values that are changed`
  return removes === undefined ? `${resets} ${KEPT}` : `${removes} removes the fields that are added`
}

/** `Deployment shop/web and 49 more` */
function namesOf(changes: Change[]): string {
  const names = [
    ...new Set(
      changes.map(({ resource, manifest: { metadata } }) => `${resource.kind} ${metadata.namespace}/${metadata.name}`),
    ),
  ]
  return names.length > 2 ? `${names[0]} and ${names.length - 1} more` : names.join(' and ')
}

/** For a finding about a change that is gone: `; Helm release monitoring/prometheus manages it and may have reset it`. */
export function mayHaveReset(changes: readonly Change[]): string {
  const tools = new Set(changes.flatMap(({ present }) => (present && managementOf(present)?.by) ?? []))
  return [...tools].map((by) => `; ${by} manages it and may have reset it`).join('')
}
