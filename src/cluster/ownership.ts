/** What is ours: every object we create carries the label; the truth about what we made is in the cluster. */
import { UserError } from '../errors.ts'
import { type KubeObject, kindName, type Resource } from './cluster.ts'

export const MANAGER = 'kubectl-telemetry'
const MANAGED_BY = 'app.kubernetes.io/managed-by'
const COMPONENT = 'app.kubernetes.io/component'

/** Selects every object of ours. */
export const OWNED = `${MANAGED_BY}=${MANAGER}`

/** Labels for an object of ours; `component` is the add-on it serves, when it serves just one. */
export function ownedLabels(component?: string): Record<string, string> {
  return component === undefined ? { [MANAGED_BY]: MANAGER } : { [MANAGED_BY]: MANAGER, [COMPONENT]: component }
}

/** The add-on that an object of ours serves. */
export function componentOf(object: KubeObject): string | undefined {
  return object.metadata.labels?.[COMPONENT]
}

export function isOwned(object: KubeObject): boolean {
  return object.metadata.labels?.[MANAGED_BY] === MANAGER
}

/**
 * Refuses to touch an object of our name that somebody else made.
 * @throws UserError NOT_OURS
 */
export function requireOwned(resource: Resource, present: KubeObject | undefined): void {
  if (present === undefined || isOwned(present)) return
  const { name, namespace } = present.metadata
  throw new UserError(
    'NOT_OURS',
    `${kindName(resource)}/${name} in namespace ${namespace} exists and was not made by kubectl telemetry (it lacks the label ${OWNED}); it was left as it is`,
    {
      suggestions: [
        `kubectl -n ${namespace} get ${resource.plural}${resource.group && `.${resource.group}`} ${name} -o yaml   # look at it, then rename or remove it`,
      ],
    },
  )
}
