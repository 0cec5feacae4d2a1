/** Interface for requests from the user's side, which report the hop that failed. */
import type { WrongProtocol } from './wrong-protocol.ts'

/**
 * The hops of a request, in order. `dns` resolves a gateway whose address is a host name; the page's own name is resolved separately.
 * `access`: the gateway itself requires a login (401) or denies access (403).
 */
export type Hop = 'dns' | 'tcp' | 'tls' | 'route' | 'access' | 'upstream'

export interface ProbeTarget {
  /** For SNI and the Host header. */
  host: string
  address: string
  port: number
  path: string
  /** PEM of the only trusted CA. Without it, and without `trustsMachine`, the request is HTTP without TLS. */
  authorityCertificate: string | undefined
  /** Whether that may be an intermediate or leaf certificate, because its root is unknown. */
  trustPartialChain?: boolean
  /** Trusts the CAs of this machine instead. */
  trustsMachine?: boolean
  /** The Authorization header. */
  authorization?: string | undefined
  /** More headers, with names in lower case. */
  headers?: Readonly<Record<string, string>>
  /** Name of a header of the answer that is reported. */
  header?: string | undefined
}

export interface Probe {
  ok: boolean
  /** The hop that failed, or the last one. */
  hop: Hop
  /** HTTP status, if there was an answer. */
  status?: number
  /** The value of the header that was asked for. */
  header?: string
  /** What the answer says about the connection between gateway and add-on. */
  wrongProtocol?: WrongProtocol
  /** HTTP version of the answer. */
  protocol?: string
  milliseconds: number
  /** Why the request failed. */
  message?: string
}

/** The answer of this machine's resolver for a name. */
export interface Resolution {
  /** Empty if there are none. */
  addresses: string[]
  /** Why there are none: the name does not exist, or the resolver did not answer. */
  failure?: 'no-such-name' | 'no-dns'
}

/** The certificate that a TLS server presents for a host. */
export interface ServedCertificate {
  /** SHA-256 of the leaf, in hexadecimal with colons; left out if the handshake failed. */
  fingerprint?: string
  /** Why the handshake failed. */
  message?: string
}

export interface Prober {
  /** Sends one request over a new connection; never throws. */
  probe(target: ProbeTarget): Promise<Probe>
  /** Reads the served certificate, trusted or not; never throws. */
  servedCertificate(target: Pick<ProbeTarget, 'host' | 'address' | 'port'>): Promise<ServedCertificate>
  /** Resolves names with this machine's resolver, within two seconds; never throws. */
  resolve(hosts: string[]): Promise<Resolution[]>
}
