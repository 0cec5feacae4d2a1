/** Fetching a page as a client outside would, hop by hop. */

/**
 * The way of a request, in order. `dns` is a hop for a gateway whose address is a host name; a page's own name is resolved apart.
 * `access`: the gateway itself asks for a login (401) or keeps us out (403).
 */
export type Hop = 'dns' | 'tcp' | 'tls' | 'route' | 'access' | 'upstream'

export interface ProbeTarget {
  /** Goes into SNI and the Host header. */
  host: string
  address: string
  port: number
  path: string
  /** PEM: the only authority that is trusted. Left out: HTTP without TLS. */
  authorityCertificate: string | undefined
  /** Whether that may be a certificate below its root, which nobody has here. */
  trustPartialChain?: boolean
  /** Goes into the Authorization header. */
  authorization?: string | undefined
}

export interface Probe {
  ok: boolean
  /** The last hop that was reached: where it failed, or `upstream` when all is well. */
  hop: Hop
  /** HTTP status, when there was one. */
  status?: number
  /** HTTP version that was spoken. */
  protocol?: string
  milliseconds: number
  /** What went wrong, in words. */
  message?: string
}

/** What this machine's resolver says of a name. */
export interface Resolution {
  /** Empty when it has none. */
  addresses: string[]
  /** Why there are none: it answered that there is no such name, or it did not answer. */
  failure?: 'no-such-name' | 'no-dns'
}

/** What a TLS server shows to whoever asks for a host. */
export interface ServedCertificate {
  /** SHA-256 of the leaf, in hexadecimal with colons; left out when there was no handshake. */
  fingerprint?: string
  /** Why there was none, in words. */
  message?: string
}

export interface Prober {
  /** One request over a fresh connection; never throws. */
  probe(target: ProbeTarget): Promise<Probe>
  /** The certificate that is served, trusted or not; never throws. */
  servedCertificate(target: Pick<ProbeTarget, 'host' | 'address' | 'port'>): Promise<ServedCertificate>
  /** What this machine's resolver says of each of these names, within two seconds; never throws. */
  resolve(hosts: string[]): Promise<Resolution[]>
}
