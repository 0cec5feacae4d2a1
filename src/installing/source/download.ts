/** Fetches a file: size, time and redirects are bounded. */
import { UserError } from '../../errors.ts'
import type { Clock } from '../../time/clock.ts'
import { isLoopback } from './origin.ts'

/** Bytes of one file. Grafana's sample, the longest, has 240 KB. */
export const LARGEST = 2 * 1024 * 1024
/** Milliseconds for one file, with its redirects. */
const LONGEST = 30_000
const MOST_REDIRECTS = 5

/** An answer to one request. Redirects are not followed. */
export interface WebAnswer {
  status: number
  /** The header Location of a redirect. */
  location?: string
  /** The header Content-Type. */
  type?: string
  /** At most one byte more than the limit. */
  body: Uint8Array
}

export interface Web {
  /**
   * @param limits `largest` in bytes, `longest` in milliseconds until the end of the body
   * @throws Error whose message or code says why there is no whole answer
   */
  get(url: URL, limits: { largest: number; longest: number }): Promise<WebAnswer>
}

/**
 * @returns the body of the answer 200, and its type
 * @throws UserError SAMPLE_NOT_FETCHED
 */
export async function download(start: URL, web: Web, clock: Clock): Promise<Pick<WebAnswer, 'body' | 'type'>> {
  const began = clock.now().getTime()
  const visited = new Set<string>()
  for (let url = start; ; ) {
    visited.add(url.href)
    const longest = LONGEST - (clock.now().getTime() - began)
    if (longest <= 0) throw notFetched(start, `it was redirected for more than ${LONGEST / 1000} s`)
    const answer = await asked(web.get(url, { largest: LARGEST, longest }), start)
    if (answer.location === undefined) return whole(answer, url, start)
    url = nextOf(url, answer.location, start)
    if (visited.has(url.href)) throw notFetched(start, `it is redirected in a circle, to ${addressOf(url)}`)
    if (visited.size > MOST_REDIRECTS) throw notFetched(start, `it is redirected more than ${MOST_REDIRECTS} times`)
  }
}

function whole({ status, type, body }: WebAnswer, url: URL, start: URL): Pick<WebAnswer, 'body' | 'type'> {
  if (status !== 200) throw notFetched(start, `${url === start ? 'it' : addressOf(url)} answers ${status}`)
  if (body.length > LARGEST) throw notFetched(start, `it has more than ${LARGEST / 1024 / 1024} MiB`)
  return { body, ...(type === undefined ? {} : { type }) }
}

/** A redirect must not lead from a server elsewhere to one of this machine, nor out of TLS. */
function nextOf(url: URL, location: string, start: URL): URL {
  const next = URL.parse(location, url.href)
  if (next === null) throw notFetched(start, 'it is redirected to something that is not a URL')
  const stays =
    next.protocol === 'https:' || (next.protocol === 'http:' && url.protocol === 'http:' && isLoopback(next))
  const isPlain = next.username === '' && next.password === ''
  if (!stays || !isPlain || (isLoopback(next) && !isLoopback(url)))
    throw notFetched(start, `it is redirected to ${addressOf(next)}, which is not followed`)
  return next
}

async function asked(answer: Promise<WebAnswer>, start: URL): Promise<WebAnswer> {
  try {
    return await answer
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw notFetched(start, code === undefined || message.includes(code) ? message : `${message} (${code})`, error)
  }
}

function notFetched(start: URL, why: string, cause?: unknown): UserError {
  const from = addressOf(start)
  return new UserError('SAMPLE_NOT_FETCHED', `${from} was not fetched: ${why}`, {
    suggestions: ['download it, and give --from the file or its folder'],
    cause,
  })
}

/** Without the query, which may have a token. */
export function addressOf({ protocol, host, pathname }: URL): string {
  return `${protocol}//${host}${pathname}`
}
