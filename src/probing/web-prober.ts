/** Probes with HTTP/2 or 1.1 over TLS, or with plain HTTP/1.1. It connects to the gateway's address, so it does not need DNS for the page. */
import { execFile } from 'node:child_process'
import { request as httpRequest } from 'node:http'
import { type ClientHttp2Session, connect as http2Connect, type IncomingHttpHeaders } from 'node:http2'
import { isIP, type Socket, connect as tcpConnect } from 'node:net'
import type { Readable } from 'node:stream'
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from 'node:tls'
import type { Hop, Probe, Prober, ProbeTarget, Resolution, ServedCertificate } from './prober.ts'
import { TELLING, wrongProtocolIn } from './wrong-protocol.ts'

const CONNECT_TIMEOUT = 5_000
const ANSWER_TIMEOUT = 15_000
const RESOLVE_TIMEOUT = 2_000
/** Prints a line for each name on the command line: `["localhost",["127.0.0.1"]]`, or with an error code `["nobody.invalid","ENOTFOUND"]`. */
const LOOK_UP = `const { lookup } = process.getBuiltinModule('node:dns')
for (const host of process.argv.slice(1)) lookup(host, { all: true }, (error, found) =>
  console.log(JSON.stringify([host, error ? error.code : found.map(({ address }) => address)])))`

interface Answer {
  status: number
  protocol: string
  headers: IncomingHttpHeaders
  /** The beginning of the body, of an answer that may say what is wrong. */
  body: string
}

/** The most characters of a body, and milliseconds to wait for them. */
const BODY = { longest: 2_000, timeout: 1_000 }

const PLAINTEXT = 'the gateway answers in plaintext, not with TLS'
/** What the codes of Node.js mean at a gateway. */
const TLS_FAILURES: Record<string, string> = {
  // Envoy has no filter chain for a host without a certificate, and closes the connection without an alert.
  ECONNRESET: 'the gateway closed the connection: it serves no certificate for this host',
  ERR_SSL_WRONG_VERSION_NUMBER: PLAINTEXT,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: PLAINTEXT,
}

class HopFailure extends Error {
  readonly hop: Hop

  constructor(hop: Hop, message: string) {
    super(message)
    this.hop = hop
  }
}

export class WebProber implements Prober {
  async probe(target: ProbeTarget): Promise<Probe> {
    const started = performance.now()
    const elapsed = () => Math.round(performance.now() - started)
    try {
      const socket = await openTcp(target)
      try {
        const answer = await ask(socket, target)
        const header = answer.headers[target.header ?? '']
        const reported = typeof header === 'string' ? { header } : {}
        return { ...(leadsAway(answer, target) ?? judge(answer)), ...reported, milliseconds: elapsed() }
      } finally {
        socket.destroy()
      }
    } catch (error) {
      const { hop, message } =
        error instanceof HopFailure ? error : new HopFailure('upstream', (error as Error).message)
      return { ok: false, hop, message, milliseconds: elapsed() }
    }
  }

  async servedCertificate(target: Pick<ProbeTarget, 'host' | 'address' | 'port'>): Promise<ServedCertificate> {
    try {
      const socket = await openTcp(target)
      try {
        // Not verified: the question is which certificate is served.
        const tls = await openTls(socket, { host: target.host, rejectUnauthorized: false })
        return { fingerprint: tls.getPeerCertificate().fingerprint256 }
      } finally {
        socket.destroy()
      }
    } catch (error) {
      return { message: (error as Error).message }
    }
  }

  /**
   * Uses the system's resolver, which reads the hosts file, in a separate process, which can be killed: when packets to the DNS server are
   * dropped, the resolver blocks a thread for 10 s, and Node cannot exit before (seen).
   */
  resolve(hosts: string[]): Promise<Resolution[]> {
    return new Promise((resolve) => {
      const limits = { timeout: RESOLVE_TIMEOUT, killSignal: 'SIGKILL' } as const
      execFile(process.execPath, ['-e', LOOK_UP, '--', ...hosts], limits, (_failure, stdout) => {
        const lines = stdout.split('\n').filter((line) => line !== '')
        const found = new Map(lines.map((line) => JSON.parse(line) as [string, string | string[]]))
        resolve(hosts.map((host) => resolutionOf(found.get(host))))
      })
    })
  }
}

function resolutionOf(found: string | string[] | undefined): Resolution {
  if (Array.isArray(found)) return { addresses: found }
  return { addresses: [], failure: found === 'ENOTFOUND' ? 'no-such-name' : 'no-dns' }
}

async function ask(socket: Socket, target: ProbeTarget): Promise<Answer> {
  const { authorityCertificate: ca } = target
  if (!isSecure(target)) return askHttp1(socket, target, 80)
  const { host, trustPartialChain: allowPartialTrustChain = false } = target
  const trust = ca === undefined ? {} : { ca, allowPartialTrustChain }
  const tls = await openTls(socket, { host, ...trust })
  return tls.alpnProtocol === 'h2' ? askHttp2(tls, target) : askHttp1(tls, target, 443)
}

function isSecure({ authorityCertificate, trustsMachine }: ProbeTarget): boolean {
  return authorityCertificate !== undefined || trustsMachine === true
}

/** A redirect to HTTPS does not answer a request for HTTP: the gateway may still have its earlier configuration. */
function leadsAway(
  { status, protocol, headers }: Answer,
  target: ProbeTarget,
): Omit<Probe, 'milliseconds'> | undefined {
  const to = headers.location ?? ''
  if (isSecure(target) || !to.startsWith(`https://${target.host}`)) return undefined
  return { ok: false, hop: 'route', status, protocol, message: `the gateway redirects to ${to}` }
}

/**
 * A 404, 401 or 403 is the add-on's if Envoy has set x-envoy-upstream-service-time, otherwise the gateway's.
 * https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/router_filter
 */
function judge({ status, protocol, headers, body }: Answer): Omit<Probe, 'milliseconds'> {
  const answered = headers['x-envoy-upstream-service-time'] !== undefined
  const wrongProtocol = wrongProtocolIn(status, body)
  const wrong = wrongProtocol === undefined ? {} : { wrongProtocol }
  if (status === 404 && !answered) {
    return {
      ok: false,
      hop: 'route',
      status,
      protocol,
      message: 'the gateway answers, but has no route for this host yet',
    }
  }
  if (status >= 500) {
    const who = answered ? 'the add-on answers' : 'the gateway cannot reach the add-on:'
    return { ok: false, hop: 'upstream', status, protocol, message: `${who} ${status}`, ...wrong }
  }
  // A login of the page or our own guard has answered, so the route works.
  if (status === 401 || status === 403) return { ok: true, hop: answered ? 'upstream' : 'access', status, protocol }
  return { ok: status < 400, hop: 'upstream', status, protocol, ...wrong }
}

function openTcp({ address, port }: Pick<ProbeTarget, 'address' | 'port'>): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = tcpConnect({ host: address, port })
    let resolved = isIP(address) !== 0
    const fail = (why: string) => {
      socket.destroy()
      const what = resolved ? `no connection to ${address} port ${port}` : `${address} does not resolve`
      reject(new HopFailure(resolved ? 'tcp' : 'dns', `${what}: ${why}`))
    }
    socket.once('lookup', (error) => {
      resolved = error === null
    })
    socket.setTimeout(CONNECT_TIMEOUT, () => fail('timed out'))
    socket.once('error', (error: NodeJS.ErrnoException) => fail(error.code ?? error.message))
    socket.once('connect', () => resolve(socket.setTimeout(0)))
  })
}

function openTls(socket: Socket, { host, ...trust }: { host: string } & ConnectionOptions): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const tls = tlsConnect({
      socket,
      servername: host,
      ALPNProtocols: ['h2', 'http/1.1'],
      // Else Node would ask NODE_TLS_REJECT_UNAUTHORIZED, and a page would count as proven.
      rejectUnauthorized: true,
      ...trust,
    })
    const fail = (why: string) => reject(new HopFailure('tls', why))
    tls.setTimeout(CONNECT_TIMEOUT, () => fail('the TLS handshake timed out'))
    tls.once('error', (error: NodeJS.ErrnoException) => fail(TLS_FAILURES[error.code ?? ''] ?? error.message))
    tls.once('secureConnect', () => resolve(tls.setTimeout(0)))
  })
}

function askHttp2(tls: TLSSocket, { host, port, path, authorization, headers: more }: ProbeTarget): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const session: ClientHttp2Session = http2Connect(`https://${host}:${port}`, { createConnection: () => tls })
    // A server that shuts down may close the connection without an answer and without an error.
    let answered = false
    const fail = (error: Error) => {
      if (!answered) reject(error)
    }
    const cutOff = () => fail(new HopFailure('upstream', 'the gateway closed the connection without an answer'))
    session.on('error', fail).once('close', cutOff).once('goaway', cutOff)
    const request = session.request({
      ':path': path,
      ':authority': authority(host, port, 443),
      ...more,
      ...(authorization && { authorization }),
    })
    request.setTimeout(ANSWER_TIMEOUT, () => reject(new HopFailure('upstream', 'no answer in time')))
    request.on('error', fail).once('close', cutOff)
    request.once('response', async (headers) => {
      answered = true
      const status = headers[':status'] ?? 0
      const body = await telling(request, status)
      request.close()
      session.close()
      resolve({ status, protocol: 'HTTP/2', headers, body })
    })
  })
}

function askHttp1(
  socket: Socket,
  { host, port, path, authorization, headers: more }: ProbeTarget,
  schemePort: number,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = {
      createConnection: () => socket,
      path,
      headers: { ...more, host: authority(host, port, schemePort), ...(authorization && { authorization }) },
      timeout: ANSWER_TIMEOUT,
    }
    const request = httpRequest(options, async (response) => {
      const { statusCode: status = 0, httpVersion, headers } = response
      const body = await telling(response, status)
      response.destroy()
      resolve({ status, protocol: `HTTP/${httpVersion}`, headers, body })
    })
    request.once('timeout', () => reject(new HopFailure('upstream', 'no answer in time')))
    request.once('error', reject)
    request.end()
  })
}

/** The beginning of the body, if the answer may say what is wrong: what has come when it ends, breaks or takes too long. */
function telling(stream: Readable, status: number): Promise<string> {
  if (!TELLING.includes(status)) return Promise.resolve('')
  return new Promise((resolve) => {
    let body = ''
    const end = () => {
      clearTimeout(timer)
      resolve(body.slice(0, BODY.longest))
    }
    const timer = setTimeout(end, BODY.timeout)
    stream.on('data', (bytes: Buffer) => {
      body += bytes.toString('latin1')
      if (body.length >= BODY.longest) end()
    })
    for (const event of ['end', 'error', 'close']) stream.once(event, end)
  })
}

function authority(host: string, port: number, schemePort: number): string {
  return port === schemePort ? host : `${host}:${port}`
}
