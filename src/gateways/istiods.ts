/** Finds the control planes of a cluster. */
import type { Cluster, KubeObject } from '../cluster/cluster.ts'
import { type ConfigMap, type Deployment, isStaying } from '../cluster/objects.ts'
import { readable } from '../cluster/reading.ts'
import { CONFIG_MAPS, DEPLOYMENTS, WEBHOOKS } from '../cluster/resources.ts'
import { UserError } from '../errors.ts'
import { wordsOf } from '../workloads/arguments.ts'
import type { ControlPlane } from '../workloads/control-plane.ts'
import { configMapOf, mergedMesh } from './mesh.ts'
import { variableOf } from './mesh-config.ts'
import { isDomain } from './names.ts'

/** Deployments of istiod, also of revisions. @throws UserError FORBIDDEN when Deployments may not be listed */
export async function listIstiods(cluster: Cluster): Promise<Deployment[]> {
  const deployments = await cluster.list<Deployment>(DEPLOYMENTS, { labels: 'app=istiod' })
  return deployments.filter(isStaying)
}

/** The control plane that a Deployment of istiod is. */
export function planeOf({ metadata: { labels = {}, namespace = '' } }: Deployment): ControlPlane {
  return { revision: labels['istio.io/rev'] ?? 'default', namespace }
}

/**
 * The mesh configuration that an istiod reads.
 * @returns its ConfigMap, undefined if that does not exist or may not be read, and `merged` with the one of `SHARED_MESH_CONFIG`
 */
export async function readMeshConfiguration(
  istiod: Deployment,
  cluster: Cluster,
): Promise<{ configMap: ConfigMap | undefined; name: string; merged: ConfigMap | undefined }> {
  const { name, namespace } = configMapOf(planeOf(istiod))
  const read = (one: string) => readable(cluster.get<ConfigMap>(CONFIG_MAPS, { name: one, namespace }))
  const shared = variableOf(istiod.spec.template, 'SHARED_MESH_CONFIG')
  const [configMap, below] = await Promise.all([read(name), shared === '' ? undefined : read(shared)])
  return { configMap, name, merged: mergedMesh(below, configMap) }
}

interface Webhooks extends KubeObject {
  webhooks?: { clientConfig?: { service?: { name?: string; namespace?: string } } }[]
}

/**
 * The control planes whose injector the API server asks. Anybody can label a Deployment of their own `app: istiod` and so name a root
 * namespace, but webhooks belong to the cluster.
 * @returns all of them where no webhook names one (without injection, or without the permission to list webhooks)
 */
export async function vouchedPlanes<T extends ControlPlane>(
  all: readonly T[],
  cluster: Cluster,
): Promise<readonly T[]> {
  const namespaces = new Set(all.map(({ namespace }) => namespace))
  if (namespaces.size < 2) return all
  const webhooks = (await readable(cluster.list<Webhooks>(WEBHOOKS))) ?? []
  const services = webhooks.flatMap((one) => one.webhooks ?? []).map(({ clientConfig }) => clientConfig?.service)
  const isNamed = ({ revision, namespace }: ControlPlane) =>
    services.some(
      (service) =>
        service?.namespace === namespace && service.name === (revision === 'default' ? 'istiod' : `istiod-${revision}`),
    )
  const vouched = all.filter(isNamed)
  return vouched.length === 0 ? all : vouched
}

/** @param flags that choose one of them. @throws UserError ISTIODS_APART */
export function requireOneNamespace(planes: readonly ControlPlane[], flags: readonly string[] = []): void {
  const places = [...new Set(planes.map(({ namespace }) => namespace))]
  if (places.length < 2) return
  const message = `there are istiods in several namespaces (${places.join(', ')}), and no webhook shows which of them the cluster uses`
  const look = 'kubectl get mutatingwebhookconfigurations   # may you list them?'
  throw new UserError('ISTIODS_APART', message, { suggestions: [look, ...flags] })
}

/** `--domain` of istiod: the domain of Services. */
export function domainOfIstiod({ spec }: Deployment): string {
  const args = spec.template.spec.containers.flatMap((container) => wordsOf(container))
  const domain = args[args.indexOf('--domain') + 1] ?? ''
  return isDomain(domain) ? domain : 'cluster.local'
}
