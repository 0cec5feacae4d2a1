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
}

/** https://istio.io/latest/docs/tasks/traffic-management/ingress/secure-ingress/#key-formats */
export function tlsSecret({ namespace, certificate, key, authorityCertificate }: TlsSecretRequest): KubeObject {
  const base64 = (pem: string) => Buffer.from(pem).toString('base64')
  return {
    ...typeOf(SECRETS),
    metadata: { name: TLS_SECRET_NAME, namespace, labels: ownedLabels() },
    type: 'kubernetes.io/tls',
    data: { 'tls.crt': base64(certificate), 'tls.key': base64(key), 'ca.crt': base64(authorityCertificate) },
  }
}
