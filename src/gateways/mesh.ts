/** What the mesh configuration says that matters at a gateway: pure. */
import { parse } from 'yaml'
import type { ObjectName } from '../cluster/cluster.ts'
import type { ConfigMap } from '../cluster/objects.ts'
import type { IngressGateway } from './find.ts'

/** https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/ */
interface MeshConfig {
  extensionProviders?: { name: string; envoyExtAuthzHttp?: object; envoyExtAuthzGrpc?: object }[]
  defaultConfig?: ProxyConfig
}

interface ProxyConfig {
  gatewayTopology?: { numTrustedProxies?: number }
}

/** The ConfigMap of the control plane that a gateway belongs to: `istio`, or `istio-REVISION`. Its proxies name their istiod. */
export function meshConfigMap({ pods }: IngressGateway): Required<ObjectName> {
  const variables = pods.flatMap(({ spec }) => spec.containers).flatMap(({ env = [] }) => env)
  const istiod = variables.find(({ name }) => name === 'CA_ADDR')?.value ?? ''
  const [, revision = '', namespace = 'istio-system'] = /^istiod(-[^.]+)?\.([^.:]+)/.exec(istiod) ?? []
  return { name: `istio${revision}`, namespace }
}

/** How many proxies in front of the gateway are trusted to tell the client's address: the pods' own annotation wins. */
export function trustedProxies({ pods }: IngressGateway, configMap: ConfigMap | undefined): number {
  const own = yamlOf<ProxyConfig>(pods[0]?.metadata.annotations?.['proxy.istio.io/config'])
  const mesh = meshOf(configMap)?.defaultConfig
  return own?.gatewayTopology?.numTrustedProxies ?? mesh?.gatewayTopology?.numTrustedProxies ?? 0
}

/** Names of the external authorizers that the mesh knows. */
export function authorizers(configMap: ConfigMap | undefined): string[] {
  const providers = meshOf(configMap)?.extensionProviders ?? []
  return providers
    .filter(({ envoyExtAuthzHttp, envoyExtAuthzGrpc }) => envoyExtAuthzHttp ?? envoyExtAuthzGrpc)
    .map(({ name }) => name)
}

function meshOf(configMap: ConfigMap | undefined): MeshConfig | undefined {
  return yamlOf<MeshConfig>(configMap?.data?.mesh)
}

/** `undefined` for what is no YAML: istiod does not read it either. */
function yamlOf<T>(text: string | undefined): T | undefined {
  try {
    return text === undefined ? undefined : ((parse(text) ?? undefined) as T | undefined)
  } catch {
    return undefined
  }
}
