/** Servers between a client and the API server: a company's HTTP proxy, and a gateway that supports only one tunnel protocol. */
import { once } from 'node:events'
import { createServer as createHttpServer, type IncomingMessage, type Server } from 'node:http'
import { Agent, createServer, request } from 'node:https'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { connect as tlsConnect } from 'node:tls'
import { clusterAuthority, serverCertificate } from '../cluster/pki.ts'
import { kubeConfigWith, labCredentials } from './lab-credentials.ts'

/** An HTTP proxy that connects any client to any target (CONNECT, RFC 9110, section 9.3.6). */
export class ConnectProxy {
  /** `HOST:PORT` of each tunnel. */
  readonly targets: string[] = []
  readonly #server = createHttpServer()
  readonly #sockets = new Set<Socket>()

  static async start(): Promise<ConnectProxy> {
    const proxy = new ConnectProxy()
    proxy.#server.on('connect', ({ url = '' }: IncomingMessage, client: Socket) => {
      proxy.targets.push(url)
      const [host, port] = url.split(':')
      const server = connect(Number(port), host, () => client.write('HTTP/1.1 200 Connection Established\r\n\r\n'))
      proxy.#join(client, server)
    })
    await listen(proxy.#server)
    return proxy
  }

  get url(): string {
    return `http://127.0.0.1:${portOf(this.#server)}`
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
  }

  #join(...[one, other]: [Socket, Socket]): void {
    for (const [from, to] of [
      [one, other],
      [other, one],
    ] as const) {
      this.#sockets.add(from)
      from.on('error', () => to.destroy()).on('close', () => this.#sockets.delete(from))
      from.pipe(to)
    }
  }
}

/** Carries the bytes of a tunnel between a client and the API server. */
type Carry = (client: Socket, onward: Socket) => void

/** A gateway in front of the real API server that supports either WebSocket or SPDY, like proxies that inspect HTTP and API servers before 1.30. */
export class NarrowGateway {
  /** Requested protocols, in order. */
  readonly upgrades: string[] = []
  readonly #server: Server
  readonly #authority: string
  readonly #sockets = new Set<Socket>()

  /** @param refused protocol that the gateway refuses: `websocket`, `SPDY/3.1` @param carry by default both directions unchanged */
  static async start(refused: string, carry: Carry = unchanged): Promise<NarrowGateway> {
    const authority = await clusterAuthority()
    const { certificate, key } = await serverCertificate(authority)
    const narrow = new NarrowGateway(createServer({ cert: certificate, key }), authority.certificate, {
      refused,
      carry,
    })
    await listen(narrow.#server)
    return narrow
  }

  private constructor(server: Server, authority: string, { refused, carry }: { refused: string; carry: Carry }) {
    this.#server = server
    this.#authority = authority
    const { server: real, ...tls } = labCredentials()
    const agent = new Agent(tls)
    server.on('connection', (socket: Socket) => this.#sockets.add(socket))
    server.on('request', (asked, answer) => {
      const { authorization: _, ...headers } = asked.headers
      const forwarded = request(`${real}${asked.url}`, { method: asked.method, headers, agent }, (got) => {
        answer.writeHead(got.statusCode ?? 502, got.headers)
        got.pipe(answer)
      })
      forwarded.on('error', () => answer.destroy())
      answer.on('close', () => forwarded.destroy())
      asked.pipe(forwarded)
    })
    server.on('upgrade', (asked: IncomingMessage, client: Socket) => {
      const { upgrade = '' } = asked.headers
      this.upgrades.push(upgrade)
      if (upgrade === refused) {
        client.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n')
        return
      }
      const { hostname, port } = new URL(real)
      const onward = tlsConnect({ host: hostname, port: Number(port), ...tls }, () => {
        const lines = asked.rawHeaders.flatMap((name, index) =>
          index % 2 ? [] : [`${name}: ${asked.rawHeaders[index + 1]}`],
        )
        onward.write(`${[`${asked.method} ${asked.url} HTTP/1.1`, ...lines].join('\r\n')}\r\n\r\n`)
        carry(client, onward)
      })
      onward.on('error', () => client.destroy())
      client.on('error', () => onward.destroy())
    })
  }

  kubeConfig(): string {
    const authority = Buffer.from(this.#authority).toString('base64')
    const cluster = { server: `https://127.0.0.1:${portOf(this.#server)}`, 'certificate-authority-data': authority }
    return kubeConfigWith({ cluster })
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
  }
}

function unchanged(client: Socket, onward: Socket): void {
  client.pipe(onward).pipe(client)
}

async function listen(server: Server): Promise<void> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port
}
