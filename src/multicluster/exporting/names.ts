/** Names of the objects of an export, and of what callers send to a gateway. Pure. */
import { createHash } from 'node:crypto'
import type { ObjectName } from '../../cluster/cluster.ts'

const PREFIX = 'kubectl-telemetry-'
/** Of a digest that keeps `a.b-c` and `a-b.c` apart. */
const DIGITS = 8

/** Name of the ServiceEntry and of the DestinationRule of a host, in a calling cluster. */
export function entryName(host: string): string {
  return PREFIX + host
}

const EGRESS = `${PREFIX}egress-`
/** Name of a Gateway: it is a DNS label (63 characters), while hosts have dots. */
const LONGEST_EGRESS = 63 - EGRESS.length - DIGITS - 1

/** Name of the objects by which the egress gateway passes calls of a host on. */
export function egressName(host: string): string {
  const digest = createHash('sha256').update(host).digest('hex').slice(0, DIGITS)
  return `${EGRESS}${host.replaceAll('.', '-').slice(0, LONGEST_EGRESS)}-${digest}`
}

/** Name of the rule with the subsets of an exported Service. A dot, because both names may have hyphens. */
export function servedRuleName({ name, namespace }: Required<ObjectName>): string {
  return `${PREFIX}export-${name}.${namespace}`
}

/** A name that only the egress gateway knows: that of the serving clusters' gateways. */
export function behindEgress(host: string): string {
  return `${host}.egress.kubectl-telemetry.internal`
}

/** The name of a Service in its own cluster. */
export function servingHost({ name, namespace }: Required<ObjectName>, domain: string): string {
  return `${name}.${namespace}.svc.${domain}`
}

const SERVING_HOST =
  /^([a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)\.([a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)\.svc\.([-.a-z0-9]+)$/

/** The Service of such a name; `undefined` for every other text. */
export function serviceOf(host: string): Required<ObjectName> | undefined {
  const [, name, namespace] = SERVING_HOST.exec(host) ?? []
  return name === undefined || namespace === undefined ? undefined : { name, namespace }
}

/**
 * What a caller sends as server name to a gateway with AUTO_PASSTHROUGH, which has a filter chain for each port and each subset
 * (`BuildDNSSrvSubsetKey` in pilot/pkg/model/service.go). @param subset none when left out
 */
export function sniOf(port: number, host: string, subset = ''): string {
  return `outbound_.${port}_.${subset}_.${host}`
}

/** The parts of such a server name; `undefined` for every other text. */
export function partsOfSni(sni: string): { port: number; subset: string; host: string } | undefined {
  const [, digits, subset, host] = /^outbound_\.(\d{1,5})_\.([-a-z0-9]{0,63})_\.([-.a-z0-9]{1,253})$/.exec(sni) ?? []
  return digits === undefined || subset === undefined || host === undefined
    ? undefined
    : { port: Number(digits), subset, host }
}

/** The server names of all ports and subsets of a Service, for an egress gateway. */
export function anySni(host: string): string {
  return `*.${host}`
}

/** A value of a label as the name of a subset, which is a DNS label: `v1.2` is `v1-2`. `undefined` where nothing of it is left. */
export function subsetName(value: string): string | undefined {
  const name = value
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
  return name === '' ? undefined : name
}
