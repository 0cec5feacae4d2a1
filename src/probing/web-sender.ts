/**
 * Sends requests with HTTP/1.1 over connections that stay open, to one address. Not HTTP/2: its single connection leads to one pod of the
 * gateway, and `connections` would mean nothing.
 */
import { isIP, type Socket, connect as tcpConnect } from 'node:net'
import { rootCertificates, connect as tlsConnect } from 'node:tls'
import { Agent, type Dispatcher } from 'undici'
import type { Sender, SendTarget, Sent } from './sender.ts'

/** Milliseconds. */
const CONNECT_TIMEOUT = 5_000
const ANSWER_TIMEOUT = 15_000
/** The most bytes of an answer. */
const LONGEST_ANSWER = 16 * 1024 * 1024

/** What undici's codes mean to a user. */
const CODES: Record<string, string> = {
  UND_ERR_HEADERS_TIMEOUT: 'ANSWER_TIMEOUT',
  UND_ERR_BODY_TIMEOUT: 'ANSWER_TIMEOUT',
  UND_ERR_SOCKET: 'CONNECTION_CLOSED',
  UND_ERR_DESTROYED: 'ENDED',
  UND_ERR_ABORTED: 'ENDED',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'CONNECTION_CLOSED',
  UND_ERR_HEADERS_OVERFLOW: 'ANSWER_TOO_LONG',
}

/** What this side ends. */
class Broken extends Error {
  readonly code: string

  constructor(code: string) {
    super(code)
    this.code = code
  }
}

export class WebSender implements Sender {
  readonly #agent: Agent
  readonly #request: Omit<Dispatcher.DispatchOptions, 'path'>

  constructor(target: SendTarget) {
    const { host, port, secure, method, userAgent, connections } = target
    this.#agent = new Agent({
      connections,
      pipelining: 1,
      headersTimeout: ANSWER_TIMEOUT,
      bodyTimeout: ANSWER_TIMEOUT,
      allowH2: false,
      connect: (_, done) => connectTo(target, done),
    })
    const named = isIP(host) === 6 ? `[${host}]` : host
    const authority = port === (secure ? 443 : 80) ? named : `${named}:${port}`
    this.#request = {
      origin: `${secure ? 'https' : 'http'}://${authority}`,
      method,
      headers: { host: authority, 'user-agent': userAgent, accept: '*/*' },
    }
  }

  send(path: string): Promise<Sent> {
    return new Promise((resolve) => {
      let [status, size] = [0, 0]
      this.#agent.dispatch(
        { ...this.#request, path },
        {
          // Without it, undici takes the handler for one of its former interface.
          onRequestStart: () => {},
          onResponseStart: (_, code) => {
            status = code
          },
          onResponseData: (controller, { length }) => {
            size += length
            if (size > LONGEST_ANSWER) controller.abort(new Broken('ANSWER_TOO_LONG'))
          },
          onResponseEnd: () => resolve({ status }),
          onResponseError: (_, error) => resolve({ failed: codeOf(error) }),
        },
      )
    })
  }

  close(): Promise<void> {
    return this.#agent.destroy()
  }
}

/** A code of OpenSSL, of the system or of undici; anything else could be a text of the other side. */
function codeOf(error: unknown): string {
  const { code = '', name } = error as NodeJS.ErrnoException
  if (name === 'HTTPParserError') return 'NOT_HTTP'
  return CODES[code] ?? (/^[A-Z][A-Z0-9_]{1,60}$/.test(code) ? code : 'FAILED')
}

type Connected = (...result: [error: null, socket: Socket] | [error: Error, socket: null]) => void

function connectTo({ host, address, port, secure, trust }: SendTarget, done: Connected): void {
  const socket = secure
    ? tlsConnect({
        host: address,
        port,
        // RFC 6066, section 3: an address is not a server name.
        ...(isIP(host) === 0 ? { servername: host } : { servername: '' }),
        ALPNProtocols: ['http/1.1'],
        // Else Node would ask NODE_TLS_REJECT_UNAUTHORIZED.
        rejectUnauthorized: true,
        ...(trust.certificates.length === 0 && trust.publicToo
          ? {}
          : {
              ca: [...trust.certificates, ...(trust.publicToo ? rootCertificates : [])],
              allowPartialTrustChain: true,
            }),
      })
    : tcpConnect({ host: address, port })
  const late = setTimeout(() => socket.destroy(new Broken('CONNECT_TIMEOUT')), CONNECT_TIMEOUT)
  const fail = (error: Error) => {
    clearTimeout(late)
    done(error, null)
  }
  socket.once('error', fail).once(secure ? 'secureConnect' : 'connect', () => {
    clearTimeout(late)
    socket.removeListener('error', fail)
    done(null, socket.setNoDelay(true))
  })
}
