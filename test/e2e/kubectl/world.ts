/** What one row of the comparison has: a home directory, an API server, proxies, and a record of all that reaches them. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import type { Pair } from '../../cluster/pki.ts'
import { type Certificates, certificates } from './certificates.ts'
import { httpProxy, Port, socksProxy } from './servers.ts'

/** A name that no resolver knows: only a proxy can connect to it. */
export const FAR = 'kube.example.com'

export class World {
  readonly directory = mkdtempSync(join(tmpdir(), 'telemetry-kubectl-'))
  readonly pki: Certificates
  /** What proxies were asked for, each line once. */
  readonly ways = new Set<string>()
  /** Requests to the API server, each form once. */
  readonly asked = new Set<string>()
  /** The status of the answers; the first ones first, and the last one from then on. */
  statuses = [403]
  /** Whether anything connected to the API server, directly or through a proxy. */
  connected = false
  readonly #ports: Port[] = []
  #answered = 0
  #api: Port | undefined

  static async create(): Promise<World> {
    return new World(await certificates())
  }

  private constructor(pki: Certificates) {
    this.pki = pki
  }

  /** Starts the API server. @returns its port */
  async api(certificate = this.pki.server, host?: string): Promise<number> {
    this.#api = await this.#open(
      Port.open(
        certificate,
        {
          connected: () => {
            this.connected = true
          },
          request: (asked, answer) => {
            this.asked.add(formOf(asked))
            const code = this.statuses[this.#answered++] ?? this.statuses.at(-1) ?? 403
            answer.writeHead(code, { 'content-type': 'application/json', connection: 'close' })
            answer.end(
              JSON.stringify({
                kind: 'Status',
                apiVersion: 'v1',
                status: 'Failure',
                code,
                message: 'the test says no',
              }),
            )
          },
        },
        host,
      ),
    )
    return this.#api.number
  }

  /** Starts an HTTP proxy, which also speaks TLS, before the API server. @returns its port */
  async proxy(certificate: Pair = this.pki.server): Promise<number> {
    return (
      await this.#open(
        httpProxy(
          certificate,
          () => this.#api?.number ?? 1,
          (line) => this.ways.add(line),
        ),
      )
    ).number
  }

  /** Starts a SOCKS5 proxy before the API server. @returns its port */
  async socks(user?: string): Promise<number> {
    return (
      await this.#open(
        socksProxy(
          this.pki.server,
          () => this.#api?.number ?? 1,
          (line) => this.ways.add(line),
          user,
        ),
      )
    ).number
  }

  /** Any other server. */
  async serve(handle: Parameters<typeof Port.open>[1], certificate = this.pki.server): Promise<number> {
    return (await this.#open(Port.open(certificate, handle))).number
  }

  /** Closes them, too, at the end. */
  alsoCloses(ports: Port[]): void {
    this.#ports.push(...ports)
  }

  path(name: string): string {
    return join(this.directory, name)
  }

  write(name: string, content: string | Buffer | object, mode = 0o600): string {
    const file = this.path(name)
    mkdirSync(dirname(file), { recursive: true })
    const text = typeof content === 'string' || Buffer.isBuffer(content) ? content : JSON.stringify(content, null, 2)
    writeFileSync(file, text)
    chmodSync(file, mode)
    return file
  }

  read(name: string): string {
    try {
      return readFileSync(this.path(name), 'utf8')
    } catch {
      return ''
    }
  }

  async end(): Promise<void> {
    await Promise.all(this.#ports.map((port) => port.close()))
    rmSync(this.directory, { recursive: true, force: true })
  }

  async #open(opening: Promise<Port>): Promise<Port> {
    const port = await opening
    this.#ports.push(port)
    return port
  }
}

/** What kubectl and our client have to have in common: credentials, impersonation, the prefix of the path, and the name in TLS. */
function formOf(asked: IncomingMessage): string {
  const socket = asked.socket as TLSSocket
  const raw = asked.rawHeaders
  const headers = raw.flatMap((name, at) => {
    const known = /^(authorization$|impersonate-)/i.test(name) && at % 2 === 0
    return known ? [`${name.toLowerCase()}: ${raw[at + 1]}`] : []
  })
  const prefix = (asked.url ?? '').replace(/\?.*/, '').replace(/\/(version|apis?)(\/.*)?$/, '')
  return [
    socket.encrypted ? `TLS for ${socket.servername || 'no name'}` : 'no TLS',
    `client ${socket.encrypted ? (socket.getPeerCertificate().subject?.CN ?? 'unknown') : 'unknown'}`,
    `at ${prefix || '/'}`,
    ...headers.sort(),
  ].join(', ')
}
