/** Interface for many requests to one host, over connections that stay open. */

export interface SendTarget {
  /** For SNI, and the Host header. */
  host: string
  /** Where the connections go, whatever DNS says about the host. */
  address: string
  port: number
  /** HTTPS; otherwise HTTP. */
  secure: boolean
  /** For HTTPS. */
  trust: SendTrust
  method: 'GET' | 'HEAD'
  userAgent: string
  /** The most connections, each with one request at a time. */
  connections: number
}

/** Whom an HTTPS connection trusts. */
export interface SendTrust {
  /** PEM, one certificate each: CAs, or the served certificate itself. */
  certificates: readonly string[]
  /** Whether the CAs of this machine are trusted, too. */
  publicToo: boolean
}

/** The status of a complete answer, or a code that says why there was none. */
export type Sent = { status: number } | { failed: string }

export interface Sender {
  /** Never throws for what the other side does. @throws UserError when the way to it fails, as the API server's refusal */
  send(path: string): Promise<Sent>
  /** Ends all connections: pending requests fail. */
  close(): Promise<void>
}

export type OpenSender = (target: SendTarget) => Sender
