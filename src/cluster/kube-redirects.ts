/** Redirects: to another path of the same server they are followed, as kubectl does. */
import { UserError } from '../errors.ts'
import type { Transport } from './kube-transport.ts'

type Sent = Parameters<Transport['request']>[0]
type Response = Awaited<ReturnType<Transport['request']>>

/** As in Go's http.Client. */
const MOST = 10
/** All that Go follows; for requests with a body only those that keep the method. */
const OF_READS = [301, 302, 303, 307, 308]
const OF_WRITES = [307, 308]

/**
 * @param who answers, for the error
 * @throws UserError REDIRECTED for another server: kubectl would send it the credentials, even without TLS
 */
export async function followed(transport: Transport, sent: Sent, who = 'the API server'): Promise<Response> {
  let { path } = sent
  for (let hop = 0; ; hop++) {
    const response = await transport.request({ ...sent, path })
    const target = targetOf(response, sent, path)
    if (target === undefined) return response
    if (target.origin !== sent.origin) throw redirected(`${who} at ${sent.origin}`, target)
    if (hop === MOST) return response
    await response.body.text()
    path = target.pathname + target.search
  }
}

function targetOf({ statusCode, headers }: Response, { method, origin }: Sent, path: string): URL | undefined {
  const { location } = headers
  const isFollowed = (method === 'GET' ? OF_READS : OF_WRITES).includes(statusCode)
  if (!isFollowed || !location || !URL.canParse(location, origin + path)) return undefined
  return new URL(location, origin + path)
}

function redirected(who: string, target: URL): UserError {
  // Without what may be a password.
  const named = target.origin === 'null' ? target.protocol : target.origin
  return new UserError(
    'REDIRECTED',
    `${who} redirects to ${named}; credentials are only sent to the server that the kubeconfig names`,
    {
      suggestions: [
        '--server URL   # if the other URL is that of the same API server',
        'is there a proxy or a login page between this machine and the server?',
      ],
    },
  )
}
