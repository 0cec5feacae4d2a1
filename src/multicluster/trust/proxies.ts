/** Reads from every proxy of a cluster which roots it trusts, and which CA signed its certificate. */

import { certificatesIn, MOST_CERTIFICATES } from '../../certificates/facts.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import { hasEnded, isStaying, type Pod } from '../../cluster/objects.ts'
import { jsonOf, listOf, mapOf, textOf } from '../../shapes.ts'
import { controllerOf } from '../../workloads/controller.ts'
import { ambientPartOf, proxyImage } from '../../workloads/proxy.ts'
import type { AskInside } from '../../world.ts'

export interface ProxyTrust {
  readonly pod: Pod
  readonly workload: { readonly kind: string; readonly name: string } | undefined
  /** PEM. */
  readonly roots: readonly string[]
  /** PEM, the proxy's own certificate first. */
  readonly chain: readonly string[]
  /** Why neither is known. */
  readonly unknown?: string
}

const ADMIN = 15_000
const TIMEOUT = 10_000
/** How many proxies are asked at the same time. */
const AT_ONCE = 12
/** Only the Secrets: the whole configuration of a proxy may have 10 MB. */
const SECRETS = '/config_dump?resource=dynamic_active_secrets'

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
  const answer = await askInside({ pod: { name, namespace }, port: ADMIN, path: SECRETS, timeout: TIMEOUT }, cluster)
  if (answer === undefined) return unknown('no permission to forward ports to it')
  if ('failed' in answer) return unknown(answer.failed)
  if (answer.status !== 200) return unknown(`its admin port answers with status ${answer.status}`)
  const { roots, chain } = secretsIn(jsonOf(answer.body))
  return roots.length === 0 || chain.length === 0
    ? unknown('its proxy has no certificate yet')
    : { pod, workload, roots, chain }
}

/** https://www.envoyproxy.io/docs/envoy/latest/api-v3/admin/v3/config_dump_shared.proto#admin-v3-secretsconfigdump */
function secretsIn(dump: unknown): Pick<ProxyTrust, 'roots' | 'chain'> {
  const secrets = listOf(mapOf(dump).configs).map((one) => ({
    name: mapOf(one).name,
    secret: mapOf(mapOf(one).secret),
  }))
  const named = (wanted: string) => secrets.find(({ name }) => name === wanted)?.secret ?? {}
  return {
    roots: bytesIn(mapOf(named('ROOTCA').validation_context).trusted_ca),
    chain: bytesIn(mapOf(named('default').tls_certificate).certificate_chain),
  }
}

function bytesIn(source: unknown): string[] {
  const { inline_bytes: bytes, inline_string: text } = mapOf(source)
  const pem = textOf(text) ?? Buffer.from(textOf(bytes) ?? '', 'base64').toString('utf8')
  return certificatesIn(pem).slice(0, MOST_CERTIFICATES)
}
