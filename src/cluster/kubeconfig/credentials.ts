/** Credentials, and what is needed to obtain them. Pure. */

export interface Credentials {
  /** The value of the header. */
  authorization?: string
  /** In PEM. */
  certificate?: string
  key?: string
  /** Milliseconds since 1970. */
  expires?: number
  /** Whether a program gave them, which may have kept them for longer than they are valid. */
  ofPlugin?: boolean
}

export interface Obtaining {
  environment: NodeJS.ProcessEnv
  ask: AskIssuer
}

/** One request to an identity provider. */
export type AskIssuer = (asked: {
  url: string
  /** In PEM; undefined for this machine's store. */
  authority: Buffer | undefined
  /** A form; then it is a POST. */
  body?: string
  authorization?: string
}) => Promise<{ status: number; body: string }>
