/** Checks a sample that is not in the package: what it may contain. Pure. */
import { ADDON_ANNOTATION } from '../../addons/find.ts'
import { apiVersion, type KubeObject, type Resource } from '../../cluster/cluster.ts'
import { CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES } from '../../cluster/resources.ts'
import { UserError } from '../../errors.ts'
import { type Finding, warns } from '../../findings.ts'
import { isFlat, isMap, listOf, mapOf, textOf } from '../../shapes.ts'
import { readManifests } from '../../yaml-reading.ts'
import type { Sample } from '../catalog.ts'
import { SAMPLES_NAMESPACE } from '../place.ts'
import { hasEveryRight, inOrder, KINDS, knownImageIn, type SampleObject } from '../samples.ts'

/** A file that was read. */
export interface OutsideFile {
  /** Its path or URL. */
  from: string
  text: string
  /** The header Content-Type. */
  type?: string | undefined
}

/** Fields of metadata that somebody who writes a manifest sets. */
const METADATA = ['name', 'namespace', 'labels', 'annotations']

/**
 * The objects in a sample, in the order in which they are created. The user has chosen where it comes from, so its pods and rights are not
 * judged; but it must not write what `addons uninstall` would not find, or what belongs to others.
 * @param namespace that of the add-on
 * @throws UserError SAMPLE_INVALID
 */
export function requireObjects({ from, text, type = '' }: OutsideFile, namespace: string): SampleObject[] {
  const invalid = (why: string, ...suggestions: string[]) =>
    new UserError('SAMPLE_INVALID', `${from} cannot be installed: ${why}`, { suggestions })
  if (/^text\/html\b/i.test(type) || /^\s*<(!doctype|html)\b/i.test(text.slice(0, 1_000)))
    throw invalid('it is a web page, not YAML', 'on GitHub, --from needs the URL that the button "Raw" leads to')
  const read = readManifests(text)
  if ('why' in read) throw invalid(read.why)
  const { values } = read
  const named = new Set<string>()
  for (const [index, value] of values.entries()) {
    const why = whyNotWritten(value, namespace)
    if (why !== undefined) throw invalid(`${describe(value, index)} ${why}`)
    const { kind, metadata } = value as KubeObject
    if (named.size === named.add(`${kind}/${metadata.name}`).size)
      throw invalid(`it has ${kind} ${metadata.name} twice`)
  }
  if (values.length === 0) throw invalid('it has no objects')
  return inOrder(values as KubeObject[])
}

/** `its object 3 (Secret grafana)` */
function describe(value: unknown, index: number): string {
  const { kind, metadata } = mapOf(value)
  const words = [kind, mapOf(metadata).name].flatMap((one) => textOf(one) ?? [])
  return `its object ${index + 1}${words.length === 0 ? '' : ` (${words.join(' ')})`}`
}

function whyNotWritten(value: unknown, namespace: string): string | undefined {
  if (!isMap(value) || !isFlat(value)) return 'is not an object of Kubernetes'
  const { kind, apiVersion: version, metadata } = value
  const { name, namespace: place = namespace, labels, annotations } = mapOf(metadata)
  const resource = KINDS.find((one) => one.kind === kind && apiVersion(one) === version)
  if (textOf(kind) === undefined || textOf(version) === undefined) return 'has no kind or no apiVersion'
  if (resource === undefined) return `is of a kind that is not installed: ${version} ${kind}; these are: ${known()}`
  if (textOf(name) === undefined) return 'has no name'
  if (!isName(name as string)) return 'has a name that Kubernetes does not allow, or one of kubectl telemetry'
  if (place !== namespace && place !== SAMPLES_NAMESPACE)
    return `is for namespace ${JSON.stringify(place)}; only ${[...new Set([SAMPLES_NAMESPACE, namespace])].join(' or ')}, or none, may be named`
  const other = Object.entries(mapOf(metadata)).find(([field, one]) => !METADATA.includes(field) && one !== null)
  if (other !== undefined) return `has metadata.${other[0]}, which a manifest does not set`
  return whyNotLabelled(labels) ?? whyNotLabelled(annotations) ?? whyNotBound(resource, value, namespace)
}

function known(): string {
  return KINDS.map(({ kind }) => kind).join(', ')
}

/** Roles may have colons. */
function isName(name: string): boolean {
  return name.length <= 253 && /^[a-z0-9]([a-z0-9.:-]*[a-z0-9])?$/.test(name) && !name.startsWith('kubectl-telemetry')
}

/** Our own labels and annotations say what we did. The one that marks an add-on is for users. */
function isOurKey(key: string): boolean {
  return key.startsWith('kubectl-telemetry/') && key !== ADDON_ANNOTATION
}

function whyNotLabelled(texts: unknown): string | undefined {
  if (texts === undefined || texts === null) return undefined
  if (!isMap(texts) || Object.values(texts).some((one) => textOf(one) === undefined))
    return 'has labels or annotations that are not texts'
  const ours = Object.keys(texts).find(isOurKey)
  return ours === undefined ? undefined : `has ${ours}, which only kubectl telemetry sets`
}

/** Rights in the whole cluster only for the add-on itself. */
function whyNotBound(resource: Resource, { subjects }: Record<string, unknown>, namespace: string): string | undefined {
  if (resource !== CLUSTER_ROLE_BINDINGS) return undefined
  const others = listOf(subjects)
    .map(mapOf)
    .filter(
      (one) => one.kind !== 'ServiceAccount' || ![namespace, SAMPLES_NAMESPACE].includes(textOf(one.namespace) ?? ''),
    )
  return others.length === 0
    ? undefined
    : 'gives rights to something other than ServiceAccounts in the namespace of the add-on'
}

const LOOK = 'kubectl telemetry addons install --dry-run=client -o yaml   # shows the objects, with the same flags'

/** What somebody who trusts the source would still want to know. */
export function remarksOn(sample: Sample, { from, text }: OutsideFile, objects: readonly SampleObject[]): Finding[] {
  const roles = objects.filter(({ resource }) => resource === CLUSTER_ROLES).map(({ manifest }) => manifest)
  const wide = roles.filter(hasEveryRight).map(({ metadata }) => `ClusterRole ${metadata.name} has every right`)
  const borrowed = objects.flatMap(({ resource, manifest }) => {
    const { kind, name } = mapOf(manifest.roleRef)
    const isOwn = kind === 'ClusterRole' && roles.some(({ metadata }) => metadata.name === name)
    return resource !== CLUSTER_ROLE_BINDINGS || isOwn
      ? []
      : [
          `ClusterRoleBinding ${manifest.metadata.name} grants ${textOf(kind)} ${textOf(name)}, which is not in the file`,
        ]
  })
  const rights = [...wide, ...borrowed]
  const unknown = knownImageIn(text, sample) === undefined
  const images = sample.images.join(', ')
  return [
    ...(rights.length === 0 ? [] : [warns('SAMPLE_RIGHTS', `${from}: ${rights.join('; ')}`, LOOK)]),
    ...(unknown
      ? [
          warns(
            'SAMPLE_OTHER_IMAGE',
            `${from} has no image called ${images}, so "addons list" does not find it as ${sample.name}`,
            LOOK,
          ),
        ]
      : []),
  ]
}
