/** Who an add-on lets in, read from its configuration: pure. */
import type { ConfigMap, Pod } from '../cluster/objects.ts'
import type { Addon } from './catalog.ts'

/** `unknown` is treated like `anonymous`: what cannot be read is not called safe. */
export type AddonAccess = { kind: 'anonymous'; role: string } | { kind: 'login' } | { kind: 'unknown' }

/**
 * @param pods the add-on's pods; none means unknown
 * @param configMaps those the pods mount; `undefined` when they could not be read
 */
export function readAccess(addon: Addon, pods: Pod[], configMaps: ConfigMap[] | undefined): AddonAccess {
  const pod = pods[0]
  if (pod === undefined) return { kind: 'unknown' }
  const { env, ini, defaultRole } = addon.anonymous
  const variables = new Map(pod.spec.containers.flatMap(({ env = [] }) => env.map(({ name, value }) => [name, value])))
  // Grafana: environment variables win over the file.
  const enabled = variables.get(env.enabled)
  if (enabled !== undefined) {
    return isTrue(enabled) ? { kind: 'anonymous', role: variables.get(env.role) ?? defaultRole } : { kind: 'login' }
  }
  if (configMaps === undefined) return { kind: 'unknown' }
  const section = configMaps
    .map((configMap) => configMap.data?.[ini.file])
    .filter((text) => text !== undefined)
    .map((text) => iniSection(text, ini.section))
    .find((settings) => settings.has(ini.enabled))
  if (section === undefined || !isTrue(section.get(ini.enabled) ?? '')) return { kind: 'login' }
  return { kind: 'anonymous', role: variables.get(env.role) ?? section.get(ini.role) ?? defaultRole }
}

/** Names of the ConfigMaps that a pod mounts. */
export function mountedConfigMaps(pod: Pod): string[] {
  return (pod.spec.volumes ?? []).flatMap(({ configMap }) => (configMap?.name === undefined ? [] : [configMap.name]))
}

/** Whether the environment alone answers, so that no ConfigMap need be read. */
export function environmentDecides(addon: Addon, pod: Pod): boolean {
  return pod.spec.containers.some(({ env = [] }) => env.some(({ name }) => name === addon.anonymous.env.enabled))
}

function isTrue(text: string): boolean {
  return ['true', '1', 'yes', 'on'].includes(text.trim().toLowerCase())
}

function iniSection(text: string, wanted: string): Map<string, string> {
  const settings = new Map<string, string>()
  let section = ''
  for (const raw of text.split('\n')) {
    const line = raw.trim()
    const header = /^\[(.+)\]$/.exec(line)
    if (header?.[1] !== undefined) section = header[1].trim()
    const [, name, value] = /^([^=;#]+?)\s*=\s*(.*)$/.exec(line) ?? []
    if (section === wanted && name !== undefined && value !== undefined) settings.set(name, value)
  }
  return settings
}
