import type { KubeObject } from '../cluster/cluster.ts'
import { ownedLabels } from '../cluster/ownership.ts'
import { CERT_MANAGER, CERTIFICATES, typeOf } from '../cluster/resources.ts'
import { CERTIFICATE_NAME, ISSUED_SECRET_NAME } from './names.ts'

/** Who signs: an Issuer beside the gateway, or a ClusterIssuer. */
export interface IssuerRef {
  kind: 'Issuer' | 'ClusterIssuer'
  name: string
}

/**
 * What cert-manager makes a TLS Secret of, and keeps it in date. The Secret carries our label, since cert-manager leaves it behind.
 * https://cert-manager.io/docs/reference/api-docs/#cert-manager.io/v1.CertificateSpec
 */
export function certificate(namespace: string, hosts: string[], { kind, name }: IssuerRef): KubeObject {
  return {
    ...typeOf(CERTIFICATES),
    metadata: { name: CERTIFICATE_NAME, namespace, labels: ownedLabels() },
    spec: {
      secretName: ISSUED_SECRET_NAME,
      secretTemplate: { labels: ownedLabels() },
      dnsNames: hosts,
      issuerRef: { group: CERT_MANAGER, kind, name },
      privateKey: { algorithm: 'RSA', size: 2048, rotationPolicy: 'Always' },
      usages: ['digital signature', 'key encipherment', 'server auth'],
    },
  }
}
