/** What an add-on's live configuration says of it, read from its pods and the ConfigMaps they mount: pure. */
import { parseDocument } from 'yaml'
import type { ConfigMap, Pod } from '../cluster/objects.ts'
import type { Addon, Setting, VisitorFact } from './catalog.ts'
import { iniSetting } from './ini.ts'

/** `unknown` is treated like `anonymous`: what cannot be read is not called safe. */
export type AddonAccess = { kind: 'anonymous'; role: string } | { kind: 'login' } | { kind: 'unknown' }

/** Those that the pods mount; `undefined` when they could not be read. */
type ConfigMaps = ConfigMap[] | undefined

/** `hidden`: it is or may be set somewhere we do not see (a Secret, an expression). */
type Reading = { value: string | undefined } | 'hidden'

/** Whether an add-on's ConfigMaps have to be read: something depends on them that its environment does not tell. */
export function needsConfigMaps({ access, path }: Addon, pod: Pod): boolean {
  const settings = [path.setting, access.by === 'setting' ? access.setting : undefined]
  return settings.some((setting) => setting?.file !== undefined && inEnvironment(pod, setting) === undefined)
}

/** Keys of the ConfigMaps in which an add-on's settings are looked for. */
export function settingFiles({ access, path }: Addon): string[] {
  const settings = [path.setting, access.by === 'setting' ? access.setting : undefined]
  return [...new Set(settings.flatMap((setting) => setting?.file?.key ?? []))]
}

/** Names of the ConfigMaps that a pod mounts. */
export function mountedConfigMaps(pod: Pod): string[] {
  return (pod.spec.volumes ?? []).flatMap(({ configMap }) => (configMap?.name === undefined ? [] : [configMap.name]))
}

/** Who the add-on lets in. @param pods the add-on's; none means unknown, where it depends on them */
export function readAccess({ access }: Addon, pods: Pod[], configMaps: ConfigMaps): AddonAccess {
  if (access.by === 'nature') return { kind: 'anonymous', role: access.role }
  const pod = pods[0]
  if (pod === undefined || inBulk(pod, access.setting)) return { kind: 'unknown' }
  const reading = readSetting(access.setting, pod, configMaps)
  if (reading === 'hidden') return { kind: 'unknown' }
  if (!access.open.includes((reading.value ?? '').trim().toLowerCase())) return { kind: 'login' }
  const role = readSetting(access.role, pod, configMaps)
  return { kind: 'anonymous', role: (role === 'hidden' ? undefined : role.value) ?? access.defaultRole }
}

/**
 * What somebody who gets in could do, in a line that follows "a visitor".
 * @param pods the add-on's
 * @param mayUse whether the add-on's service account has a right; `undefined` when nobody could say
 */
export async function readVisitor(
  { visitor }: Addon,
  access: AddonAccess,
  pods: Pod[],
  configMaps: ConfigMaps,
  mayUse: (right: Extract<VisitorFact, { right: object }>['right'], pod: Pod) => Promise<boolean | undefined>,
): Promise<string> {
  const [pod] = pods
  const facts: string[] = []
  for (const fact of pod === undefined ? [] : visitor.facts) if (await isTrue(fact)) facts.push(fact.says)
  const does = access.kind === 'anonymous' ? (visitor.roles[access.role] ?? visitor.otherwise) : undefined
  const first = {
    anonymous: does,
    login: 'has to sign in',
    unknown: 'may have to sign in or not: it could not be read',
  }
  return [first[access.kind] ?? '', ...facts].join('; ')

  async function isTrue(fact: VisitorFact): Promise<boolean> {
    if (pod === undefined) return false
    if ('argument' in fact) return pod.spec.containers.some(({ args = [] }) => args.includes(fact.argument))
    if ('setting' in fact) return has(fact, pod)
    return !has(fact.without, pod) && (await mayUse(fact.right, pod)) === true
  }

  function has({ setting, values }: { setting: Setting; values: string[] }, of: Pod): boolean {
    const reading = readSetting(setting, of, configMaps)
    return reading !== 'hidden' && values.includes((reading.value ?? '').trim().toLowerCase())
  }
}

/** Where the page is, with a slash at both ends; what the catalogue says when the configuration does not tell. */
export function readPath({ path }: Addon, pods: Pod[], configMaps: ConfigMaps): string {
  const pod = pods[0]
  const live = pod === undefined || path.setting === undefined ? 'hidden' : readSetting(path.setting, pod, configMaps)
  const text = (live === 'hidden' ? undefined : live.value) ?? path.byDefault
  const trimmed = text.replace(/^\/+|\/+$/g, '')
  return trimmed === '' ? '/' : `/${trimmed}/`
}

/** The environment wins over the file. */
function readSetting(setting: Setting, pod: Pod, configMaps: ConfigMaps): Reading {
  const { file } = setting
  const fromEnvironment = inEnvironment(pod, setting)
  if (fromEnvironment !== undefined) return fromEnvironment
  if (file === undefined) return { value: undefined }
  if (configMaps === undefined) return 'hidden'
  const texts = configMaps.map(({ data }) => data?.[file.key]).filter((text) => text !== undefined)
  // No such file among the ConfigMaps: it may come from a Secret, and then we do not know.
  if (texts.length === 0) return mountsSecrets(pod) ? 'hidden' : { value: undefined }
  const read = file.format === 'ini' ? iniSetting : yamlSetting
  const value = texts.map((text) => read(text, file.path)).find((found) => found !== undefined)
  return plainly(value)
}

/** What a container's environment says of a setting; `undefined` when nothing. Programs take an empty variable for none. */
function inEnvironment(pod: Pod, { env: wanted }: Setting): Reading | undefined {
  const variable = pod.spec.containers.flatMap(({ env = [] }) => env).find(({ name }) => name === wanted)
  if (wanted === undefined || variable === undefined) return undefined
  if (variable.valueFrom !== undefined) return 'hidden'
  return variable.value ? plainly(variable.value) : undefined
}

/** Whether variables come in bulk from a ConfigMap or a Secret, and the setting may be among them. */
function inBulk(pod: Pod, setting: Setting): boolean {
  const told = setting.env === undefined || inEnvironment(pod, setting) !== undefined
  return !told && pod.spec.containers.some(({ envFrom = [] }) => envFrom.length > 0)
}

/** Grafana expands `$__file{…}`, `$__env{…}` and `${…}`: then the value is elsewhere. */
function plainly(value: string | undefined): Reading {
  return value !== undefined && /^\$(__|\{)/.test(value) ? 'hidden' : { value }
}

function mountsSecrets(pod: Pod): boolean {
  return (pod.spec.volumes ?? []).some(({ secret, name, projected }) => {
    // The service account's token is in every pod.
    return secret !== undefined || (projected !== undefined && !name.startsWith('kube-api-access'))
  })
}

function yamlSetting(text: string, path: string[]): string | undefined {
  const value = parseDocument(text).getIn(path)
  return value === undefined || value === null ? undefined : String(value)
}
