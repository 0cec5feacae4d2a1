/** The certificates of a proxy, as Envoy's admin port shows them. The answer is that of a pod, and untrusted. Pure. */
import { certificatesIn, MOST_CERTIFICATES } from '../certificates/facts.ts'
import { jsonOf, listOf, mapOf, textOf } from '../shapes.ts'

/** Envoy's admin port, which listens only inside the pod. */
export const ADMIN = 15_000
/** Only the Secrets: the whole configuration of a proxy may have 10 MB. */
export const SECRETS_PATH = '/config_dump?resource=dynamic_active_secrets'

export interface ProxySecrets {
  /** PEM of the roots that it trusts; empty if the answer has none. */
  readonly roots: readonly string[]
  /** PEM, the proxy's own certificate first; empty before it has one. */
  readonly chain: readonly string[]
}

/** https://www.envoyproxy.io/docs/envoy/latest/api-v3/admin/v3/config_dump_shared.proto#admin-v3-secretsconfigdump */
export function secretsIn(dump: string): ProxySecrets {
  const secrets = listOf(mapOf(jsonOf(dump)).configs).map(mapOf)
  const named = (wanted: string) => mapOf(secrets.find(({ name }) => name === wanted)?.secret)
  return {
    roots: bytesIn(mapOf(named('ROOTCA').validation_context).trusted_ca),
    chain: bytesIn(mapOf(named('default').tls_certificate).certificate_chain),
  }
}

function bytesIn(source: unknown): string[] {
  const { inline_bytes: bytes, inline_string: text } = mapOf(source)
  const pem = textOf(text) ?? Buffer.from(textOf(bytes) ?? '', 'base64').toString('utf8')
  return certificatesIn(pem).slice(0, MOST_CERTIFICATES)
}
