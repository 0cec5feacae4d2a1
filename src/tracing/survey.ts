/** Reads what decides about traces: control planes with their mesh configuration, and Telemetries. */
import type { Cluster, KubeObject, Resource } from '../cluster/cluster.ts'
import { type ConfigMap, type Deployment, isStaying, type Pod } from '../cluster/objects.ts'
import { readable } from '../cluster/reading.ts'
import { CONFIG_MAPS, DEPLOYMENTS, ISTIO_TELEMETRY, telemetries, WEBHOOKS } from '../cluster/resources.ts'
import { configMapOf, mergedMesh, rootNamespace } from '../gateways/mesh.ts'
import { variableOf } from '../gateways/mesh-config.ts'
import { isDomain } from '../gateways/names.ts'
import { wordsOf } from '../workloads/arguments.ts'
import { tracingIn } from './configuration.ts'
import type { Revision } from './facts.ts'

/** @throws UserError FORBIDDEN when Deployments may not be listed */
export async function readRevisions(cluster: Cluster): Promise<Revision[]> {
  const deployments = await cluster.list<Deployment>(DEPLOYMENTS, { labels: 'app=istiod' })
  return Promise.all(deployments.filter(isStaying).map((one) => readRevision(one, cluster)))
}

interface Webhooks extends KubeObject {
  webhooks?: { clientConfig?: { service?: { name?: string; namespace?: string } } }[]
}

/**
 * The control planes whose injector the API server asks. Anybody can label a Deployment of their own `app: istiod` and so name a root
 * namespace, but webhooks belong to the cluster.
 * @returns all of them where no webhook names one (without injection, or without the permission to list webhooks)
 */
export async function vouchedRevisions(all: readonly Revision[], cluster: Cluster): Promise<readonly Revision[]> {
  const namespaces = new Set(all.map(({ namespace }) => namespace))
  if (namespaces.size < 2) return all
  const webhooks = (await readable(cluster.list<Webhooks>(WEBHOOKS))) ?? []
  const services = webhooks.flatMap((one) => one.webhooks ?? []).map(({ clientConfig }) => clientConfig?.service)
  const isNamed = ({ revision, namespace }: Revision) =>
    services.some(
      (service) =>
        service?.namespace === namespace && service.name === (revision === 'default' ? 'istiod' : `istiod-${revision}`),
    )
  const vouched = all.filter(isNamed)
  return vouched.length === 0 ? all : vouched
}

async function readRevision({ metadata, spec }: Deployment, cluster: Cluster): Promise<Revision> {
  const { labels = {}, namespace = '' } = metadata
  const revision = labels['istio.io/rev'] ?? 'default'
  const place = configMapOf({ revision, namespace })
  const read = (name: string) => readable(cluster.get<ConfigMap>(CONFIG_MAPS, { name, namespace }))
  const shared = variableOf(spec.template, 'SHARED_MESH_CONFIG')
  const [configMap, below] = await Promise.all([read(place.name), shared === '' ? undefined : read(shared)])
  const merged = mergedMesh(below, configMap)
  return {
    revision,
    namespace,
    configMap,
    name: place.name,
    configuration: tracingIn(merged),
    root: rootNamespace(merged, namespace),
    sampling: variableOf(spec.template, 'PILOT_TRACE_SAMPLING'),
    domain: domainOf(spec.template),
  }
}

/** `--domain` of istiod. */
function domainOf({ spec: { containers } }: Pick<Pod, 'spec'>): string {
  const args = containers.flatMap((container) => wordsOf(container))
  const domain = args[args.indexOf('--domain') + 1] ?? ''
  return isDomain(domain) ? domain : 'cluster.local'
}

/** The newest served version of Telemetries; `undefined` where the API is not served. */
export async function telemetryResource(cluster: Cluster): Promise<Resource | undefined> {
  const served = await cluster.servedVersions(ISTIO_TELEMETRY)
  const version = ['v1', 'v1alpha1'].find((one) => served.includes(one))
  return version === undefined ? undefined : telemetries(version)
}

/** Those that are not being deleted. @returns `undefined` without the permission to list them; nothing where the API is not served */
export async function readTelemetries(cluster: Cluster): Promise<KubeObject[] | undefined> {
  const resource = await telemetryResource(cluster)
  const found = resource === undefined ? [] : await readable(cluster.list(resource))
  return found?.filter(isStaying)
}
