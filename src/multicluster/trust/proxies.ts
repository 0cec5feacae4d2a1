/** Reads from every proxy of a cluster which roots it trusts, and which CA signed its certificate. */

import type { Cluster } from '../../cluster/cluster.ts'
import { hasEnded, isStaying, type Pod } from '../../cluster/objects.ts'
import { controllerOf } from '../../workloads/controller.ts'
import { ambientPartOf, proxyImage } from '../../workloads/proxy.ts'
import type { AskInside } from '../../world.ts'
import { ADMIN, type ProxySecrets, SECRETS_PATH, secretsIn } from '../proxy-secrets.ts'

export interface ProxyTrust extends ProxySecrets {
  readonly pod: Pod
  readonly workload: { readonly kind: string; readonly name: string } | undefined
  /** Why neither roots nor chain are known. */
  readonly unknown?: string
}

const TIMEOUT = 10_000
/** How many proxies are asked at the same time. */
const AT_ONCE = 12

/** Pods with a proxy that is not Istio's own ztunnel: sidecars, and gateways. */
export function proxiesAmong(pods: readonly Pod[]): Pod[] {
  return pods.filter((pod) => isStaying(pod) && !hasEnded(pod) && proxyImage(pod) !== undefined)
}

/** Pods that take part in the mesh without a proxy that could be asked. */
export function ambientAmong(pods: readonly Pod[]): Pod[] {
  const isAmbient = (pod: Pod) =>
    ambientPartOf(pod) === 'ZTUNNEL' || pod.metadata.annotations?.['ambient.istio.io/redirection'] === 'enabled'
  return pods.filter((pod) => isStaying(pod) && !hasEnded(pod) && proxyImage(pod) === undefined && isAmbient(pod))
}

/** @param pods of `proxiesAmong` */
export async function readProxies(
  pods: readonly Pod[],
  needs: { cluster: Cluster; askInside: AskInside },
): Promise<ProxyTrust[]> {
  const read: ProxyTrust[] = []
  for (let at = 0; at < pods.length; at += AT_ONCE)
    read.push(...(await Promise.all(pods.slice(at, at + AT_ONCE).map((pod) => readProxy(pod, needs)))))
  return read
}

async function readProxy(
  pod: Pod,
  { cluster, askInside }: { cluster: Cluster; askInside: AskInside },
): Promise<ProxyTrust> {
  const { name, namespace = '' } = pod.metadata
  const workload = controllerOf(pod)
  const unknown = (why: string): ProxyTrust => ({ pod, workload, roots: [], chain: [], unknown: why })
  if (pod.status?.phase !== 'Running') return unknown('it does not run yet')
  const answer = await askInside(
    { pod: { name, namespace }, port: ADMIN, path: SECRETS_PATH, timeout: TIMEOUT },
    cluster,
  )
  if (answer === undefined) return unknown('no permission to forward ports to it')
  if ('failed' in answer) return unknown(answer.failed)
  if (answer.status !== 200) return unknown(`its admin port answers with status ${answer.status}`)
  const { roots, chain } = secretsIn(answer.body)
  return roots.length === 0 || chain.length === 0
    ? unknown('its proxy has no certificate yet')
    : { pod, workload, roots, chain }
}
