import type { KubeObject } from '../cluster/cluster.ts'

/** Names of our objects. They differ from the names on Istio's page (telemetry-gw-cert, grafana-gateway), whose objects are the user's. */
export const GATEWAY_NAME = 'kubectl-telemetry'
export const TLS_SECRET_NAME = 'kubectl-telemetry-tls'
/** Names of the cert-manager Certificate and of the Secret that cert-manager makes from it. */
export const CERTIFICATE_NAME = 'kubectl-telemetry'
export const ISSUED_SECRET_NAME = 'kubectl-telemetry-issued'

export function virtualServiceName(addonName: string): string {
  return `kubectl-telemetry-${addonName}`
}

/** Name of the objects that guard an add-on: an AuthorizationPolicy, an EnvoyFilter. */
export function guardName(addonName: string): string {
  return `kubectl-telemetry-${addonName}`
}

/** Name of the AuthorizationPolicy for an external authorizer; it differs because there may also be an allow list. */
export function externalGuardName(addonName: string): string {
  // The namespace in the name of a Service may end with any word.
  return `${guardName(addonName)}${addonName.includes('.') ? '.' : '-'}ext-authz`
}

const PREFIX = 'kubectl-telemetry-'

/** The add-on or Service that one of these names is for; `undefined` for another name. */
export function exposedBy(objectName: string): string | undefined {
  if (!objectName.startsWith(PREFIX)) return undefined
  const rest = objectName.slice(PREFIX.length)
  // A namespace may be called `ext-authz`, or `bar-ext-authz`: only the second dot of a Service's name begins the suffix.
  const [, exposed = rest] = /^([^.]+\.[^.]+)\.ext-authz$/.exec(rest) ?? /^([^.]+)-ext-authz$/.exec(rest) ?? []
  return exposed
}

/** Name of the objects for a workload's metrics: a Sidecar, a PeerAuthentication, a NetworkPolicy. */
export function scrapingName({ kind, name }: { kind: string; name: string }): string {
  return `kubectl-telemetry-${kind.toLowerCase()}-${name}`
}

/** Name of the objects for a gateway's metrics: a Gateway, a VirtualService, a ServiceEntry. */
export function metricsGatewayName(gateway: string): string {
  return `kubectl-telemetry-metrics-${gateway}`
}

/** Name of the Telemetry that switches tracing on or off in its namespace. @param revision the only one that reads it */
export function telemetryName(revision: string | undefined): string {
  return revision === undefined ? 'kubectl-telemetry' : `${PREFIX}${revision}`
}

/** Annotation of the objects at an egress gateway: the host of which they pass calls on. Believed where their name follows from it. */
const PASSED_HOST = 'kubectl-telemetry/host'

/** The field of metadata with the host. */
export function passedHostNote(host: string): { annotations: Record<string, string> } {
  return { annotations: { [PASSED_HOST]: host } }
}

export function passedHost({ metadata: { annotations } }: KubeObject): string | undefined {
  return annotations?.[PASSED_HOST]
}
