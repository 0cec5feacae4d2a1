/** Reads what decides about traces: control planes with their mesh configuration, and Telemetries. */
import type { Cluster, KubeObject, Resource } from '../cluster/cluster.ts'
import { type Deployment, isStaying } from '../cluster/objects.ts'
import { readable } from '../cluster/reading.ts'
import { ISTIO_TELEMETRY, telemetries } from '../cluster/resources.ts'
import { domainOfIstiod, listIstiods, planeOf, readMeshConfiguration } from '../gateways/istiods.ts'
import { rootNamespace } from '../gateways/mesh.ts'
import { variableOf } from '../gateways/mesh-config.ts'
import { tracingIn } from './configuration.ts'
import type { Revision } from './facts.ts'

/** @throws UserError FORBIDDEN when Deployments may not be listed */
export async function readRevisions(cluster: Cluster): Promise<Revision[]> {
  return Promise.all((await listIstiods(cluster)).map((one) => readRevision(one, cluster)))
}

async function readRevision(istiod: Deployment, cluster: Cluster): Promise<Revision> {
  const { configMap, name, merged } = await readMeshConfiguration(istiod, cluster)
  const { revision, namespace } = planeOf(istiod)
  return {
    revision,
    namespace,
    configMap,
    name,
    configuration: tracingIn(merged),
    root: rootNamespace(merged, namespace),
    sampling: variableOf(istiod.spec.template, 'PILOT_TRACE_SAMPLING'),
    domain: domainOfIstiod(istiod),
  }
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
