/** Finds the Prometheus that will scrape over mutual TLS, and checks whether it can. Changes nothing. */

import { isEdited } from '../../changes/edits.ts'
import type { Cluster, KubeObject } from '../../cluster/cluster.ts'
import type { ConfigMap, Deployment } from '../../cluster/objects.ts'
import { SCRAPING } from '../../cluster/ownership.ts'
import { listIfServed } from '../../cluster/reading.ts'
import { CONFIG_MAPS, NAMESPACES, POD_MONITORS, PROMETHEUSES, WEBHOOKS } from '../../cluster/resources.ts'
import { UserError } from '../../errors.ts'
import { type FoundPrometheus, makerOf, type PrometheusObject } from '../../prometheus/find.ts'
import { kindAndName, readPrometheuses, requirePrometheus } from '../../prometheus/survey.ts'
import { certificatesOf } from './edits.ts'
import { labelsForSidecar, type Webhooks } from './injection.ts'
import { isPlaintextMonitor, type PodMonitor, whyNotSelected } from './operator.ts'
import { CERTIFICATES, SECURE_JOB } from './secure-job.ts'

export interface PrometheusSurvey {
  found: FoundPrometheus
  /** The ConfigMap with prometheus.yml; undefined if an operator writes it. */
  configMap: ConfigMap | undefined
  /** With the operator: the users' PodMonitors that scrape Istio's pods as plaintext, and ours. */
  monitors: PodMonitor[]
  /** The labels with which its pods get a sidecar. */
  labels: Record<string, string>
  /** The directory with its certificate, and whether the user has already set that up. */
  certificates: { directory: string; present: boolean }
}

/**
 * @param named `NAMESPACE/NAME`
 * @throws UserError PROMETHEUS_NOT_FOUND, SEVERAL_PROMETHEUS, PROMETHEUS_NOT_INJECTABLE, PROMETHEUS_CONFIG_UNKNOWN
 */
export async function surveyPrometheus(named: string | undefined, cluster: Cluster): Promise<PrometheusSurvey> {
  return surveyFound(requirePrometheus(await readPrometheuses(cluster), named), cluster)
}

/** A Prometheus, and the servers that it was chosen from. */
export interface ChosenPrometheus {
  found: FoundPrometheus
  /** Empty if it was named. */
  others: FoundPrometheus[]
}

/**
 * The Prometheus that scrapes already. Without a name, it is the only one that may do so, or the only one. A label decides nothing: any
 * tenant can set it at a Prometheus of its own, which would then be reported instead of the real one.
 * @throws UserError PROMETHEUS_NOT_FOUND, SEVERAL_PROMETHEUS, FORBIDDEN
 */
export async function findScraper(named: string | undefined, cluster: Cluster): Promise<ChosenPrometheus> {
  const all = await readPrometheuses(cluster, named?.split('/')[0])
  const scraping = all.filter(mayScrape)
  const found = requirePrometheus(named === undefined && scraping.length === 1 ? scraping : all, named)
  return { found, others: named === undefined ? all.filter((one) => one !== found) : [] }
}

/**
 * Whether a Prometheus may scrape over mutual TLS: it has a certificate of the mesh, whoever set that up, or a record of scrape-secure, whose
 * change something else may have reset.
 */
function mayScrape(found: FoundPrometheus): boolean {
  return isEdited(found.object, SCRAPING) || certificatesOf(found) !== undefined
}

/** @throws UserError PROMETHEUS_NOT_INJECTABLE, PROMETHEUS_CONFIG_UNKNOWN */
export async function surveyFound(found: FoundPrometheus, cluster: Cluster): Promise<PrometheusSurvey> {
  const maker = makerOf(found.object)
  if (maker !== undefined) throw notInjectable(found, `${maker} manages it and would revert the change`)
  // A certificate that we set up is not the user's: it is planned again.
  const present = isEdited(found.object, SCRAPING) ? undefined : certificatesOf(found)
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

async function readConfiguration(found: FoundPrometheus, cluster: Cluster): Promise<ConfigMap | undefined> {
  if (found.resource === PROMETHEUSES) return undefined
  const { configuration, configFile, namespace } = found
  const name = configuration?.configMap
  const configMap = name === undefined ? undefined : await cluster.get<ConfigMap>(CONFIG_MAPS, { name, namespace })
  if (configuration === undefined || configMap?.data?.[configuration.key] === undefined)
    throw configFixed(found, `${configFile} does not come from a ConfigMap`)
  const maker = makerOf(configMap)
  if (maker !== undefined) throw configFixed(found, `${maker} manages ConfigMap ${name} and would revert the change`)
  if (configMap.immutable === true) throw configFixed(found, `ConfigMap ${name} is immutable`)
  return configMap
}

/** @throws UserError PROMETHEUS_CONFIG_FIXED if it would not read our PodMonitor */
async function readMonitors(found: FoundPrometheus, cluster: Cluster): Promise<PodMonitor[]> {
  if (found.resource !== PROMETHEUSES) return []
  const [all, namespace] = await Promise.all([
    listIfServed<PodMonitor>(cluster, POD_MONITORS),
    cluster.get<KubeObject>(NAMESPACES, { name: found.namespace }),
  ])
  const why = whyNotSelected(found, labelsOf(namespace, found.namespace))
  if (why !== undefined) throw configFixed(found, why)
  const isOwnMonitor = ({ metadata: { name, namespace: where } }: PodMonitor) =>
    name === SECURE_JOB && where === found.namespace
  return all.filter((monitor) => isOwnMonitor(monitor) || isPlaintextMonitor(monitor))
}

function labelsOf(namespace: KubeObject | undefined, name: string): Record<string, string> {
  return { 'kubernetes.io/metadata.name': name, ...namespace?.metadata.labels }
}

/** @throws UserError PROMETHEUS_NOT_INJECTABLE with the reason */
async function sidecarLabels(found: FoundPrometheus, cluster: Cluster): Promise<Record<string, string>> {
  const { spec = {} } = found.object as { spec?: { hostNetwork?: boolean; template?: Deployment['spec']['template'] } }
  if (spec.hostNetwork || spec.template?.spec.hostNetwork)
    throw notInjectable(found, 'it uses the network of its node (hostNetwork), where Istio injects no sidecar')
  const [namespace, webhooks] = await Promise.all([
    cluster.get<KubeObject>(NAMESPACES, { name: found.namespace }),
    cluster.list<Webhooks>(WEBHOOKS),
  ])
  const namespaceLabels = namespace?.metadata.labels ?? {}
  const own = { ...spec.template?.metadata.labels, ...podMetadataOf(found.object) }
  const ambient = (own['istio.io/dataplane-mode'] ?? namespaceLabels['istio.io/dataplane-mode']) === 'ambient'
  if (ambient) throw notInjectable(found, 'it is in ambient mode, where pods have no certificate of their own')
  const labels = namespace && labelsForSidecar(webhooks, namespace, own)
  if (labels !== undefined) return labels
  const disabled = namespaceLabels['istio-injection'] === 'disabled'
  throw notInjectable(
    found,
    disabled
      ? `namespace ${found.namespace} is labelled istio-injection=disabled`
      : `no injection webhook of Istio selects pods in namespace ${found.namespace}`,
  )
}

function podMetadataOf(object: KubeObject): Record<string, string> {
  return (object as PrometheusObject).spec.podMetadata?.labels ?? {}
}

function notInjectable(found: FoundPrometheus, why: string): UserError {
  return new UserError(
    'PROMETHEUS_NOT_INJECTABLE',
    `${kindAndName(found)} cannot get a certificate of the mesh: ${why}`,
    {
      suggestions: ['--prometheus NAMESPACE/NAME   # choose another one'],
    },
  )
}

function configFixed(found: FoundPrometheus, why: string): UserError {
  return new UserError(
    'PROMETHEUS_CONFIG_FIXED',
    `the scrape jobs of ${kindAndName(found)} cannot be changed: ${why}`,
    {
      suggestions: ['--prometheus NAMESPACE/NAME   # choose another one'],
    },
  )
}
