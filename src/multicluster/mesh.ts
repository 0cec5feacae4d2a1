/** Reads what a cluster's control plane is, for every part of multicluster. */
import type { Cluster } from '../cluster/cluster.ts'
import type { ConfigMap, Deployment } from '../cluster/objects.ts'
import {
  domainOfIstiod,
  listIstiods,
  planeOf,
  readMeshConfiguration,
  requireOneNamespace,
  vouchedPlanes,
} from '../gateways/istiods.ts'
import { meshOf, rootNamespace } from '../gateways/mesh.ts'
import { textOf, textsOf } from '../shapes.ts'

/** The control plane of a cluster: one istiod, or several revisions in one namespace. */
export interface Mesh {
  /** Of istiod: it has `cacerts`. */
  readonly namespace: string
  /** The namespace whose objects apply to all namespaces. */
  readonly root: string
  readonly istiods: readonly Deployment[]
  readonly configuration: ConfigMap | undefined
  readonly trustDomain: string
  readonly aliases: readonly string[]
  /** The domain of Services: `cluster.local`. */
  readonly domain: string
}

/** Istio's default: `trustDomain` in pkg/config/constants. */
const TRUST_DOMAIN = 'cluster.local'

/** What `istioctl install` makes in a cluster without Istio. */
export function meshToBe(trustDomain = TRUST_DOMAIN): Mesh {
  const namespace = 'istio-system'
  return {
    namespace,
    root: namespace,
    istiods: [],
    configuration: undefined,
    trustDomain,
    aliases: [],
    domain: 'cluster.local',
  }
}

/** Whether an istiod is there, or only its files. */
export function isInstalled({ istiods }: Pick<Mesh, 'istiods'>): boolean {
  return istiods.length > 0
}

/** @returns undefined where no istiod runs. @throws UserError ISTIODS_APART, FORBIDDEN */
export async function findMesh(cluster: Cluster): Promise<Mesh | undefined> {
  const all = (await listIstiods(cluster)).map((istiod) => ({ istiod, ...planeOf(istiod) }))
  const planes = await vouchedPlanes(all, cluster)
  const [first] = planes
  if (first === undefined) return undefined
  requireOneNamespace(planes)
  const { merged } = await readMeshConfiguration(first.istiod, cluster)
  const mesh = meshOf(merged)
  return {
    namespace: first.namespace,
    root: rootNamespace(merged, first.namespace),
    istiods: planes.map(({ istiod }) => istiod),
    configuration: merged,
    trustDomain: textOf(mesh.trustDomain) || TRUST_DOMAIN,
    aliases: textsOf(mesh.trustDomainAliases),
    domain: domainOfIstiod(first.istiod),
  }
}
