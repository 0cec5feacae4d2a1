/** Names of our objects. Not those of Istio's page (telemetry-gw-cert, grafana-gateway): a set-up made by hand is not ours to touch. */
export const GATEWAY_NAME = 'kubectl-telemetry'
export const TLS_SECRET_NAME = 'kubectl-telemetry-tls'
/** Of cert-manager, and the Secret that it makes. */
export const CERTIFICATE_NAME = 'kubectl-telemetry'
export const ISSUED_SECRET_NAME = 'kubectl-telemetry-issued'

export function virtualServiceName(addonName: string): string {
  return `kubectl-telemetry-${addonName}`
}

/** What says who may enter: an AuthorizationPolicy, an EnvoyFilter. */
export function guardName(addonName: string): string {
  return `kubectl-telemetry-${addonName}`
}

/** The AuthorizationPolicy that asks an external authorizer; an allow list may be beside it. */
export function externalGuardName(addonName: string): string {
  return `${guardName(addonName)}-ext-authz`
}

/** What a workload's metrics are served by: a Sidecar, a PeerAuthentication, a NetworkPolicy. */
export function scrapingName({ kind, name }: { kind: string; name: string }): string {
  return `kubectl-telemetry-${kind.toLowerCase()}-${name}`
}

/** What a gateway's metrics are served by: a Gateway, a VirtualService, a ServiceEntry. */
export function metricsGatewayName(gateway: string): string {
  return `kubectl-telemetry-metrics-${gateway}`
}
