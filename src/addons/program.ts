/** Pure: the containers in which an add-on runs, and one setting of it as it is started there. */
import type { ConfigMap, Container, Pod } from '../cluster/objects.ts'
import { flagOf } from '../workloads/arguments.ts'
import { type ConfigMapFile, mountedFile } from '../workloads/mounted-file.ts'
import { PROXY_CONTAINER } from '../workloads/proxy.ts'
import type { Addon, Setting } from './addon.ts'
import { iniSetting, type Reading } from './ini.ts'
import { yamlSetting } from './yaml-setting.ts'

/** An add-on as one container starts it. */
export interface Program {
  container: Container
  spec: Pod['spec']
}

/** Larger files are not read. */
const LONGEST_FILE = 256 * 1024
/** Arguments with further settings in a form that is not read. */
const UNREAD_ARGUMENT = /^--?configOverrides\b/

/**
 * The containers that have one of the add-on's ports, else those with its name, else all: a wrong one is only not understood.
 * Pods of one ReplicaSet are alike and give one program.
 */
export function programsOf({ title, ports }: Addon, pods: Pod[]): Program[] {
  const all = pods.flatMap(({ spec }) => {
    const own = spec.containers.filter(({ name }) => name !== PROXY_CONTAINER)
    const byPort = own.filter((one) => one.ports?.some(({ containerPort }) => ports.numbers.includes(containerPort)))
    const byName = own.filter(({ name }) => name === title.toLowerCase())
    const chosen = byPort.length > 0 ? byPort : byName.length > 0 ? byName : own
    return chosen.map((container) => ({ container, spec }))
  })
  const each = new Map(all.map((program) => [fingerprint(program), program]))
  return [...each.values()]
}

function fingerprint({ container, spec }: Program): string {
  const { command, args, env, envFrom, volumeMounts } = container
  return JSON.stringify([command, args, env, envFrom, volumeMounts, (spec.volumes ?? []).map(withoutToken)])
}

/** The volume with the service account's token has another name in each pod. */
function withoutToken(volume: NonNullable<Pod['spec']['volumes']>[number]): object {
  return volume.name.startsWith('kube-api-access') ? {} : volume
}

/** Whether something else than the add-on's own program is started, such as a shell: it may change every setting. */
export function isWrapped({ program }: Addon, { container: { command, args = [] } }: Program): boolean {
  const name = command?.[0]?.split('/').pop()
  const isOther = name !== undefined && program?.executables.includes(name) !== true
  return isOther || args.some((one) => UNREAD_ARGUMENT.test(one))
}

/** The key of the ConfigMap from which the add-on reads its configuration; undefined if it is in none, or its place is not known. */
export function configurationFile({ program }: Addon, { container, spec }: Program): ConfigMapFile | undefined {
  const words = [...(container.command ?? []), ...(container.args ?? [])]
  const named = words.flatMap((word, index) => {
    const [, value] = /^--?config(?:=(.*))?$/.exec(word) ?? []
    return /^--?config(=|$)/.test(word) ? [value ?? words[index + 1] ?? ''] : []
  })
  const variable = environmentOf(container, program?.fileVariable)
  // Only the start script of the image reads the variable, and knows the default.
  if (container.command !== undefined && named.length === 0) return undefined
  if (named.length === 0 && variable === 'hidden') return undefined
  const path = named.at(-1) ?? (variable === 'hidden' ? undefined : variable?.value) ?? program?.file
  return path === undefined || path.includes('$') ? undefined : mountedFile(spec, container, path)
}

/** Arguments win over the environment, and that over the file. @param configMaps undefined if they could not be read */
export function readSetting(
  addon: Addon,
  setting: Setting,
  program: Program,
  configMaps: ConfigMap[] | undefined,
): Reading {
  const given = givenWithoutFile(addon, setting, program)
  if (given !== undefined) return given
  if (setting.file === undefined) return { value: undefined }
  return settingIn(configurationFile(addon, program), setting, configMaps)
}

/** The setting as a file gives it. @param at undefined if its place is not known */
export function settingIn(
  at: ConfigMapFile | undefined,
  { file }: Setting,
  configMaps: ConfigMap[] | undefined,
): Reading {
  const text = configMaps?.find(({ metadata }) => metadata.name === at?.configMap)?.data?.[at?.key ?? '']
  if (file === undefined || text === undefined || text.length > LONGEST_FILE) return 'hidden'
  return file.format === 'ini' ? iniSetting(text, file.path) : yamlSetting(text, file.path)
}

/** The setting as arguments or variables give it; undefined if they do not. */
export function givenWithoutFile(addon: Addon, { flags, env, file }: Setting, program: Program): Reading | undefined {
  const argument = addon.program?.takesSettings && file && argumentOf(program.container, file.path)
  return argument ?? flagIn(program.container, flags) ?? environmentOf(program.container, env)
}

/** `cfg:SECTION.KEY=VALUE`, the last one of several. `cfg:default.…` is weaker than a file, so it is not read. */
function argumentOf({ args = [] }: Container, path: string[]): Reading | undefined {
  const name = path.join('.')
  if (args.some((one) => one.startsWith(`cfg:default.${name}`))) return 'hidden'
  const found = args.findLast((one) => one.startsWith(`cfg:${name}=`))
  return found === undefined ? undefined : unlessExpanded(found.slice(`cfg:${name}=`.length))
}

function flagIn(container: Container, flags: string[] = []): Reading | undefined {
  const value = flags.map((name) => flagOf(container, name)).find((one) => one !== undefined)
  if (value === undefined) return undefined
  return unlessExpanded(URL.canParse(value) ? new URL(value).pathname : value)
}

/** Programs treat an empty variable as not set. The last one of several counts. */
function environmentOf({ env = [], envFrom = [] }: Container, wanted: string | undefined): Reading | undefined {
  if (wanted === undefined) return undefined
  // The start script of Grafana's image reads `NAME__FILE`.
  if (env.some(({ name }) => name === `${wanted}__FILE`)) return 'hidden'
  const variable = env.findLast(({ name }) => name === wanted)
  if (variable === undefined) return envFrom.length > 0 ? 'hidden' : undefined
  if (variable.valueFrom !== undefined) return 'hidden'
  return variable.value ? unlessExpanded(variable.value) : undefined
}

/** Kubernetes expands `$(NAME)`, and Grafana `$__file{…}`, `$__env{…}`, `${NAME}` and `%(key)s`: then the value is elsewhere. */
function unlessExpanded(value: string): Reading {
  return /\$|%\(/.test(value) ? 'hidden' : { value }
}
