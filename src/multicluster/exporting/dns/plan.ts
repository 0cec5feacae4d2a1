/** Plans how callers find the address of an exported host: by their sidecars, by CoreDNS, or by what the user arranges. */
import { type ObjectEdit, planEdit } from '../../../changes/object-edits.ts'
import { isStaying, matchesSelector, type Pod } from '../../../cluster/objects.ts'
import { readable } from '../../../cluster/reading.ts'
import { PODS, WORKLOADS } from '../../../cluster/resources.ts'
import type { Finding } from '../../../findings.ts'
import type { WorkloadObject } from '../../../workloads/workload-object.ts'
import type { ExportedService } from '../../exported.ts'
import type { PlannedEdit } from '../planned.ts'
import type { ExportRequest } from '../request.ts'
import type { Site } from '../site.ts'
import { allCapture, captureEdit, capturesDns } from './capture.ts'
import { knownNames, namesEdit, readCoreDns, reloadFindings, requireFreeZone } from './coredns.ts'

export interface NamesPlan {
  readonly dns: ExportedService['dns']
  readonly names: readonly PlannedEdit[]
  readonly workloads: readonly PlannedEdit[]
  readonly warnings: readonly Finding[]
}

/** @throws UserError those of `readCoreDns`, DNS_ZONE_TAKEN, YAML_INVALID, RECORD_INVALID */
export async function planNames(
  { host, address }: { host: string; address: string },
  request: ExportRequest,
  site: Site,
): Promise<NamesPlan> {
  const pods = request.dns === 'none' || request.dns === 'coredns' ? [] : await callersIn(request.into, site)
  const dns = request.dns === 'auto' ? (allCapture(pods, site.mesh.configuration) ? 'proxy' : 'coredns') : request.dns
  const nothing = { dns, names: [], workloads: [], warnings: [] }
  if (dns === 'coredns') return { ...nothing, ...(await planCoreDns(host, address, site)) }
  const gone = await planNoCoreDns(host, site)
  if (dns === 'none' || request.dns === 'auto') return { ...nothing, names: gone }
  return { ...nothing, names: gone, workloads: await planCapture(request.into ?? '', pods, site) }
}

/** Without the permission to list them, sidecars are taken for those that do not answer names: it is Istio's default. */
async function callersIn(namespace: string | undefined, { cluster }: Site): Promise<Pod[]> {
  const place = namespace === undefined ? {} : { namespace }
  return ((await readable(cluster.list<Pod>(PODS, place))) ?? []).filter(isStaying)
}

async function planCoreDns(host: string, address: string, site: Site): Promise<Pick<NamesPlan, 'names' | 'warnings'>> {
  const coredns = await readCoreDns(site)
  requireFreeZone(host, coredns, site.name)
  const edit = namesEdit(coredns, (present) => ({ ...present, [host]: address }))
  return { names: [planned(edit)], warnings: reloadFindings(coredns, site) }
}

/** A host that had its name in CoreDNS until now. */
async function planNoCoreDns(host: string, site: Site): Promise<PlannedEdit[]> {
  const coredns = await readable(readCoreDns(site)).catch(() => undefined)
  if (coredns === undefined || !(host in knownNames(coredns.configMap))) return []
  return [planned(namesEdit(coredns, ({ [host]: _, ...others }) => others))]
}

async function planCapture(namespace: string, pods: readonly Pod[], { cluster }: Site): Promise<PlannedEdit[]> {
  const lists = await Promise.all(
    WORKLOADS.map(async (resource) => {
      const found = await cluster.list<WorkloadObject>(resource, { namespace })
      return found.filter(isStaying).map((object) => ({ resource, object }))
    }),
  )
  const silent = pods.filter((pod) => capturesDns(pod) === false)
  return lists
    .flat()
    .filter(({ object }) => silent.some((pod) => matchesSelector(pod, object.spec.selector?.matchLabels)))
    .map(({ resource, object }) => planned(captureEdit(resource, object), true))
}

function planned(edit: ObjectEdit, restarts = false): PlannedEdit {
  const [change] = planEdit(edit)
  return { edit, change: change && { ...change, restarts } }
}
