import type { KubeObject } from '../cluster/cluster.ts'
import { EXPOSING, ownedLabels } from '../cluster/ownership.ts'
import { CERT_MANAGER, CERTIFICATES, typeOf } from '../cluster/resources.ts'
import { CERTIFICATE_NAME, ISSUED_SECRET_NAME } from './names.ts'

/** The issuer: an Issuer in the gateway's namespace, or a ClusterIssuer. */
export interface IssuerRef {
  kind: 'Issuer' | 'ClusterIssuer'
  name: string
}

/**
 * cert-manager makes and renews a TLS Secret from this. The Secret gets our label, because cert-manager does not delete it.
 * https://cert-manager.io/docs/reference/api-docs/#cert-manager.io/v1.CertificateSpec
 */
export function certificate(namespace: string, hosts: readonly string[], { kind, name }: IssuerRef): KubeObject {
  return {
    ...typeOf(CERTIFICATES),
    metadata: { name: CERTIFICATE_NAME, namespace, labels: ownedLabels(EXPOSING) },
    spec: {
      secretName: ISSUED_SECRET_NAME,
      secretTemplate: { labels: ownedLabels(EXPOSING) },
      dnsNames: hosts,
      issuerRef: { group: CERT_MANAGER, kind, name },
      privateKey: { algorithm: 'RSA', size: 2048, rotationPolicy: 'Always' },
      usages: ['digital signature', 'key encipherment', 'server auth'],
    },
  }
}
