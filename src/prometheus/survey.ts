/** Reads all Prometheus servers of a cluster, and chooses one. Changes nothing. */
import type { Cluster, ListOptions, Resource } from '../cluster/cluster.ts'
import type { Deployment } from '../cluster/objects.ts'
import { inStayingNamespaces, listIfServed } from '../cluster/reading.ts'
import { MONITORING, PROMETHEUSES } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import { sh } from '../shell.ts'
import {
  type FoundPrometheus,
  findPrometheuses,
  PROMETHEUS_WORKLOADS,
  type PrometheusObject,
  prometheusName,
} from './find.ts'

/** @param namespace left out: all */
export async function readPrometheuses(cluster: Cluster, namespace?: string): Promise<FoundPrometheus[]> {
  const place = namespace === undefined ? {} : { namespace }
  const [operated, ...workloads] = await Promise.all([
    readOperated(cluster, place),
    ...PROMETHEUS_WORKLOADS.map((resource) => readWorkloads(resource, cluster, place)),
  ])
  return inStayingNamespaces(findPrometheuses(workloads.flat(), operated), cluster)
}

async function readOperated(cluster: Cluster, place: ListOptions): Promise<PrometheusObject[]> {
  const versions = await cluster.servedVersions(MONITORING)
  return versions.includes(PROMETHEUSES.version) ? listIfServed<PrometheusObject>(cluster, PROMETHEUSES, place) : []
}

async function readWorkloads(resource: Resource, cluster: Cluster, place: ListOptions) {
  return (await cluster.list<Deployment>(resource, place)).map((object) => ({ resource, object }))
}

/** @throws UserError PROMETHEUS_NOT_FOUND, SEVERAL_PROMETHEUS */
export function requirePrometheus(all: FoundPrometheus[], named: string | undefined): FoundPrometheus {
  const names = [...new Set(all.map(prometheusName))]
  const fitting = named === undefined ? all : all.filter((one) => prometheusName(one) === named)
  const [first] = fitting
  if (first !== undefined && fitting.length === 1) return first
  const suggestions = names.map((name) => sh`--prometheus ${name}`)
  if (fitting.length > 1)
    throw new UserError(
      'SEVERAL_PROMETHEUS',
      `there are ${fitting.length} Prometheus servers: ${fitting.map(kindAndName).join(', ')}`,
      {
        suggestions,
      },
    )
  const what = named === undefined ? 'no Prometheus was found' : `there is no Prometheus ${named}`
  throw new UserError(
    'PROMETHEUS_NOT_FOUND',
    `${what} among Deployments, StatefulSets, and Prometheus objects of Prometheus Operator`,
    {
      suggestions: suggestions.length > 0 ? suggestions : ['https://istio.io/latest/docs/ops/integrations/prometheus/'],
    },
  )
}

/** `Deployment istio-system/prometheus` */
export function kindAndName(found: FoundPrometheus): string {
  return `${found.resource.kind} ${prometheusName(found)}`
}
