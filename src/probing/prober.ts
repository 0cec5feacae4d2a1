/** Fetching a page as a client outside would, hop by hop. */

/** The way of a request, in order. `dns` is reported on its own, since the probe connects to the address itself. */
export type Hop = 'tcp' | 'tls' | 'route' | 'upstream'

export interface ProbeTarget {
  /** Goes into SNI and the Host header. */
  host: string
  address: string
  port: number
  path: string
  /** PEM: the only authority that is trusted. Left out: HTTP without TLS. */
  authorityCertificate: string | undefined
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

export interface Prober {
  /** One request over a fresh connection; never throws. */
  probe(target: ProbeTarget): Promise<Probe>
  /** The addresses that this machine's resolver gives for a host; empty when it has none or does not answer in time. */
  resolve(host: string): Promise<string[]>
}
