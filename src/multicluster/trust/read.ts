/** Reads all that decides about trust in one cluster. */

import { certificatesIn, MOST_CERTIFICATES } from '../../certificates/facts.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import { type ConfigMap, isStaying, type Pod, type Secret } from '../../cluster/objects.ts'
import { CONFIG_MAPS, PODS, SECRETS } from '../../cluster/resources.ts'
import { planeOf } from '../../gateways/istiods.ts'
import { CACERTS } from '../../manifests/cacerts.ts'
import type { AskInside, ReadServedChain, ServedChain } from '../../world.ts'
import type { Mesh } from '../mesh.ts'
import { ambientAmong, type ProxyTrust, proxiesAmong, readProxies } from './proxies.ts'
import { type Signer, type SignerSecrets, signerOf } from './signer.ts'

export interface TrustReading {
  readonly secrets: SignerSecrets
  readonly signer: Signer
  /** What `istio-ca-root-cert` has in the namespace of istiod and in each namespace with proxies; PEM. */
  readonly published: readonly { readonly namespace: string; readonly roots: readonly string[] }[]
  /** What each pod of istiod serves at 15012. */
  readonly served: readonly ServedBy[]
  readonly proxies: readonly ProxyTrust[]
}

export interface ServedBy {
  readonly pod: string
  /** Undefined without the permission to forward ports. */
  readonly served: ServedChain | undefined
}

export interface TrustNeeds {
  cluster: Cluster
  askInside: AskInside
  readServedChain: ReadServedChain
}

/** @throws UserError FORBIDDEN when Secrets, ConfigMaps or pods may not be read */
export async function readTrust(mesh: Mesh, needs: TrustNeeds): Promise<TrustReading> {
  const { cluster } = needs
  const secret = (name: string) => cluster.get<Secret>(SECRETS, { name, namespace: mesh.namespace })
  const [plugged, selfSigned, pods] = await Promise.all([
    secret(CACERTS),
    secret('istio-ca-secret'),
    cluster.list<Pod>(PODS),
  ])
  const secrets = { plugged, selfSigned }
  const [published, served, proxies] = await Promise.all([
    readPublished(mesh, pods, cluster),
    readServed(mesh, pods, needs),
    readAllProxies(pods, needs),
  ])
  return { secrets, signer: signerOf(secrets, mesh.istiods), published, served, proxies }
}

/** Only the proxies, again. */
export async function readAllProxies(
  pods: readonly Pod[],
  needs: Pick<TrustNeeds, 'cluster' | 'askInside'>,
): Promise<ProxyTrust[]> {
  const ambient = ambientAmong(pods).map((pod): ProxyTrust => {
    const unknown = 'ambient mode: its certificate is in the ztunnel of its node'
    return { pod, workload: undefined, roots: [], chain: [], unknown }
  })
  return [...(await readProxies(proxiesAmong(pods), needs)), ...ambient]
}

const PUBLISHED = 'istio-ca-root-cert'

/** istiod writes it into every namespace; where no proxy runs, nobody reads it. */
export async function readPublished(
  mesh: Pick<Mesh, 'namespace'>,
  pods: readonly Pod[],
  cluster: Cluster,
): Promise<TrustReading['published']> {
  const maps = await cluster.list<ConfigMap>(CONFIG_MAPS, { fields: `metadata.name=${PUBLISHED}` })
  const needed = new Set([mesh.namespace, ...proxiesAmong(pods).map(({ metadata }) => metadata.namespace ?? '')])
  return [...needed].map((namespace) => {
    const found = maps.find(({ metadata }) => metadata.namespace === namespace)
    const roots = certificatesIn(found?.data?.['root-cert.pem'] ?? '').slice(0, MOST_CERTIFICATES)
    return { namespace, roots }
  })
}

const XDS = 15_012
const TIMEOUT = 10_000

export async function readServed(mesh: Mesh, pods: readonly Pod[], needs: TrustNeeds): Promise<ServedBy[]> {
  return Promise.all(
    istiodPods(mesh, pods).map(async ({ metadata: { name, namespace = '' } }) => {
      const request = { pod: { name, namespace }, port: XDS, serverName: `istiod.${namespace}.svc`, timeout: TIMEOUT }
      return { pod: name, served: await needs.readServedChain(request, needs.cluster) }
    }),
  )
}

function istiodPods({ namespace, istiods }: Mesh, pods: readonly Pod[]): Pod[] {
  const revisions = istiods.map((one) => planeOf(one).revision)
  return pods.filter(
    (pod) =>
      isStaying(pod) &&
      pod.metadata.namespace === namespace &&
      pod.metadata.labels?.app === 'istiod' &&
      revisions.includes(pod.metadata.labels['istio.io/rev'] ?? 'default') &&
      pod.status?.phase === 'Running',
  )
}
