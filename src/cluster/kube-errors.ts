/** Turns what the API server or the network says into one clear error. */
import { X509Certificate } from 'node:crypto'
import { UserError } from '../errors.ts'
import type { PodAnswer } from './cluster.ts'

/** The fields of a `Status` (meta/v1) that tell why a request failed. */
export interface Status {
  code: number
  reason?: string
  message?: string
  details?: { causes?: { reason?: string; message?: string; field?: string }[] }
}

/** Who asks whom: for messages. */
export interface Peer {
  server: string
  context: string
  /** PEM, when the user authenticates with one. */
  clientCertificate?: string | undefined
}

/** The error for an answer of the API server that is no success. */
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
        suggestions: ['ask for the rights in docs/rbac.md', 'kubectl auth can-i --list'],
      })
    case 409:
      return conflict(status, what)
    case 404:
      return new UserError('NOT_FOUND', `cannot ${what}: ${said}`)
    case 400:
    case 422:
      return new UserError('REJECTED', `the API server rejects it (${what}): ${said}`)
    default:
      return new UserError('SERVER_FAILED', `the API server failed to ${what}: ${said}`, {
        suggestions: ['kubectl get --raw /readyz?verbose'],
      })
  }
}

/** The error for a request that got no answer. @param write what was to be changed, when the server may have done it all the same */
export function networkError(error: unknown, peer: Peer, write?: string): UserError {
  const cause = rootCause(error)
  const why = isTimeout(cause) ? 'no answer in time' : cause.message
  return new UserError(
    'CLUSTER_UNREACHABLE',
    `the API server at ${peer.server} (context "${peer.context}") cannot be reached: ${why}${write === undefined ? '' : `; whether it did this is not known: ${write}`}`,
    {
      suggestions: ['kubectl cluster-info', '--context NAME', '--request-timeout 60s'],
      cause: error,
    },
  )
}

/** The error for credentials that could not be had: an exec plugin that fails, a file that is not there. */
export function credentialsError(error: unknown, { context }: Peer): UserError {
  const why = rootCause(error).message || 'the credential plugin failed without a word'
  return new UserError('CREDENTIALS_FAILED', `cannot get the credentials of context "${context}": ${why}`, {
    suggestions: ['kubectl auth whoami   # says the same, or what is wrong', '--context NAME'],
    cause: error,
  })
}

/** The error for an answer that is no JSON: something else listens there. */
export function notKubernetes({ server }: Peer): UserError {
  return new UserError(
    'SERVER_FAILED',
    `what answers at ${server} is no Kubernetes API server (its answer is not JSON)`,
    {
      suggestions: ['kubectl cluster-info', 'is there a proxy or a login page in between?'],
    },
  )
}

/** In the words of the API server's proxy: it was not the pod that answered. */
const UNREACHED = /^error trying to reach service: ?/

/** What a pod answered, or why none was had; an answer of the API server itself (the right is missing, no such pod) is an error. */
export async function passedOn(
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

/** An answer, or the next part of it, did not come in time. */
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
    return new UserError('CONFLICT', `cannot ${what}: ${status.message ?? 'it has changed meanwhile'}`, {
      suggestions: ['run the command again'],
    })
  const list = owners.map(({ field, message }) => `${field} (${message})`).join('; ')
  return new UserError('FIELD_CONFLICT', `cannot ${what}: others own ${list}; nothing was overwritten`, {
    suggestions: ['undo the change of that field, or run kubectl telemetry cleanup and expose again'],
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

/** Network errors of undici and Node wrap the one that says something; of several tries (IPv4, IPv6) the first is told. */
function rootCause(error: unknown): { code?: string; message: string } {
  let cause = error as { code?: string; message: string; cause?: unknown; errors?: unknown[] }
  while (cause.cause instanceof Error || cause.errors?.[0] instanceof Error)
    cause = (cause.cause ?? cause.errors?.[0]) as typeof cause
  return cause
}

/** An answer's Status, or what can be had of an answer that is none. */
export function parseStatus(text: string, code: number): Status {
  try {
    return { ...(JSON.parse(text) as Status), code }
  } catch {
    return { code, message: text.slice(0, 200).trim() || `HTTP ${code}` }
  }
}
