/**
 * Pure: whether an add-on speaks HTTPS itself, as its Service and its pods say. Most programs in Go answer 400 to plain HTTP then, so a
 * gateway that sends it does not reach their pages.
 */
import type { ConfigMap, Container, Pod, Service } from '../cluster/objects.ts'
import { shown } from '../text.ts'
import { flagOf } from '../workloads/arguments.ts'
import { type ConfigMapFile, mountedFile } from '../workloads/mounted-file.ts'
import type { Addon, Setting } from './addon.ts'
import type { FoundAddon } from './find.ts'
import { type Program, programsOf, readSetting, settingIn } from './program.ts'

/** What says that an add-on speaks HTTPS. */
export interface HttpsSign {
  /** Words that follow "speaks HTTPS: ". */
  why: string
  /** Whether the program or its pod says it; the Service may be named wrongly. */
  proven: boolean
}

/** @param pods the add-on's @param configMaps what was read of the configuration; `undefined` if it could not be read */
export function httpsSign(
  { addon, service, port }: Pick<FoundAddon, 'addon' | 'service' | 'port'>,
  pods: readonly Pod[],
  configMaps: ConfigMap[] | undefined,
): HttpsSign | undefined {
  const set = programsOf(addon, [...pods])
    .filter((program) => isBehind(program, service, port))
    .map((program) => settingWords(addon, program, configMaps))
    .find((words) => words !== undefined)
  const why = set ?? pods.map((pod) => probeWords(pod, service, port)).find((words) => words !== undefined)
  if (why !== undefined) return { why, proven: true }
  const named = portWords(service, port)
  return named === undefined ? undefined : { why: named, proven: false }
}

/** Whether the Service says that its port speaks HTTPS. */
export function isHttpsPort(service: Service, number: number): boolean {
  return portWords(service, number) !== undefined
}

/** As Istio reads it: by `appProtocol`, else by the beginning of the name. https://istio.io/latest/docs/ops/configuration/traffic-management/protocol-selection/ */
function portWords({ spec, metadata }: Service, number: number): string | undefined {
  const { appProtocol, name = '' } = spec.ports?.find(({ port }) => port === number) ?? {}
  const at = `port ${number} of Service ${metadata.namespace}/${metadata.name}`
  if (appProtocol !== undefined)
    return appProtocol.toLowerCase() === 'https' ? `${at} has the appProtocol https` : undefined
  return /^https(-|$)/.test(name) ? `${at} is named ${shown(name)}` : undefined
}

/** The file with the settings, if it is another one than the add-on's own, and in a ConfigMap. */
export function httpsFile({ https }: Addon, { container, spec }: Program): ConfigMapFile | undefined {
  const path = https?.fileFlag && flagOf(container, https.fileFlag)
  return path === undefined ? undefined : mountedFile(spec, container, path)
}

function settingWords(addon: Addon, program: Program, configMaps: ConfigMap[] | undefined): string | undefined {
  const { https } = addon
  if (https === undefined) return undefined
  const read = (setting: Setting) =>
    https.fileFlag === undefined
      ? readSetting(addon, setting, program, configMaps)
      : settingIn(httpsFile(addon, program), setting, configMaps)
  const values = https.settings.map((setting) => {
    const reading = read(setting)
    return reading === 'hidden' ? '' : (reading.value ?? '').trim()
  })
  const isOn = (value: string) =>
    https.on?.includes(value.toLowerCase()) ?? !['', 'false'].includes(value.toLowerCase())
  const [setting] = https.settings
  return setting !== undefined && values.every(isOn)
    ? `${nameOf(setting, program.container)} is ${shown(values[0] ?? '')}`
    : undefined
}

/** As it is given: `--query.http.tls.enabled`, `GF_SERVER_PROTOCOL`, or in a file `server.protocol`. */
function nameOf({ file, flags = [], env }: Setting, container: Container): string {
  const flag = flags.find((name) => flagOf(container, name) !== undefined)
  if (flag !== undefined) return `--${flag}`
  const variable = container.env?.find(({ name }) => name === env)?.name
  return variable ?? file?.path.join('.') ?? ''
}

/** The kubelet asks the port of the page with HTTPS, and the pods become Ready. The injector of sidecars replaces such probes. */
function probeWords(pod: Pod, service: Service, number: number): string | undefined {
  const target = podPort(service, number, pod)
  const asked = pod.spec.containers.some((container) =>
    [container.startupProbe, container.readinessProbe, container.livenessProbe].some(
      (probe) =>
        probe?.httpGet?.scheme?.toUpperCase() === 'HTTPS' && numbered(container, probe.httpGet.port) === target,
    ),
  )
  return target !== undefined && asked ? 'the probes of its pods use HTTPS' : undefined
}

/** A port by its number where the container has one of that name. */
function numbered({ ports = [] }: Container, port: number | string | undefined): number | string | undefined {
  return ports.find(({ name }) => name !== undefined && name === port)?.containerPort ?? port
}

/** Number or name of the port to which a port of the Service leads. */
function targetOf({ spec }: Service, number: number): number | string {
  const found = spec.ports?.find(({ port }) => port === number)
  return found?.targetPort ?? number
}

/** Not where another container has the port: a proxy before the add-on speaks as it likes. */
function isBehind({ container, spec }: Program, service: Service, number: number): boolean {
  const target = targetOf(service, number)
  const has = ({ ports = [] }: Container) => ports.some((one) => one.containerPort === target || one.name === target)
  return has(container) || !spec.containers.some((one) => one.name !== container.name && has(one))
}

/** The port of a pod to which a port of the Service leads. @returns `undefined` if it has a name that the pod does not know */
export function podPort(service: Service, number: number, { spec }: Pod): number | undefined {
  const target = targetOf(service, number)
  if (typeof target === 'number') return target
  const ports = spec.containers.flatMap(({ ports: own = [] }) => own)
  return ports.find(({ name }) => name === target)?.containerPort
}
