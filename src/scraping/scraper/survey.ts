/** Which Prometheus is to scrape over mutual TLS, and whether it can: read before anything is changed. */
import { isEdited } from '../../changes/edits.ts'
import type { Cluster, KubeObject, ListOptions, Resource } from '../../cluster/cluster.ts'
import type { ConfigMap, Deployment } from '../../cluster/objects.ts'
import { isForScraping } from '../../cluster/ownership.ts'
import { listIfServed } from '../../cluster/reading.ts'
import { CONFIG_MAPS, MONITORING, NAMESPACES, POD_MONITORS, PROMETHEUSES, WEBHOOKS } from '../../cluster/resources.ts'
import { UserError, usageError } from '../../errors.ts'
import {
  type FoundPrometheus,
  findPrometheuses,
  makerOf,
  PROMETHEUS_WORKLOADS,
  type PrometheusObject,
  prometheusName,
} from '../../prometheus/find.ts'
import { certificatesOf } from './edits.ts'
import { labelsForSidecar, type Webhooks } from './injection.ts'
import { isPlaintextMonitor, type PodMonitor, whyNotSelected } from './operator.ts'
import { CERTIFICATES, SECURE_JOB } from './secure-job.ts'

export interface PrometheusSurvey {
  found: FoundPrometheus
  /** With prometheus.yml in it; none where an operator writes that. */
  configMap: ConfigMap | undefined
  /** Of the operator: others' PodMonitors that scrape Istio's pods in clear, and ours. */
  monitors: PodMonitor[]
  /** With which its pods get a sidecar. */
  labels: Record<string, string>
  /** The directory with its certificate, and whether somebody else has put it there. */
  certificates: { directory: string; present: boolean }
}

/**
 * @param named `NAMESPACE/NAME`
 * @throws UserError PROMETHEUS_NOT_FOUND, SEVERAL_PROMETHEUS, PROMETHEUS_NOT_INJECTABLE, PROMETHEUS_CONFIG_UNKNOWN
 */
export async function surveyPrometheus(named: string | undefined, cluster: Cluster): Promise<PrometheusSurvey> {
  return surveyFound(chosen(await readPrometheuses(cluster), named), cluster)
}

/**
 * The one that scrapes already: of several that were not named the one that we changed.
 * @throws UserError PROMETHEUS_NOT_FOUND, SEVERAL_PROMETHEUS, FORBIDDEN
 */
export async function findScraper(named: string | undefined, cluster: Cluster): Promise<FoundPrometheus> {
  const all = await readPrometheuses(cluster, named?.split('/')[0])
  const changed = all.filter(({ object }) => isForScraping(object))
  return chosen(named === undefined && changed.length === 1 ? changed : all, named)
}

/** @throws UserError PROMETHEUS_NOT_INJECTABLE, PROMETHEUS_CONFIG_UNKNOWN */
export async function surveyFound(found: FoundPrometheus, cluster: Cluster): Promise<PrometheusSurvey> {
  const maker = makerOf(found.object)
  if (maker !== undefined) throw refused(found, `${maker} makes it, and would undo the change`)
  // What we put there is ours to keep up.
  const present = isEdited(found.object) ? undefined : certificatesOf(found)
  const [configMap, monitors, labels] = await Promise.all([
    readConfiguration(found, cluster),
    readMonitors(found, cluster),
    present === undefined ? sidecarLabels(found, cluster) : {},
  ])
  return {
    found,
    configMap,
    monitors,
    labels,
    certificates: { directory: present ?? CERTIFICATES, present: present !== undefined },
  }
}

/** @param namespace every one when left out */
export async function readPrometheuses(cluster: Cluster, namespace?: string): Promise<FoundPrometheus[]> {
  const place = namespace === undefined ? {} : { namespace }
  const [made, ...workloads] = await Promise.all([
    readMade(cluster, place),
    ...PROMETHEUS_WORKLOADS.map((resource) => readWorkloads(resource, cluster, place)),
  ])
  return findPrometheuses(workloads.flat(), made)
}

async function readMade(cluster: Cluster, place: ListOptions): Promise<PrometheusObject[]> {
  const versions = await cluster.servedVersions(MONITORING)
  return versions.includes(PROMETHEUSES.version) ? listIfServed<PrometheusObject>(cluster, PROMETHEUSES, place) : []
}

async function readWorkloads(resource: Resource, cluster: Cluster, place: ListOptions) {
  return (await cluster.list<Deployment>(resource, place)).map((object) => ({ resource, object }))
}

function chosen(all: FoundPrometheus[], named: string | undefined): FoundPrometheus {
  if (named !== undefined && !/^[^/]+\/[^/]+$/.test(named))
    throw usageError('PROMETHEUS_UNCLEAR', `--prometheus ${named}: it has to be NAMESPACE/NAME`)
  const names = [...new Set(all.map(prometheusName))]
  const fitting = named === undefined ? all : all.filter((one) => prometheusName(one) === named)
  const [first] = fitting
  if (first !== undefined && fitting.length === 1) return first
  const suggestions = names.map((name) => `--prometheus ${name}`)
  if (fitting.length > 1)
    throw new UserError('SEVERAL_PROMETHEUS', `there are ${fitting.length}: ${fitting.map(described).join(', ')}`, {
      suggestions,
    })
  const what = named === undefined ? 'no Prometheus was found' : `there is no Prometheus ${named}`
  throw new UserError(
    'PROMETHEUS_NOT_FOUND',
    `${what} (a Deployment, a StatefulSet, or one of Prometheus Operator's)`,
    {
      suggestions: suggestions.length > 0 ? suggestions : ['https://istio.io/latest/docs/ops/integrations/prometheus/'],
    },
  )
}

async function readConfiguration(found: FoundPrometheus, cluster: Cluster): Promise<ConfigMap | undefined> {
  if (found.resource === PROMETHEUSES) return undefined
  const { configuration, configFile, namespace } = found
  const name = configuration?.configMap
  const configMap = name === undefined ? undefined : await cluster.get<ConfigMap>(CONFIG_MAPS, { name, namespace })
  if (configuration === undefined || configMap?.data?.[configuration.key] === undefined)
    throw unchangeable(found, `${configFile} does not come from a ConfigMap`)
  const maker = makerOf(configMap)
  if (maker !== undefined) throw unchangeable(found, `${maker} makes ConfigMap ${name}, and would undo the change`)
  if (configMap.immutable === true) throw unchangeable(found, `ConfigMap ${name} is immutable`)
  return configMap
}

/** @throws UserError PROMETHEUS_CONFIG_UNKNOWN when it would not read a PodMonitor of ours */
async function readMonitors(found: FoundPrometheus, cluster: Cluster): Promise<PodMonitor[]> {
  if (found.resource !== PROMETHEUSES) return []
  const [all, namespace] = await Promise.all([
    listIfServed<PodMonitor>(cluster, POD_MONITORS),
    cluster.get<KubeObject>(NAMESPACES, { name: found.namespace }),
  ])
  const why = whyNotSelected(found, labelsOf(namespace, found.namespace))
  if (why !== undefined) throw unchangeable(found, why)
  const isOurs = ({ metadata: { name, namespace: where } }: PodMonitor) =>
    name === SECURE_JOB && where === found.namespace
  return all.filter((monitor) => isOurs(monitor) || isPlaintextMonitor(monitor))
}

function labelsOf(namespace: KubeObject | undefined, name: string): Record<string, string> {
  return { 'kubernetes.io/metadata.name': name, ...namespace?.metadata.labels }
}

/** @throws UserError PROMETHEUS_NOT_INJECTABLE with the reason */
async function sidecarLabels(found: FoundPrometheus, cluster: Cluster): Promise<Record<string, string>> {
  const { spec = {} } = found.object as { spec?: { hostNetwork?: boolean; template?: Deployment['spec']['template'] } }
  if (spec.hostNetwork || spec.template?.spec.hostNetwork)
    throw refused(found, 'it uses the network of its node (hostNetwork), where Istio puts no sidecar')
  const [namespace, webhooks] = await Promise.all([
    cluster.get<KubeObject>(NAMESPACES, { name: found.namespace }),
    cluster.list<Webhooks>(WEBHOOKS),
  ])
  const around = namespace?.metadata.labels ?? {}
  const own = { ...spec.template?.metadata.labels, ...podMetadataOf(found.object) }
  const ambient = (own['istio.io/dataplane-mode'] ?? around['istio.io/dataplane-mode']) === 'ambient'
  if (ambient) throw refused(found, 'it is in ambient mode, where pods have no certificate of their own')
  const labels = namespace && labelsForSidecar(webhooks, namespace, own)
  if (labels !== undefined) return labels
  const disabled = around['istio-injection'] === 'disabled'
  throw refused(
    found,
    disabled
      ? `namespace ${found.namespace} is labelled istio-injection=disabled`
      : `no injection webhook of Istio takes pods of namespace ${found.namespace}`,
  )
}

function podMetadataOf(object: KubeObject): Record<string, string> {
  return (object as PrometheusObject).spec.podMetadata?.labels ?? {}
}

function described(found: FoundPrometheus): string {
  return `${found.resource.kind} ${prometheusName(found)}`
}

function refused(found: FoundPrometheus, why: string): UserError {
  return new UserError('PROMETHEUS_NOT_INJECTABLE', `${described(found)} can have no certificate of the mesh: ${why}`, {
    suggestions: ['--prometheus NAMESPACE/NAME   # another one'],
  })
}

function unchangeable(found: FoundPrometheus, why: string): UserError {
  return new UserError('PROMETHEUS_CONFIG_UNKNOWN', `the jobs of ${described(found)} cannot be changed: ${why}`, {
    suggestions: ['--prometheus NAMESPACE/NAME   # another one'],
  })
}
