/**
 * Pure: paths below an exposed host that never lead to the add-on, by which a guard is proven at any time and from any address. The
 * route answers them itself, with a header that nothing else sends; an answer without it came from a guard.
 */
import { createHash } from 'node:crypto'

/** The header in each answer of our own routes. */
export const MARKER = 'x-kubectl-telemetry'

/** Its values: of a closed route, and of an open one at the paths below. */
export const CLOSED = 'closed'
export const OPEN = 'open'

/** Below it no request leads to the add-on. */
export const PROBES = '/.well-known/kubectl-telemetry/'

/** No allow list and no external authorizer applies here: strangers get what the login answers, or the marker. */
export const LOGIN_PROBE = `${PROBES}login`

/** Below it are the paths that an allow list denies for everybody. */
export const LIST_PROBES = `${PROBES}list/`

/** Denied for everybody by the policy with exactly this content. */
export function listProbe(content: unknown): string {
  return LIST_PROBES + digestOf(content)
}

export function isListProbe(path: string): boolean {
  return path.startsWith(LIST_PROBES)
}

export function digestOf(content: unknown): string {
  return createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 12)
}
