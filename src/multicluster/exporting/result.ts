/** The result of `multicluster export`: plain data, and the contract of `-o json`. */
import { type Change, type Comparison, outcomeOf } from '../../changes/changes.ts'
import { managedElsewhere } from '../../changes/managed-elsewhere.ts'
import type { KubeObject } from '../../cluster/cluster.ts'
import { type Finding, noneFails } from '../../findings.ts'
import { type ClusterObject, comparisonIn } from '../members.ts'
import type { ExportPlan, SitePlan } from './planned.ts'

/** A service as one calling cluster has it. */
export interface ServiceResult {
  host: string
  service: string
  namespace: string
  in: string[]
  to: string
  ports: { number: number; protocol: string; sni: string }[]
  address: string
  /** `CLUSTER ADDRESS:PORT` of each serving cluster's gateway. */
  endpoints: { cluster: string; address: string; port: number }[]
  into?: string
  /** `NAMESPACE/NAME` of the egress gateway. */
  via?: string
  subsets: string[]
  identities: string[]
  dns: 'coredns' | 'proxy' | 'none'
  /** `NAMESPACE/WORKLOAD` that called it at the end; left out where none did. */
  from?: string
  /** The hops of that call. */
  hops?: readonly CalledHop[]
}

export interface CalledHop {
  readonly port: number
  readonly hop: string
  readonly ok: boolean
  readonly milliseconds: number
  readonly text: string
}

/** What a call showed. */
export interface ExportProof {
  /** Name of the calling cluster. */
  readonly to: string
  readonly from?: string
  readonly hops?: readonly CalledHop[]
  readonly problems: readonly Finding[]
}

export interface ExportResult {
  outcome: 'planned' | 'declined' | 'applied'
  services: ServiceResult[]
  objects: ClusterObject[]
  problems: Finding[]
}

export interface ExportReport {
  result: ExportResult
  manifests: { cluster: string; manifest: KubeObject }[]
  comparisons: Comparison[]
}

/** Whether the exit code is 0. */
export function succeeded({ outcome, problems }: ExportResult): boolean {
  return outcome !== 'declined' && noneFails(problems)
}

/** All changes in a cluster, in the order in which they are written. */
export function changesIn({ serving, calling, names, workloads }: SitePlan): Change[] {
  return [...serving, ...calling, ...[...names, ...workloads].flatMap(({ change }) => change ?? [])]
}

export function reportExport(
  outcome: ExportResult['outcome'],
  { sites, services, warnings }: ExportPlan,
  proofs: readonly ExportProof[] = [],
): ExportReport {
  const changes = sites.flatMap((site) => changesIn(site).map((change) => ({ cluster: site.site.name, change })))
  return {
    result: {
      outcome,
      services: services.map(({ service, ports, from, into, via, subsets, entry: _, ...rest }) => ({
        host: rest.host,
        service: service.name,
        namespace: service.namespace,
        in: from.map(({ cluster }) => cluster),
        to: rest.to,
        ports: ports.map(({ number, protocol, sni }) => ({ number, protocol, sni })),
        address: rest.address,
        endpoints: from.map(({ cluster, address, port }) => ({ cluster, address, port })),
        ...(into === undefined ? {} : { into }),
        ...(via === undefined ? {} : { via: `${via.namespace}/${via.name}` }),
        subsets: subsets.map(({ name }) => name),
        identities: [...rest.identities],
        dns: rest.dns,
        ...calledIn(rest.to, proofs),
      })),
      objects: changes.map(({ cluster, change }) => ({ cluster, ...outcomeOf(change) })),
      problems: [
        ...warnings,
        ...managedElsewhere(changes.map(({ change }) => change)),
        ...proofs.flatMap((one) => one.problems),
      ],
    },
    manifests: changes.map(({ cluster, change }) => ({ cluster, manifest: change.manifest })),
    comparisons: changes.map(({ cluster, change }) => comparisonIn({ name: cluster }, change)),
  }
}

function calledIn(to: string, proofs: readonly ExportProof[]): Pick<ServiceResult, 'from' | 'hops'> {
  const { from, hops } = proofs.find((one) => one.to === to && one.hops !== undefined) ?? {}
  return { ...(from === undefined ? {} : { from }), ...(hops === undefined ? {} : { hops }) }
}
