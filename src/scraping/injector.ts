/**
 * The ports that Istio's injector leaves out of the capture of every pod. An annotation of a pod template replaces this setting and does not
 * add to it, so ours has to contain its ports. Pure.
 * https://github.com/istio/istio/blob/master/manifests/charts/istio-control/istio-discovery/files/injection-template.yaml
 */
import type { ConfigMap, Pod } from '../cluster/objects.ts'
import { jsonOf, mapOf } from '../shapes.ts'

/** Annotations of a pod template that replace the setting of the injector. */
export const EXCLUDED_PORTS = 'traffic.sidecar.istio.io/excludeInboundPorts'
export const INCLUDED_PORTS = 'traffic.sidecar.istio.io/includeInboundPorts'

/** Settings of an injector for pods without these annotations. */
export interface Injector {
  /** Ports that are not captured. */
  excluded: string[]
  /** Ports that are captured: all if it contains `*`. */
  included: string[]
}

/** Istio itself never captures these: 15090 and 15021 of Envoy, and the status port of the agent. */
const NEVER_CAPTURED = ['15090', '15021', '15020']

/** The ConfigMaps that may have the settings for a revision, the most likely first. */
export function injectorNames(revision: string): string[] {
  const name = 'istio-sidecar-injector'
  return revision === 'default' ? [name, `${name}-default`] : [`${name}-${revision}`]
}

/** @returns `undefined` without a ConfigMap */
export function injectorOf(configMap: ConfigMap | undefined): Injector | undefined {
  if (configMap === undefined) return undefined
  const { values = '', config = '' } = configMap.data ?? {}
  const proxy = mapOf(mapOf(mapOf(jsonOf(values)).global).proxy)
  const { excludeInboundPorts = '', includeInboundPorts = '*' } = proxy
  const inTemplate = [...config.matchAll(DEFAULT_IN_TEMPLATE)].flatMap(([, ports]) => portsOf(ports))
  return {
    excluded: [...new Set([...portsOf(String(excludeInboundPorts)), ...inTemplate])],
    included: portsOf(String(includeInboundPorts)),
  }
}

/** A template with ports of its own: annotation .ObjectMeta `traffic.sidecar.istio.io/excludeInboundPorts` "3306" */
const DEFAULT_IN_TEMPLATE =
  /annotation\s+\.ObjectMeta\s+[`"]traffic\.sidecar\.istio\.io\/excludeInboundPorts[`"]\s+[`"]([\d, ]{0,200})[`"]/g

/** The ports that a running pod leaves out of the capture, besides Istio's own. */
export function excludedBy({ metadata, spec }: Pod): string[] {
  const init = (spec.initContainers ?? []).find(({ name }) => name === 'istio-init')
  const args = init?.args ?? []
  const given = args[args.indexOf('-d') + 1]
  // With the CNI plugin there is no such container, and the plugin reads the annotation.
  const text = args.includes('-d') ? given : init === undefined ? metadata.annotations?.[EXCLUDED_PORTS] : undefined
  const own = [...NEVER_CAPTURED, metadata.annotations?.['status.sidecar.istio.io/port']]
  return portsOf(text).filter((port) => !own.includes(port))
}

/** `3306, 27017` as a list. */
export function portsOf(text = ''): string[] {
  return text
    .split(',')
    .map((port) => port.trim())
    .filter((port) => port !== '')
}
