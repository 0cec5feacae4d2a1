/** Turns answers of the API server and network failures into one clear error. */
import { X509Certificate } from 'node:crypto'
import { UserError } from '../errors.ts'
import { sh } from '../shell.ts'
import { cut, withoutSecrets } from '../text.ts'
import type { PodAnswer } from './cluster.ts'

/** The fields of a `Status` (meta/v1) with the reason of a failure. */
export interface Status {
  code: number
  reason?: string
  message?: string
  details?: { causes?: { reason?: string; message?: string; field?: string }[] }
}

/** Client and server, for messages. */
export interface Peer {
  server: string
  context: string
  /** PEM, when the user authenticates with one. */
  clientCertificate?: string | undefined
}

/** The error for a failed request that the API server has answered. */
export function statusError(status: Status, what: string, peer: Peer): UserError {
  const said = status.message ?? `HTTP ${status.code}`
  switch (status.code) {
    case 401:
      return new UserError(
        'UNAUTHENTICATED',
        `the API server at ${peer.server} does not accept the credentials of context "${peer.context}"${expiry(peer)}`,
        {
          suggestions: ['kubectl auth whoami', 'log in again, or choose another --context'],
        },
      )
    case 403:
      return new UserError('FORBIDDEN', `not allowed to ${what}: ${said}`, {
        suggestions: ['ask for the permissions in docs/rbac.md', 'kubectl auth can-i --list'],
      })
    case 410:
      return new UserError('LIST_EXPIRED', `cannot ${what}: the API server no longer has the rest of the list`)
    case 409:
      return conflict(status, what)
    case 404:
      return new UserError('NOT_FOUND', `cannot ${what}: ${said}`)
    case 400:
    case 422:
      // A manifest for one object, and another object has the name now.
      if (/ metadata\.uid: Invalid value: .*field is immutable/.test(said)) return conflict(status, what)
      return new UserError('REJECTED', `the API server rejects it (${what}): ${said}`)
    default:
      return new UserError('SERVER_FAILED', `the API server failed to ${what}: ${said}`, {
        suggestions: ['kubectl get --raw /readyz?verbose'],
      })
  }
}

/** The error for a request without an answer. @param write the action, if the server may have done it nevertheless */
export function networkError(error: unknown, peer: Peer, write?: string): UserError {
  const cause = rootCause(error)
  const why = isTimeout(cause) ? 'no answer in time' : cause.message
  return new UserError(
    'CLUSTER_UNREACHABLE',
    `the API server at ${peer.server} (context "${peer.context}") cannot be reached: ${why}${write === undefined ? '' : `; it is unknown whether it did this: ${write}`}`,
    {
      suggestions: [sh`kubectl cluster-info --context ${peer.context}`, '--context NAME', '--request-timeout 60s'],
      cause: error,
    },
  )
}

/** The error for missing credentials: an exec plugin failed, or a file does not exist. */
export function credentialsError(error: unknown, { context }: Peer): UserError {
  const why =
    withoutSecrets(cut(credentialsFault(error), LONGEST_FAULT)) || 'the credential plugin failed without a message'
  return new UserError('CREDENTIALS_FAILED', `cannot get the credentials of context "${context}": ${why}`, {
    suggestions: ['kubectl auth whoami   # uses the same credentials', '--context NAME'],
    cause: error,
  })
}

/** How much of a credential plugin's complaint is shown. */
const LONGEST_FAULT = 1_000

/** Parsers quote what they read, and a credential plugin prints tokens. */
function credentialsFault(error: unknown): string {
  return rootCause(error).message
}

/** How much of an unexpected answer is shown. */
const SHOWN = 120

/**
 * The error for a successful answer that is not what Kubernetes answers: not JSON, or without fields that are always there.
 * @param request `GET /apis/networking.istio.io`
 * @param text the answer, which is untrusted input
 */
export function unexpectedAnswer(request: string, text: string, { server }: Peer): UserError {
  const start = text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text
  // A broken answer about Secrets may contain their values.
  const shown = /\/secrets\b/.test(request) ? 'not shown, since it is about Secrets' : JSON.stringify(start)
  return new UserError(
    'ANSWER_UNEXPECTED',
    `the API server at ${server} answered ${request} with something that Kubernetes does not answer: ${shown}`,
    {
      suggestions: [
        'kubectl get apiservices   # False under AVAILABLE: an aggregated API is broken',
        'is there a proxy or a login page between this machine and the API server?',
        'if neither is so, report it with this message: it is a bug of the API server or of kubectl telemetry',
      ],
    },
  )
}

/** The text with which the API server's proxy reports that it got no answer from the pod. */
const UNREACHED = /^error trying to reach service: ?/

/** The pod's answer, or why there was none. An answer of the API server itself (no permission, no such pod) is an error. */
export async function podAnswer(
  body: string,
  code: number,
  explain: (status: Status) => Promise<UserError>,
): Promise<PodAnswer> {
  const status = code < 400 ? undefined : parseStatus(body, code)
  const message = status?.message ?? ''
  if (UNREACHED.test(message)) return { failed: message.replace(UNREACHED, '').trim() }
  if (status !== undefined && (status as { kind?: string }).kind === 'Status' && code !== 503)
    throw await explain(status)
  return { status: code, body }
}

/** An answer or its next part did not come in time. */
export class AnswerTimeout extends Error {
  readonly code = 'ANSWER_TIMEOUT'
}

export function isTimeout(error: unknown): boolean {
  const { code } = error as { code?: unknown }
  return ['ANSWER_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT'].includes(String(code))
}

function conflict(status: Status, what: string): UserError {
  const owners = (status.details?.causes ?? []).filter(({ reason }) => reason === 'FieldManagerConflict')
  if (owners.length === 0)
    return new UserError('CONFLICT', `cannot ${what}: ${status.message ?? 'it was changed in the meantime'}`, {
      suggestions: ['run the command again'],
    })
  const list = owners.map(({ field, message }) => `${field} (${message})`).join('; ')
  return new UserError('FIELD_CONFLICT', `cannot ${what}: other field managers own ${list}; nothing was overwritten`, {
    suggestions: ['undo the other change of these fields, and run the command again'],
  })
}

function expiry({ clientCertificate }: Peer): string {
  try {
    if (clientCertificate === undefined) return ''
    const { validToDate } = new X509Certificate(clientCertificate)
    return validToDate.getTime() < Date.now()
      ? `: its client certificate expired on ${validToDate.toISOString().slice(0, 10)}`
      : ''
  } catch {
    return ''
  }
}

/** Finds the cause inside of the errors of undici and Node; of several attempts (IPv4, IPv6) the first one. */
function rootCause(error: unknown): { code?: string; message: string } {
  let cause = error as { code?: string; message: string; cause?: unknown; errors?: unknown[] }
  while (cause.cause instanceof Error || cause.errors?.[0] instanceof Error)
    cause = (cause.cause ?? cause.errors?.[0]) as typeof cause
  return cause
}

/** Reads the Status of an answer, or makes one from any other text. */
export function parseStatus(text: string, code: number): Status {
  try {
    return { ...(JSON.parse(text) as Status), code }
  } catch {
    return { code, message: text.slice(0, 200).trim() || `HTTP ${code}` }
  }
}

/** Retry-After. @param header seconds; the API server sends no dates */
export function millisecondsOf(header = ''): number {
  const seconds = Number(header)
  return Number.isFinite(seconds) ? Math.max(0, seconds * 1_000) : 0
}

/** A status that says how long the server wants to be left alone. */
export function withPause(status: Status, milliseconds: number): Status {
  const seconds = Math.round(milliseconds / 1_000)
  return { ...status, message: `${status.message ?? `HTTP ${status.code}`} (try again in ${seconds} s)` }
}
