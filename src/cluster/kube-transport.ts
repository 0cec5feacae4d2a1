/** Interface to HTTP clients: undici's dispatchers and our HTTP/1.1 client implement it. And how their answers are read. */
import type { IncomingHttpHeaders } from 'node:http'
import type { Duplex, Readable } from 'node:stream'

export interface TransportRequest {
  method: 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'PUT' | 'DELETE'
  /** `https://192.0.2.1:6443` */
  origin: string
  path: string
  headers: Record<string, string | string[]>
}

export interface TransportTimeouts {
  /** Milliseconds until the answer begins. */
  headersTimeout: number
  /** Milliseconds between two parts of the answer. */
  bodyTimeout: number
}

/** The server has switched to another protocol. */
export interface Switched {
  socket: Duplex
  headers: IncomingHttpHeaders
}

export interface Transport {
  request(
    sent: TransportRequest & TransportTimeouts & { body?: string | null; signal?: AbortSignal },
  ): Promise<{ statusCode: number; headers: IncomingHttpHeaders; body: Readable & { text(): Promise<string> } }>
  /** @throws Error "bad upgrade" when the server answers but does not switch */
  upgrade(sent: TransportRequest & { protocol: string; signal: AbortSignal }): Promise<Switched>
  /** Takes no more requests; pending ones may end. */
  close(): Promise<void>
  /** Fails pending requests but not upgrades. If left out, `destroy` does that. */
  leave?(): Promise<void>
  destroy(): Promise<void>
}

/**
 * Reads complete lines; an incomplete last line is dropped. Not node:readline, where an aborted read is an error that cannot be caught.
 */
export async function* linesOf(body: Readable): AsyncIterable<string> {
  let rest = ''
  for await (const text of body.setEncoding('utf8')) {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
}

/** The most bytes of a pod's answer. All targets of a large Prometheus are some 20 MiB. */
const LONGEST_ANSWER = 64 * 1024 * 1024

/** Reads a text. @returns undefined if it is longer than `most` bytes */
export async function boundedText(body: Readable, most = LONGEST_ANSWER): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let size = 0
  // Leaving the loop ends the answer, which is an error for undici.
  body.on('error', () => {})
  for await (const chunk of body) {
    chunks.push(chunk as Buffer)
    size += (chunk as Buffer).length
    if (size > most) return undefined
  }
  return Buffer.concat(chunks).toString()
}
