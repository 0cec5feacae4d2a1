/** The kinds of objects we read or write. Istio's version follows discovery: `networking.istio.io/v1` is served from Istio 1.22 on. */
import { apiVersion, type KubeObject, type Resource } from './cluster.ts'

export const ISTIO_NETWORKING = 'networking.istio.io'
/** Newest first. Istio 1.21 and older serve v1beta1 but not v1. */
export const ISTIO_VERSIONS = ['v1', 'v1beta1'] as const

export const SERVICES: Resource = { group: '', version: 'v1', plural: 'services', kind: 'Service' }
export const PODS: Resource = { group: '', version: 'v1', plural: 'pods', kind: 'Pod' }
export const NODES: Resource = { group: '', version: 'v1', plural: 'nodes', kind: 'Node' }
export const SECRETS: Resource = { group: '', version: 'v1', plural: 'secrets', kind: 'Secret' }
export const CONFIG_MAPS: Resource = { group: '', version: 'v1', plural: 'configmaps', kind: 'ConfigMap' }

export const CERT_MANAGER = 'cert-manager.io'
export const CERTIFICATES: Resource = {
  group: CERT_MANAGER,
  version: 'v1',
  plural: 'certificates',
  kind: 'Certificate',
}

export const DEPLOYMENTS: Resource = { group: 'apps', version: 'v1', plural: 'deployments', kind: 'Deployment' }

export const STATEFUL_SETS: Resource = { group: 'apps', version: 'v1', plural: 'statefulsets', kind: 'StatefulSet' }
export const DAEMON_SETS: Resource = { group: 'apps', version: 'v1', plural: 'daemonsets', kind: 'DaemonSet' }
/** Everything whose pods are made from a template and replaced when it changes. */
export const WORKLOADS: Resource[] = [DEPLOYMENTS, STATEFUL_SETS, DAEMON_SETS]

export const NAMESPACES: Resource = { group: '', version: 'v1', plural: 'namespaces', kind: 'Namespace' }

export const WEBHOOKS: Resource = {
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  plural: 'mutatingwebhookconfigurations',
  kind: 'MutatingWebhookConfiguration',
}

/** Prometheus Operator's. */
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

/** Istio's APIs go from v1beta1 to v1 together, in 1.22. @param version of its networking API */
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

export const NETWORK_POLICIES: Resource = {
  group: 'networking.k8s.io',
  version: 'v1',
  plural: 'networkpolicies',
  kind: 'NetworkPolicy',
}

/** There is but one version. */
export const ENVOY_FILTERS: Resource = {
  group: ISTIO_NETWORKING,
  version: 'v1alpha3',
  plural: 'envoyfilters',
  kind: 'EnvoyFilter',
}

/** The head that every manifest of a kind has. */
export function typeOf(resource: Resource): Pick<KubeObject, 'apiVersion' | 'kind'> {
  return { apiVersion: apiVersion(resource), kind: resource.kind }
}
