/** Pure: recognizes the answer of a server, or of Envoy before it, when one side of a connection speaks TLS and the other does not. */

/**
 * Between the gateway and the add-on. `tls wanted`: the add-on answers plain HTTP by saying that it speaks HTTPS. `no http`: Envoy could not
 * read the answer, or there was none: an alert of TLS is one. `no tls`, `not trusted`: the gateway spoke TLS, and the add-on did not, or its
 * certificate was refused; only some versions of Envoy tell these two (1.40 does not).
 */
export type WrongProtocol = 'tls wanted' | 'no http' | 'no tls' | 'not trusted'

/** Programs in Go, nginx, Apache, Tomcat: their answers to plain HTTP. */
const WANTED =
  /HTTP request to an HTTPS server|plain HTTP request was sent to HTTPS port|speaking plain HTTP to an SSL-enabled server port|combination of host and port requires TLS/i

/** Whether a server answers plain HTTP by saying that it speaks HTTPS. */
export function wantsTls(status: number, body: string): boolean {
  return status === 400 && WANTED.test(body)
}

/** https://github.com/envoyproxy/envoy/blob/main/source/common/http/utility.cc (resetReasonToString), and the errors of BoringSSL */
const RESETS: [RegExp, WrongProtocol][] = [
  [/CERTIFICATE_VERIFY_FAILED/, 'not trusted'],
  [/WRONG_VERSION_NUMBER/, 'no tls'],
  [/reset reason: (protocol error|connection termination)/, 'no http'],
]

/** Statuses of answers that may say it. */
export const TELLING: readonly number[] = [400, 502, 503]

/** @param body its beginning */
export function wrongProtocolIn(status: number, body: string): WrongProtocol | undefined {
  if (wantsTls(status, body)) return 'tls wanted'
  if (status < 500 || !body.startsWith('upstream connect error')) return undefined
  return RESETS.find(([pattern]) => pattern.test(body))?.[1]
}
