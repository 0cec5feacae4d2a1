/** Which control plane serves a proxy, and which objects it reads. Pure. */
import type { KubeObject } from '../cluster/cluster.ts'
import type { Pod } from '../cluster/objects.ts'
import { jsonOf, mapOf, textOf } from '../shapes.ts'

/** An istiod; `default` is the revision of one that was installed without. */
export interface ControlPlane {
  revision: string
  namespace: string
}

/** `istiod.istio-system.svc:15012`, `istiod-1-31-0.istio-system.svc:15012` */
const ISTIOD = /^istiod(?:-([a-z0-9-]+))?\.([a-z0-9-]+)(?:\.svc(?=[.:]|$)|(?=:|$))/

/**
 * The istiod of proxies, by the addresses in their environment. The injector writes the revision there, also where the namespace or the pod
 * has the name of a tag. PROXY_CONFIG only has an address that is not Istio's default; CA_ADDR may be that of another program
 * (cert-manager's istio-csr).
 */
export function controlPlaneOf(pods: readonly Pod[]): ControlPlane {
  const variables = pods
    .flatMap(({ spec: { containers, initContainers = [] } }) => [...containers, ...initContainers])
    .flatMap(({ env = [] }) => env)
  const valuesOf = (wanted: string) => variables.flatMap(({ name, value }) => (name === wanted ? [value ?? ''] : []))
  const discovery = valuesOf('PROXY_CONFIG').map((text) => textOf(mapOf(jsonOf(text)).discoveryAddress) ?? '')
  const [, revision = 'default', namespace = 'istio-system'] =
    [...discovery, ...valuesOf('CA_ADDR')].map((address) => ISTIOD.exec(address)).find((found) => found !== null) ?? []
  return { revision, namespace }
}

/**
 * Whether an istiod reads an object: one with the label of another revision does not exist for it, and tags do not count here
 * (`LabelsInRevision` in pkg/config/model.go).
 */
export function isRead({ metadata }: KubeObject, { revision }: Pick<ControlPlane, 'revision'>): boolean {
  return (metadata.labels?.['istio.io/rev'] ?? revision) === revision
}

/** Whether the istiod of any of these pods reads an object: during an upgrade a gateway has pods of two revisions. */
export function isReadFor(object: KubeObject, pods: readonly Pod[]): boolean {
  return pods.length === 0 || pods.some((pod) => isRead(object, controlPlaneOf([pod])))
}
