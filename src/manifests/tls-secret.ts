import type { KubeObject } from '../cluster/cluster.ts'
import type { Secret } from '../cluster/objects.ts'
import { EXPOSING, ownedLabels } from '../cluster/ownership.ts'
import { SECRETS, typeOf } from '../cluster/resources.ts'
import { TLS_SECRET_NAME } from './names.ts'

export interface TlsSecretRequest {
  /** The namespace of the ingress gateway's pods; a gateway can only use Secrets from its own namespace. */
  namespace: string
  /** PEM: the leaf, its key, and the CA certificate (never the CA's key). */
  certificate: string
  key: string
  authorityCertificate: string
  /** The machine that signed it and has the CA's key: `me@laptop`. */
  signedOn?: string | undefined
}

/** Annotation with the machine that has the CA's key. */
const SIGNED_ON = 'kubectl-telemetry/signed-on'

export function signedOn({ metadata }: KubeObject): string | undefined {
  return metadata.annotations?.[SIGNED_ON]
}

/** @returns the decoded text of one key; '' without it */
export function secretText(secret: Pick<Secret, 'data'> | undefined, key: string): string {
  return Buffer.from(secret?.data?.[key] ?? '', 'base64').toString()
}

/** What a question says about the Secret: whoever reads it can serve these hosts. */
export function keyFor(hosts: readonly string[]): string {
  return `with the key for ${hosts.join(', ')}`
}

/** https://istio.io/latest/docs/tasks/traffic-management/ingress/secure-ingress/#key-formats */
export function tlsSecret({ namespace, certificate, key, authorityCertificate, ...by }: TlsSecretRequest): KubeObject {
  const base64 = (pem: string) => Buffer.from(pem).toString('base64')
  const annotations = by.signedOn === undefined ? {} : { annotations: { [SIGNED_ON]: by.signedOn } }
  return {
    ...typeOf(SECRETS),
    metadata: { name: TLS_SECRET_NAME, namespace, labels: ownedLabels(EXPOSING), ...annotations },
    type: 'kubernetes.io/tls',
    data: { 'tls.crt': base64(certificate), 'tls.key': base64(key), 'ca.crt': base64(authorityCertificate) },
  }
}
