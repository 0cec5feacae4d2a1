import type { KubeObject } from '../cluster/cluster.ts'
import { ownedLabels } from '../cluster/ownership.ts'
import { SECRETS, typeOf } from '../cluster/resources.ts'
import { TLS_SECRET_NAME } from './names.ts'

export interface TlsSecretRequest {
  /** The namespace of the ingress gateway's pods; Envoy is given Secrets of its own namespace only. */
  namespace: string
  /** PEM: the leaf, its key, and the authority's certificate (never the authority's key). */
  certificate: string
  key: string
  authorityCertificate: string
  /** Whose machine signed it, and so has the authority's key: `me@laptop`. */
  signedOn?: string | undefined
}

/** The annotation by which another machine knows where to ask for the authority. */
const SIGNED_ON = 'kubectl-telemetry/signed-on'

export function signedOn({ metadata }: KubeObject): string | undefined {
  return metadata.annotations?.[SIGNED_ON]
}

/** https://istio.io/latest/docs/tasks/traffic-management/ingress/secure-ingress/#key-formats */
export function tlsSecret({ namespace, certificate, key, authorityCertificate, ...by }: TlsSecretRequest): KubeObject {
  const base64 = (pem: string) => Buffer.from(pem).toString('base64')
  const annotations = by.signedOn === undefined ? {} : { annotations: { [SIGNED_ON]: by.signedOn } }
  return {
    ...typeOf(SECRETS),
    metadata: { name: TLS_SECRET_NAME, namespace, labels: ownedLabels(), ...annotations },
    type: 'kubernetes.io/tls',
    data: { 'tls.crt': base64(certificate), 'tls.key': base64(key), 'ca.crt': base64(authorityCertificate) },
  }
}
