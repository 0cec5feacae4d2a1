/** What is ours: every object we create carries the label; the truth about what we made is in the cluster. */
import { UserError } from '../errors.ts'
import { type KubeObject, kindName, type Resource } from './cluster.ts'

export const MANAGER = 'kubectl-telemetry'
/** Of restarts: an apply takes away what its manager had applied before, and a Deployment may be both restarted and changed. */
export const RESTARTER = 'kubectl-telemetry-restart'
const MANAGED_BY = 'app.kubernetes.io/managed-by'
const OWN_LABEL = `${MANAGED_BY}=${MANAGER}`
const COMPONENT = 'app.kubernetes.io/component'

/** On what secure scraping is made of: objects of ours, and others' that we changed. */
const SCRAPING_LABEL = 'kubectl-telemetry/scraping'

/** Selects every object of ours that exposes something. */
export const OWNED = `${OWN_LABEL},!${SCRAPING_LABEL}`

/** Selects what secure scraping is made of. */
export const SCRAPING = `${SCRAPING_LABEL}=true`

/** Labels for an object of ours that secure scraping is made of. */
export function scrapingLabels(): Record<string, string> {
  return { ...ownedLabels(), [SCRAPING_LABEL]: 'true' }
}

/** The label for an object of somebody else's that we changed for secure scraping. */
export function changedForScraping(): Record<string, string> {
  return { [SCRAPING_LABEL]: 'true' }
}

/** Whether it has the label: an object of ours, or one that we changed. */
export function isForScraping({ metadata: { labels } }: KubeObject): boolean {
  return labels?.[SCRAPING_LABEL] === 'true'
}

/** Labels for an object of ours; `component` is the add-on it serves, when it serves just one. */
export function ownedLabels(component?: string): Record<string, string> {
  return component === undefined ? { [MANAGED_BY]: MANAGER } : { [MANAGED_BY]: MANAGER, [COMPONENT]: component }
}

/** The add-on that an object of ours serves. */
export function componentOf(object: KubeObject): string | undefined {
  return object.metadata.labels?.[COMPONENT]
}

/** When an object of ours is to go, as RFC 3339 writes times. */
export const EXPIRES_AT = 'kubectl-telemetry/expires-at'
/** That somebody exposed an add-on knowing that it lets anyone in. */
export const ALLOWS_ANONYMOUS = 'kubectl-telemetry/allow-anonymous'

export function expiryOf({ metadata: { annotations } }: KubeObject): string | undefined {
  return annotations?.[EXPIRES_AT]
}

export function allowsAnonymous({ metadata: { annotations } }: KubeObject): boolean {
  return annotations?.[ALLOWS_ANONYMOUS] === 'true'
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
    `${kindName(resource)}/${name} in namespace ${namespace} exists and was not made by kubectl telemetry (it lacks the label ${OWN_LABEL}); it was left as it is`,
    {
      suggestions: [
        `kubectl -n ${namespace} get ${resource.plural}${resource.group && `.${resource.group}`} ${name} -o yaml   # look at it, then rename or remove it`,
      ],
    },
  )
}

/** `fieldsV1`: `f:NAME` a field, `k:{…}` the item of a list that has these values, `.` the field or item itself. */
export type FieldSet = { [path: string]: FieldSet }

/**
 * The fields of an object, anybody's, that we applied: our entry in its managedFields.
 * https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
 */
export function appliedFields(object: KubeObject, by = MANAGER): FieldSet | undefined {
  const entries = (object.metadata.managedFields ?? []) as Record<string, unknown>[]
  const own = entries.find(({ manager, operation }) => manager === by && operation === 'Apply')
  return own?.fieldsV1 as FieldSet | undefined
}

/** The object less the fields that we applied: what is everybody else's. An item of a list that others have applied as well is theirs. */
export function withoutApplied(object: KubeObject, by = MANAGER): KubeObject {
  const entries = (object.metadata.managedFields ?? []) as {
    manager?: string
    operation?: string
    fieldsV1?: FieldSet
  }[]
  const others = entries.filter(({ manager, operation }) => manager !== by || operation !== 'Apply')
  const fields = others.flatMap(({ fieldsV1 }) => (fieldsV1 === undefined ? [] : [fieldsV1]))
  return without(object, appliedFields(object, by) ?? {}, fields) as KubeObject
}

/** @param others what each of the others manages at this place */
function without(value: unknown, fields: FieldSet, others: FieldSet[]): unknown {
  if (Array.isArray(value)) return itemsWithout(value, fields, others)
  if (typeof value !== 'object' || value === null) return value
  const left = Object.entries(value).flatMap(([name, inner]) => {
    const own = fields[`f:${name}`]
    if (own === undefined) return [[name, inner]]
    if (Object.keys(own).length === 0) return []
    const rest = without(inner, own, below(others, `f:${name}`))
    return Object.keys(rest as object).length === 0 ? [] : [[name, rest]]
  })
  return Object.fromEntries(left)
}

function itemsWithout(list: Record<string, unknown>[], fields: FieldSet, others: FieldSet[]): unknown[] {
  const keys = Object.keys(fields).filter((path) => path.startsWith('k:'))
  return list.flatMap((item) => {
    const path = keys.find((one) => {
      const key = JSON.parse(one.slice(2)) as object
      return Object.entries(key).every(([name, wanted]) => item[name] === wanted)
    })
    if (path === undefined) return [item]
    const theirs = below(others, path)
    const { '.': whole, ...own } = fields[path] ?? {}
    if (theirs.length === 0) return whole === undefined ? [without(item, own, theirs)] : []
    // Its key is everybody's who applies the item.
    const key = Object.keys(JSON.parse(path.slice(2)) as object).map((name) => `f:${name}`)
    return [without(item, Object.fromEntries(Object.entries(own).filter(([name]) => !key.includes(name))), theirs)]
  })
}

function below(fields: FieldSet[], path: string): FieldSet[] {
  return fields.flatMap((one) => (one[path] === undefined ? [] : [one[path]]))
}
