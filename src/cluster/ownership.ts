/** Parts, and which objects and fields belong to each. The record of what kubectl telemetry did is in the cluster. */
import { UserError } from '../errors.ts'
import { isFlat, isMap, jsonOf, listOf, mapOf } from '../shapes.ts'
import { sh } from '../shell.ts'
import { type KubeObject, kindName, type Resource } from './cluster.ts'

const PRODUCT = 'kubectl-telemetry'
const MANAGED_BY = 'app.kubernetes.io/managed-by'
const COMPONENT = 'app.kubernetes.io/component'
const PART = 'kubectl-telemetry/part'

/** A capability that writes objects and fields. A command selects the objects of one part. */
export interface Part {
  name: string
  /** Manages the fields that the part writes. Flux removes the fields of every manager whose name begins with `kubectl`. */
  manager: string
  /** The manager of the same fields in the version that had no parts. */
  formerManager(kind: string): string | undefined
}

export function part(name: string, formerManager: Part['formerManager'] = () => undefined): Part {
  return { name, manager: `${MANAGERS}${name}`, formerManager }
}

const MANAGERS = 'istio-telemetry-'
/** The version that had no parts used these for every object; the second was for restarts. An object has fields of one part under each. */
const FORMER_MANAGERS = ['kubectl-telemetry', 'kubectl-telemetry-restart'] as const

/** In the version before records: label and record on a ConfigMap of Kiali with links to exposed add-ons. */
export const FORMER_LINKED = 'kubectl-telemetry/linked'
export const FORMER_LINK_RECORD = 'kubectl-telemetry/before-link'

/** Exposing restarts Deployments that may also be scraped, so the version without parts used the second name for them. */
export const EXPOSING = part('exposing', (kind) => FORMER_MANAGERS[kind === 'Deployment' ? 1 : 0])
export const SCRAPING = part('scraping', () => FORMER_MANAGERS[0])
export const INSTALLING = part('installing')
export const TRACING = part('tracing')
/** Exports of services to other clusters. */
export const MULTICLUSTER = part('multicluster')
/** What `multicluster connect` does: trust, and the gateway of a cluster. A part of its own, because both change the same workloads. */
export const CONNECTING = part('connecting')

/** Selects the objects that any part of kubectl telemetry created; `isOwnedBy` finds out which part. */
export const OWNED = `${MANAGED_BY}=${PRODUCT}`

/** Labels of an object that a part creates. @param component the add-on that it serves, if it serves only one */
export function ownedLabels({ name }: Part, component?: string): Record<string, string> {
  return { [MANAGED_BY]: PRODUCT, [PART]: name, ...(component === undefined ? {} : { [COMPONENT]: component }) }
}

const INSTALLED = `${PRODUCT}/installed`
const INSTALLED_IN = `${PRODUCT}/installed-in`

/**
 * Labels of an object of an installed add-on, or of the namespace that was created for it. Objects without a namespace exist once in the
 * cluster, so they name that of the add-on.
 */
export function installedLabels(namespace: string, addon?: string): Record<string, string> {
  return {
    ...ownedLabels(INSTALLING),
    ...(addon === undefined ? {} : { [INSTALLED]: addon }),
    [INSTALLED_IN]: namespace,
  }
}

/** The add-on for which `addons install` created the object. */
export function installedAddon({ metadata: { labels } }: KubeObject): string | undefined {
  return labels?.[INSTALLED]
}

/** Whether `addons install` created the object for this add-on, in this namespace. */
export function isInstalled(object: KubeObject, addon: string, namespace: string): boolean {
  const { labels = {} } = object.metadata
  return isOwnedBy(object, INSTALLING) && labels[INSTALLED] === addon && labels[INSTALLED_IN] === namespace
}

/** The label of a user's object that a part changed. Several parts may change one object, so each has a key of its own. */
export function changedLabels({ name }: Part): Record<string, string> {
  return { [`${PRODUCT}/${name}`]: 'true' }
}

/** Selects the users' objects that a part changed. */
export function changedBy({ name }: Part): string {
  return `${PRODUCT}/${name}=true`
}

/** Whether it has the label of users' objects that the part changed. The label only helps to find it and proves nothing. */
export function isChangedBy({ metadata: { labels } }: KubeObject, { name }: Part): boolean {
  return labels?.[`${PRODUCT}/${name}`] === 'true'
}

/** The add-on that an object serves. */
export function componentOf(object: KubeObject): string | undefined {
  return object.metadata.labels?.[COMPONENT]
}

/** Annotation: when cleanup --expired removes the object, in RFC 3339. */
export const EXPIRES_AT = 'kubectl-telemetry/expires-at'
/** Annotation: to what the user agreed when exposing an add-on that lets anyone in. Compared, never parsed: anybody may have written it. */
export const ALLOWS_ANONYMOUS = 'kubectl-telemetry/allow-anonymous'

/** Annotation of a route: it has a port of its own at the gateway, which speaks `http` or `https`. */
const OWN_PORT = 'kubectl-telemetry/own-port'

export function ownPortNote(secure: boolean): Record<string, string> {
  return { [OWN_PORT]: secure ? 'https' : 'http' }
}

/** Whether a route with a port of its own has HTTPS there; `undefined` without one. */
export function ownPortOf({ metadata: { annotations } }: KubeObject): { secure: boolean } | undefined {
  const scheme = annotations?.[OWN_PORT]
  return scheme === 'http' || scheme === 'https' ? { secure: scheme === 'https' } : undefined
}

/** Annotation of our Gateway: the Service that was chosen of several before the same pods. It says which address to show, nothing more. */
const GATEWAY_SERVICE = 'kubectl-telemetry/service'
/** Annotation of our Gateway: the domain of its hosts, where one is that of a Service. Believed where all hosts fit. */
const GATEWAY_DOMAIN = 'kubectl-telemetry/domain'

/** What a Gateway records; each is left out where it would say nothing. */
export interface GatewayNotes {
  service?: string | undefined
  domain?: string | undefined
}

/** The field of metadata with the records. */
export function gatewayNotes({ service, domain }: GatewayNotes): { annotations?: Record<string, string> } {
  const annotations = {
    ...(service === undefined ? {} : { [GATEWAY_SERVICE]: service }),
    ...(domain === undefined ? {} : { [GATEWAY_DOMAIN]: domain }),
  }
  return Object.keys(annotations).length === 0 ? {} : { annotations }
}

export function notesOf({ metadata: { annotations } }: KubeObject): GatewayNotes {
  return { service: annotations?.[GATEWAY_SERVICE], domain: annotations?.[GATEWAY_DOMAIN] }
}

export function expiryOf({ metadata: { annotations } }: KubeObject): string | undefined {
  return annotations?.[EXPIRES_AT]
}

export function anonymousConsentOf({ metadata: { annotations } }: KubeObject): string | undefined {
  return annotations?.[ALLOWS_ANONYMOUS]
}

/** Whether any part of kubectl telemetry created it. */
export function isOwned(object: KubeObject): boolean {
  return object.metadata.labels?.[MANAGED_BY] === PRODUCT
}

/** Whether this part created it. */
export function isOwnedBy(object: KubeObject, { name }: Part): boolean {
  return isOwned(object) && (object.metadata.labels?.[PART] ?? formerPart(object).name) === name
}

/** The version that had no parts gave every object of scraping the label of the changed ones. */
function formerPart(object: KubeObject): Part {
  return isChangedBy(object, SCRAPING) ? SCRAPING : EXPOSING
}

/**
 * Refuses an object that has a name of the part but that the part did not create.
 * @throws UserError NOT_OURS
 */
export function requireOwned(resource: Resource, present: KubeObject | undefined, part: Part): void {
  if (present === undefined || isOwnedBy(present, part)) return
  const { name, namespace } = present.metadata
  const by = isOwned(present) ? 'by another part of kubectl telemetry' : 'by something other than kubectl telemetry'
  const lacking = isOwned(present) ? `${PART}=${part.name}` : OWNED
  throw new UserError(
    'NOT_OURS',
    `${kindName(resource)}/${name} in namespace ${namespace} was created ${by} (it lacks the label ${lacking}); it was left unchanged`,
    {
      suggestions: [
        sh`kubectl -n ${namespace} get ${resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}`} ${name} -o yaml   # look at it, then rename or remove it`,
      ],
    },
  )
}

interface ManagedFields {
  manager?: string
  operation?: string
  /** Of any shape: see `fieldsOf`. */
  fieldsV1?: unknown
}

/** `fieldsV1`: `f:NAME` a field, `k:{…}` the item of a list that has these values, `.` the field or item itself. */
export type FieldSet = { [path: string]: FieldSet }

/**
 * The fields of any object that a part applied: its entry in managedFields.
 * https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
 */
export function appliedFields(object: KubeObject, part: Part): FieldSet | undefined {
  const own = managedFieldsOf(object).filter((entry) => isAppliedBy(entry, object, part))
  const fields = own.flatMap(fieldsOf)
  return fields.length === 0 ? undefined : fields.reduce(union)
}

/** Whether the manager belongs to any part, or to the version without parts. */
export function isOurManager(manager = ''): boolean {
  return manager.startsWith(MANAGERS) || (FORMER_MANAGERS as readonly string[]).includes(manager)
}

/**
 * The managedFields that make the part the owner of the fields that an earlier version applied. `undefined` if there are none.
 * kubectl does the same: https://kubernetes.io/docs/reference/using-api/server-side-apply/#upgrading-from-client-side-apply-to-server-side-apply
 */
export function takenOver(object: KubeObject, part: Part): unknown[] | undefined {
  const entries = managedFieldsOf(object)
  const former = part.formerManager(object.kind)
  const own = entries.find(({ manager, operation }) => manager === former && operation === 'Apply')
  const fieldsV1 = appliedFields(object, part)
  if (own === undefined || fieldsV1 === undefined) return undefined
  const others = entries.filter((entry) => !isAppliedBy(entry, object, part))
  return [...others, { ...own, manager: part.manager, fieldsV1 }]
}

/** The object without the fields that the part applied. An item of a list that other managers applied too stays. */
export function withoutApplied(object: KubeObject, part: Part): KubeObject {
  const others = managedFieldsOf(object).filter((entry) => !isAppliedBy(entry, object, part))
  const fields = others.flatMap(fieldsOf)
  const left = without(object, appliedFields(object, part) ?? {}, fields) as KubeObject
  // An entry may claim all of the metadata.
  return { ...left, metadata: left.metadata ?? {} }
}

function isAppliedBy({ manager, operation }: ManagedFields, { kind }: KubeObject, part: Part): boolean {
  return operation === 'Apply' && [part.manager, part.formerManager(kind)].includes(manager ?? '')
}

function managedFieldsOf({ metadata }: KubeObject): ManagedFields[] {
  return listOf(metadata.managedFields).filter(isMap)
}

/** The fields of an entry; none if they do not have the shape of a field set. */
function fieldsOf({ fieldsV1 }: ManagedFields): FieldSet[] {
  return isFieldSet(fieldsV1) ? [fieldsV1] : []
}

/** Whether a value, which anybody may have written, has the shape of a field set. */
export function isFieldSet(value: unknown): value is FieldSet {
  return isFlat(value) && hasSteps(value)
}

function hasSteps(value: unknown): boolean {
  return isMap(value) && Object.entries(value).every(([path, inner]) => isStep(path) && hasSteps(inner))
}

function isStep(path: string): boolean {
  return path.startsWith('k:') ? isMap(jsonOf(path.slice(2))) : path === '.' || /^[fvi]:/.test(path)
}

/** All fields of both. */
export function union(one: FieldSet, other: FieldSet): FieldSet {
  const paths = [...new Set([...Object.keys(one), ...Object.keys(other)])]
  return Object.fromEntries(paths.map((path) => [path, union(one[path] ?? {}, other[path] ?? {})]))
}

/** @param others the fields that each other manager has at this place */
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

function itemsWithout(list: unknown[], fields: FieldSet, others: FieldSet[]): unknown[] {
  const keys = Object.keys(fields).filter((path) => path.startsWith('k:'))
  return list.flatMap((item) => {
    const path = keys.find((one) => {
      const key = JSON.parse(one.slice(2)) as object
      return Object.entries(key).every(([name, wanted]) => mapOf(item)[name] === wanted)
    })
    if (path === undefined) return [item]
    const managed = below(others, path)
    const { '.': whole, ...own } = fields[path] ?? {}
    if (managed.length === 0) return whole === undefined ? [without(item, own, managed)] : []
    // Every manager that applies the item has its key.
    const key = Object.keys(JSON.parse(path.slice(2)) as object).map((name) => `f:${name}`)
    return [without(item, Object.fromEntries(Object.entries(own).filter(([name]) => !key.includes(name))), managed)]
  })
}

function below(fields: FieldSet[], path: string): FieldSet[] {
  return fields.flatMap((one) => (one[path] === undefined ? [] : [one[path]]))
}
