/** What carries requests to an API server: undici's dispatchers do, and Node's own HTTP. */
import type { IncomingHttpHeaders } from 'node:http'
import type { Duplex, Readable } from 'node:stream'

export interface TransportRequest {
  method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE'
  /** `https://192.0.2.1:6443` */
  origin: string
  path: string
  headers: Record<string, string | string[]>
}

export interface TransportTimeouts {
  /** Milliseconds until the answer begins, */
  headersTimeout: number
  /** and between two parts of it. */
  bodyTimeout: number
}

export interface Transport {
  request(
    sent: TransportRequest & TransportTimeouts & { body?: string | null; signal?: AbortSignal },
  ): Promise<{ statusCode: number; headers: IncomingHttpHeaders; body: Readable & { text(): Promise<string> } }>
  /** @throws Error "bad upgrade" when the server answers but does not switch */
  upgrade(sent: TransportRequest & { protocol: string; signal: AbortSignal }): Promise<{ socket: Duplex }>
  /** Takes no more requests; what is under way may end. */
  close(): Promise<void>
  /** Fails what is under way, but for upgrades. Left out: `destroy` does that. */
  leave?(): Promise<void>
  destroy(): Promise<void>
}
