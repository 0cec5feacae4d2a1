/** Sends requests for samples to web servers. */
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import type { Web, WebAnswer } from './download.ts'
import { isLoopback } from './origin.ts'

export class WebFiles implements Web {
  readonly #environment: NodeJS.ProcessEnv

  /** @param environment names proxies: HTTPS_PROXY, NO_PROXY */
  constructor(environment: NodeJS.ProcessEnv) {
    this.#environment = environment
  }

  async get(url: URL, { largest, longest }: { largest: number; longest: number }): Promise<WebAnswer> {
    const signal = AbortSignal.timeout(longest)
    try {
      const response = await ask(url, signal, this.#environment)
      const { statusCode: status = 0, headers } = response
      const { location, 'content-type': type } = headers
      const known = { status, ...(type === undefined ? {} : { type }) }
      if (status < 300 || status > 399 || location === undefined)
        return { ...known, body: await bodyOf(response, largest) }
      response.destroy()
      return { ...known, location, body: new Uint8Array() }
    } catch (error) {
      throw signal.aborted ? new Error(`there was no whole answer within ${Math.ceil(longest / 1000)} s`) : error
    }
  }
}

function ask(url: URL, signal: AbortSignal, environment: NodeJS.ProcessEnv): Promise<IncomingMessage> {
  const isTls = url.protocol === 'https:'
  // Node before 24.5 (22.21) does not know proxyEnv, and connects directly.
  const proxyEnv = isLoopback(url) ? {} : environment
  // A compressed body could be of any size.
  const headers = { accept: 'application/yaml, text/plain, */*', 'accept-encoding': 'identity' }
  const agent = isTls ? new HttpsAgent({ proxyEnv }) : new HttpAgent({ proxyEnv })
  return new Promise((resolve, reject) => {
    const send = isTls ? httpsRequest : httpRequest
    // Else Node would ask NODE_TLS_REJECT_UNAUTHORIZED.
    const request = send(url, { agent, headers, signal, ...(isTls ? { rejectUnauthorized: true } : {}) }, resolve)
    request.once('error', reject).end()
  })
}

/** At most one byte more than the limit, which shows that there are more. Leaving the loop ends the connection. */
async function bodyOf(response: IncomingMessage, largest: number): Promise<Uint8Array> {
  const parts: Buffer[] = []
  let length = 0
  for await (const part of response as AsyncIterable<Buffer>) {
    parts.push(part)
    length += part.length
    if (length > largest) break
  }
  return Buffer.concat(parts).subarray(0, largest + 1)
}
