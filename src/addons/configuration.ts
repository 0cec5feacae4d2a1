/** Pure: who an add-on lets in, what a visitor could do, and where its page is, by the configuration of its pods. */
import type { ConfigMap, Pod } from '../cluster/objects.ts'
import { isHeaderName, isPlainPath } from '../text.ts'
import { imageOf } from '../workloads/image.ts'
import type { Addon, Door, Setting, VisitorFact } from './addon.ts'
import { ROLE_UNREAD } from './catalog.ts'
import { httpsFile } from './https.ts'
import { configurationFile, givenWithoutFile, isWrapped, type Program, programsOf, readSetting } from './program.ts'

/**
 * `login` is proven: every setting that could let people in without one was read. `unknown` is treated like `anonymous`: a
 * configuration that cannot be read does not count as safe.
 */
export type AddonAccess = { kind: 'anonymous'; role: string } | { kind: 'login' } | { kind: 'unknown' }

/** The ConfigMaps with the configuration files of the pods; `undefined` when they could not be read. */
type ConfigMaps = ConfigMap[] | undefined

/** Names of the ConfigMaps that must be read, because arguments and environment lack a setting. */
export function neededConfigMaps(addon: Addon, pods: Pod[]): string[] {
  const programs = programsOf(addon, pods)
  const needed = programs.filter((program) => needsFile(addon, program))
  const files = [
    ...needed.map((program) => configurationFile(addon, program)),
    ...programs.map((program) => httpsFile(addon, program)),
  ]
  return [...new Set(files.flatMap((file) => file?.configMap ?? []))]
}

function needsFile(addon: Addon, program: Program): boolean {
  const { access, path } = addon
  const isOutside = (setting: Setting | undefined, of = program) =>
    setting?.file !== undefined && givenWithoutFile(addon, setting, of) === undefined
  if (isOutside(path.setting, withoutBulk(program))) return true
  if (access.by === 'nature') return false
  const byArgument = accessOf(addon, access.doors, program, [])
  if (byArgument.kind === 'anonymous' && byArgument.role === access.mostOpen) return false
  return access.doors.some(({ setting }) => isOutside(setting))
}

/** Who the add-on lets in: of several programs, the most open counts. @param pods the add-on's; none means unknown, where it depends on them */
export function readAccess(addon: Addon, pods: Pod[], configMaps: ConfigMaps): AddonAccess {
  const { access } = addon
  if (access.by === 'nature') return { kind: 'anonymous', role: access.role }
  const each = programsOf(addon, pods).map((program) => accessOf(addon, access.doors, program, configMaps))
  const open = each.filter((one) => one.kind === 'anonymous')
  const isProven = each.length > 0 && each.every(({ kind }) => kind === 'login')
  return open.find(({ role }) => role === access.mostOpen) ?? open[0] ?? { kind: isProven ? 'login' : 'unknown' }
}

function accessOf(addon: Addon, doors: Door[], program: Program, configMaps: ConfigMaps): AddonAccess {
  let isProven = !isWrapped(addon, program)
  for (const { setting, open, closed, role, as } of doors) {
    const reading = readSetting(addon, setting, program, configMaps)
    const value = reading === 'hidden' ? undefined : (reading.value ?? '').trim().toLowerCase()
    if (value !== undefined && open.includes(value)) {
      const found = role && readSetting(addon, role, program, configMaps)
      return { kind: 'anonymous', role: found === 'hidden' ? ROLE_UNREAD : (found?.value ?? as) }
    }
    isProven &&= value !== undefined && (closed === undefined || closed.includes(value))
  }
  return { kind: isProven ? 'login' : 'unknown' }
}

/** A permission that a fact of the catalogue depends on. */
type Right = Extract<VisitorFact, { right: object }>['right']

/** The rights of the add-on's service account that decide what a visitor could do. @param pods the add-on's */
export function rightsToAsk(addon: Addon, pods: Pod[], configMaps: ConfigMaps): Right[] {
  const [program] = programsOf(addon, pods)
  if (program === undefined) return []
  return addon.visitor.facts.flatMap((fact) =>
    'right' in fact && !has(addon, fact.without, program, configMaps) ? [fact.right] : [],
  )
}

/**
 * What a visitor could do, in a line that follows "a visitor".
 * @param pods the add-on's
 * @param granted of `rightsToAsk`, those that the add-on's service account has
 */
export function readVisitor(
  addon: Addon,
  access: AddonAccess,
  { pods, configMaps }: { pods: Pod[]; configMaps: ConfigMaps },
  granted: Right[],
): string {
  const { visitor } = addon
  const programs = programsOf(addon, pods)
  const facts = visitor.facts
    .filter((fact) => programs.some((program) => isTrue(fact, program)))
    .map(({ says }) => says)
  const does = access.kind === 'anonymous' ? (visitor.roles[access.role] ?? visitor.otherwise) : undefined
  const first = {
    anonymous: does,
    login: 'must sign in',
    unknown: 'may need to sign in: its configuration could not be read',
  }
  return [first[access.kind] ?? '', ...facts].join('; ')

  function isTrue(fact: VisitorFact, program: Program): boolean {
    if ('argument' in fact) return program.spec.containers.some(({ args = [] }) => args.includes(fact.argument))
    if ('setting' in fact) {
      const values = fact.byDefault && access.kind === 'login' ? [...fact.values, ''] : fact.values
      return has(addon, { setting: fact.setting, values }, program, configMaps)
    }
    return granted.includes(fact.right)
  }
}

function has(
  addon: Addon,
  { setting, values }: { setting: Setting; values: string[] },
  of: Program,
  configMaps: ConfigMaps,
): boolean {
  const reading = readSetting(addon, setting, of, configMaps)
  return reading !== 'hidden' && values.includes((reading.value ?? '').trim().toLowerCase())
}

/** The product that runs in place of the add-on, if it is a known one. @param pods the add-on's */
export function otherProduct(addon: Addon, pods: Pod[]): string | undefined {
  const images = programsOf(addon, pods).map(({ container }) => imageOf(container)?.name ?? '')
  return addon.others?.find((other) => images.some((image) => other.images.includes(image)))?.title
}

/** Where the page is, with a slash at both ends; the catalogue's default if the configuration lacks it. */
export function readPath(addon: Addon, pods: Pod[], configMaps: ConfigMaps): string {
  const path = livePath(addon, pods, configMaps)
  return isPlainPath(path) ? path : '/'
}

/** What the configuration has in place of a path; undefined if it is one. It comes to be in URLs and commands. */
export function unusablePath(addon: Addon, pods: Pod[], configMaps: ConfigMaps): string | undefined {
  const path = livePath(addon, pods, configMaps)
  return isPlainPath(path) ? undefined : path
}

function livePath(addon: Addon, pods: Pod[], configMaps: ConfigMaps): string {
  const { path } = addon
  const [found] = programsOf(addon, pods)
  const program = found && withoutBulk(found)
  const live =
    program === undefined || path.setting === undefined
      ? 'hidden'
      : readSetting(addon, path.setting, program, configMaps)
  const text = (live === 'hidden' ? undefined : live.value) ?? path.byDefault
  const trimmed = text.replace(/^\/+|\/+$/g, '')
  return trimmed === '' ? '/' : `/${trimmed}/`
}

/** More names than an add-on has attributes of users. */
const MOST_HEADERS = 20

/**
 * The request headers in which the add-on believes who the user is, or would if a setting changed: in lower case, as Envoy compares them. A
 * name that is no header's, or in a place that is not read, is left out.
 */
export function readIdentityHeaders({ identity, ...addon }: Addon, pods: Pod[], configMaps: ConfigMaps): string[] {
  if (identity === undefined) return []
  const readings = programsOf(addon, pods).flatMap((program) =>
    identity.settings.map((setting) => readSetting(addon, setting, program, configMaps)),
  )
  const words = readings.flatMap((reading) => (reading === 'hidden' ? [] : (reading.value ?? '').split(/[\s,]+/)))
  const names = words.map((word) => word.slice(word.indexOf(':') + 1).toLowerCase()).filter(isHeaderName)
  return [...new Set([identity.byDefault, ...names])].slice(0, MOST_HEADERS)
}

/** For the path: variables in bulk rarely have it, and a wrong path is only a page that does not open. */
function withoutBulk(program: Program): Program {
  return { ...program, container: { ...program.container, envFrom: [] } }
}
