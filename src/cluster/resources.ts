/** The kinds of objects that we read or write. Istio's version comes from discovery: `networking.istio.io/v1` is served since Istio 1.22. */
import { isPathSegment } from '../text.ts'
import { apiVersion, type KubeObject, type Resource } from './cluster.ts'

export const ISTIO_NETWORKING = 'networking.istio.io'
/** Newest first. Istio 1.21 and older serve only v1beta1. */
export const ISTIO_VERSIONS = ['v1', 'v1beta1'] as const

export const SERVICES: Resource = { group: '', version: 'v1', plural: 'services', kind: 'Service' }
export const PODS: Resource = { group: '', version: 'v1', plural: 'pods', kind: 'Pod' }
export const NODES: Resource = { group: '', version: 'v1', plural: 'nodes', kind: 'Node' }
export const EVENTS: Resource = { group: '', version: 'v1', plural: 'events', kind: 'Event' }
export const SECRETS: Resource = { group: '', version: 'v1', plural: 'secrets', kind: 'Secret' }
export const CONFIG_MAPS: Resource = { group: '', version: 'v1', plural: 'configmaps', kind: 'ConfigMap' }

export const SERVICE_ACCOUNTS: Resource = {
  group: '',
  version: 'v1',
  plural: 'serviceaccounts',
  kind: 'ServiceAccount',
}

const RBAC = 'rbac.authorization.k8s.io'
export const CLUSTER_ROLES: Resource = { group: RBAC, version: 'v1', plural: 'clusterroles', kind: 'ClusterRole' }
export const CLUSTER_ROLE_BINDINGS: Resource = {
  group: RBAC,
  version: 'v1',
  plural: 'clusterrolebindings',
  kind: 'ClusterRoleBinding',
}

export const CERT_MANAGER = 'cert-manager.io'
export const CERTIFICATES: Resource = {
  group: CERT_MANAGER,
  version: 'v1',
  plural: 'certificates',
  kind: 'Certificate',
}

export const DEPLOYMENTS: Resource = { group: 'apps', version: 'v1', plural: 'deployments', kind: 'Deployment' }

export const STATEFUL_SETS: Resource = { group: 'apps', version: 'v1', plural: 'statefulsets', kind: 'StatefulSet' }
const DAEMON_SETS: Resource = { group: 'apps', version: 'v1', plural: 'daemonsets', kind: 'DaemonSet' }
/** Kinds with a pod template, whose pods are replaced when it changes. */
export const WORKLOADS: Resource[] = [DEPLOYMENTS, STATEFUL_SETS, DAEMON_SETS]

export const NAMESPACES: Resource = { group: '', version: 'v1', plural: 'namespaces', kind: 'Namespace' }

export const WEBHOOKS: Resource = {
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  plural: 'mutatingwebhookconfigurations',
  kind: 'MutatingWebhookConfiguration',
}

/** API group of the Prometheus Operator. */
export const MONITORING = 'monitoring.coreos.com'
export const PROMETHEUSES: Resource = { group: MONITORING, version: 'v1', plural: 'prometheuses', kind: 'Prometheus' }
export const POD_MONITORS: Resource = { group: MONITORING, version: 'v1', plural: 'podmonitors', kind: 'PodMonitor' }

export const ENDPOINT_SLICES: Resource = {
  group: 'discovery.k8s.io',
  version: 'v1',
  plural: 'endpointslices',
  kind: 'EndpointSlice',
}

export function gateways(version: string): Resource {
  return { group: ISTIO_NETWORKING, version, plural: 'gateways', kind: 'Gateway' }
}

export function virtualServices(version: string): Resource {
  return { group: ISTIO_NETWORKING, version, plural: 'virtualservices', kind: 'VirtualService' }
}

export function destinationRules(version: string): Resource {
  return { group: ISTIO_NETWORKING, version, plural: 'destinationrules', kind: 'DestinationRule' }
}

/** All of Istio's APIs changed from v1beta1 to v1 in 1.22. @param version of Istio's networking API */
export function authorizationPolicies(version: string): Resource {
  return { group: 'security.istio.io', version, plural: 'authorizationpolicies', kind: 'AuthorizationPolicy' }
}

export function sidecars(version: string): Resource {
  return { group: ISTIO_NETWORKING, version, plural: 'sidecars', kind: 'Sidecar' }
}

export function serviceEntries(version: string): Resource {
  return { group: ISTIO_NETWORKING, version, plural: 'serviceentries', kind: 'ServiceEntry' }
}

/** @param version of Istio's networking API */
export function peerAuthentications(version: string): Resource {
  return { group: 'security.istio.io', version, plural: 'peerauthentications', kind: 'PeerAuthentication' }
}

export const ISTIO_TELEMETRY = 'telemetry.istio.io'

export function telemetries(version: string): Resource {
  return { group: ISTIO_TELEMETRY, version, plural: 'telemetries', kind: 'Telemetry' }
}

export const GATEWAY_API = 'gateway.networking.k8s.io'
/** Gateways of the Kubernetes Gateway API. */
export const API_GATEWAYS: Resource = { group: GATEWAY_API, version: 'v1', plural: 'gateways', kind: 'Gateway' }

export const INGRESSES: Resource = {
  group: 'networking.k8s.io',
  version: 'v1',
  plural: 'ingresses',
  kind: 'Ingress',
}

export const NETWORK_POLICIES: Resource = {
  group: 'networking.k8s.io',
  version: 'v1',
  plural: 'networkpolicies',
  kind: 'NetworkPolicy',
}

/** Has only one version. */
export const ENVOY_FILTERS: Resource = {
  group: ISTIO_NETWORKING,
  version: 'v1alpha3',
  plural: 'envoyfilters',
  kind: 'EnvoyFilter',
}

/** The fields at the head of a manifest. */
export function typeOf(resource: Resource): Pick<KubeObject, 'apiVersion' | 'kind'> {
  return { apiVersion: apiVersion(resource), kind: resource.kind }
}

/** @throws Error for a name that would lead to another path; reads do not come here with one */
function segment(name: string): string {
  if (!isPathSegment(name)) throw new Error(`${JSON.stringify(name)} cannot be the name of an object`)
  return encodeURIComponent(name)
}

/** The path in the API: of a kind, or of an object. */
export function pathOf(resource: Omit<Resource, 'kind'>, namespace: string | undefined, name?: string): string {
  const root = resource.group === '' ? `/api/${resource.version}` : `/apis/${resource.group}/${resource.version}`
  const scope = namespace === undefined ? '' : `/namespaces/${segment(namespace)}`
  return `${root}${scope}/${resource.plural}${name === undefined ? '' : `/${segment(name)}`}`
}
