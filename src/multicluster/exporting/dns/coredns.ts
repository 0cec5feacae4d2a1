/** The names of exported services in CoreDNS: reads its configuration and plans the block that answers for them. */
import type { Edit, Fragments } from '../../../changes/edits.ts'
import { managementOf } from '../../../changes/management.ts'
import type { ObjectEdit } from '../../../changes/object-edits.ts'
import type { KubeObject } from '../../../cluster/cluster.ts'
import type { ConfigMap } from '../../../cluster/objects.ts'
import { MULTICLUSTER } from '../../../cluster/ownership.ts'
import { readable } from '../../../cluster/reading.ts'
import { CONFIG_MAPS } from '../../../cluster/resources.ts'
import { UserError } from '../../../errors.ts'
import { type Finding, warns } from '../../../findings.ts'
import { mapOf, textOf } from '../../../shapes.ts'
import { sh } from '../../../shell.ts'
import type { Site } from '../site.ts'
import { isReloaded, type Names, namesIn, withNames, withoutNames, zoneFor, zonesIn } from './corefile.ts'

export const COREDNS_NAMESPACE = 'kube-system'
/** The configuration itself, and what AKS lets users add to it. https://learn.microsoft.com/azure/aks/coredns-custom */
const [OWN, CUSTOM] = ['coredns', 'coredns-custom'] as const
export const COREDNS_NAMES: readonly string[] = [OWN, CUSTOM]
const CUSTOM_KEY = 'kubectl-telemetry.server'

/** Removes our block from a text that somebody has edited since. */
export const COREFILE_FRAGMENTS: Fragments = {
  'exported-names': (present, before) => {
    const rest = withoutNames(String(present))
    return rest === '' && before === undefined ? undefined : rest
  },
}

/** What CoreDNS of a cluster reads. */
export interface CoreDns {
  readonly configMap: ConfigMap
  /** In its data. */
  readonly key: string
  /** Zones for which others have blocks. */
  readonly zones: readonly string[]
  readonly reloads: boolean
}

/** @throws UserError COREDNS_NOT_FOUND, COREDNS_UNREADABLE, COREDNS_MANAGED */
export async function readCoreDns({ name, cluster }: Pick<Site, 'name' | 'cluster'>): Promise<CoreDns> {
  const read = (one: string) =>
    readable(cluster.get<ConfigMap>(CONFIG_MAPS, { name: one, namespace: COREDNS_NAMESPACE }))
  const [own, custom] = await Promise.all([read(OWN), read(CUSTOM)])
  const corefile = own?.data?.Corefile
  if (own === undefined || corefile === undefined) throw notFound(name)
  const isImported = /^\s*import\s+\S*custom\S*\.server\b/m.test(corefile)
  const others = isImported ? Object.entries(custom?.data ?? {}).filter(([key]) => key.endsWith('.server')) : []
  const texts = [corefile, ...others.map(([, text]) => text)]
  const zones = texts.map(zonesIn)
  if (zones.some((one) => one === undefined)) throw unreadable(name)
  const place =
    isImported && custom !== undefined ? { configMap: custom, key: CUSTOM_KEY } : { configMap: own, key: 'Corefile' }
  const management = managementOf(place.configMap)
  if (management !== undefined && management.waits === undefined) throw managed(name, management.by)
  return { ...place, zones: zones.flatMap((one) => one ?? []), reloads: isReloaded(corefile) }
}

function ways(): string[] {
  return [
    '--dns proxy --into NAMESPACE   # the sidecars of one namespace answer',
    '--dns none   # then let your DNS answer with the address of the host',
  ]
}

function notFound(name: string): UserError {
  const message = `cluster ${name} has no ConfigMap ${COREDNS_NAMESPACE}/coredns with a Corefile (GKE has kube-dns, OpenShift an operator)`
  return new UserError('COREDNS_NOT_FOUND', message, { suggestions: ways() })
}

function unreadable(name: string): UserError {
  const message = `the Corefile of cluster ${name} has braces that do not match, so nothing is added to it`
  return new UserError('COREDNS_UNREADABLE', message, { suggestions: ways() })
}

function managed(name: string, by: string): UserError {
  const message = `the Corefile of cluster ${name} is managed by ${by}, which would reset it at once`
  return new UserError('COREDNS_MANAGED', message, { suggestions: ways() })
}

/** @throws UserError DNS_ZONE_TAKEN */
export function requireFreeZone(host: string, { zones, configMap }: CoreDns, name: string): void {
  const zone = zoneFor(host, zones)
  if (zone === undefined) return
  const { namespace, name: map } = configMap.metadata
  const message = `CoreDNS of cluster ${name} has a block for ${zone} already, which answers for ${host}; two blocks for one zone keep it from starting`
  throw new UserError('DNS_ZONE_TAKEN', message, {
    suggestions: [
      sh`kubectl -n ${namespace} get configmap ${map} -o yaml   # add the host there, and use --dns none`,
      ...ways(),
      '--suffix NAME   # another domain',
    ],
  })
}

/** CoreDNS reads a changed file only with its plugin `reload`. */
export function reloadFindings({ reloads }: CoreDns, { name, cluster }: Pick<Site, 'name' | 'cluster'>): Finding[] {
  const message = `CoreDNS of cluster ${name} has no plugin reload, so it reads the new names when it is restarted`
  const restart = sh`kubectl --context ${cluster.context} -n ${COREDNS_NAMESPACE} rollout restart deployment coredns`
  return reloads ? [] : [warns('COREDNS_NOT_RELOADED', message, restart)]
}

/** The edit that gives our block these names. @param change from the present names */
export function namesEdit(
  { configMap, key }: Pick<CoreDns, 'configMap' | 'key'>,
  change: (present: Names) => Names,
): ObjectEdit {
  return {
    resource: CONFIG_MAPS,
    object: configMap,
    part: MULTICLUSTER,
    fragments: COREFILE_FRAGMENTS,
    edits: (object): Edit[] => {
      const text = textIn(object, key)
      const value = withNames(text ?? '', change(namesIn(text ?? '')))
      return value === (text ?? '') ? [] : [{ path: ['data', key], value, fragment: 'exported-names' }]
    },
  }
}

function textIn(object: KubeObject, key: string): string | undefined {
  return textOf(mapOf(object.data)[key])
}

/** The key of our block in one of the ConfigMaps. */
export function keyOf({ metadata }: KubeObject): string {
  return metadata.name === CUSTOM ? CUSTOM_KEY : 'Corefile'
}

/** The names that a ConfigMap has of ours. */
export function knownNames(object: KubeObject): Names {
  return namesIn(textIn(object, keyOf(object)) ?? '')
}
