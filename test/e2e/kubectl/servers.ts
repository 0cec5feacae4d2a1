/** Servers of one comparison, all on loopback: the API server, proxies, and an identity provider. Each records what reaches it. */
import { once } from 'node:events'
import { createServer as createHttp, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { createServer as createHttps } from 'node:https'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { DEFAULT_CIPHERS, type TLSSocket } from 'node:tls'
import type { Pair } from '../../cluster/pki.ts'

/** One port for TLS and plain HTTP: the first byte of a TLS connection is 22 (RFC 8446, section 5.1). */
export class Port {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  static async open(pair: Pair, handle: Handlers, host = '127.0.0.1'): Promise<Port> {
    const port = new Port(pair, handle)
    port.#server.listen(0, host)
    await once(port.#server, 'listening')
    return port
  }

  private constructor({ certificate, key }: Pair, { request, connect: tunnel, upgrade, raw, connected }: Handlers) {
    // Old servers have short keys.
    const ciphers = `${DEFAULT_CIPHERS}:@SECLEVEL=0`
    const secure = createHttps({ cert: certificate, key, requestCert: true, rejectUnauthorized: false, ciphers })
    const plain = createHttp()
    for (const server of [secure, plain]) {
      server.on('request', (asked, answer) => request?.(asked, answer))
      if (tunnel !== undefined) server.on('connect', tunnel)
      if (upgrade !== undefined) server.on('upgrade', upgrade)
    }
    secure.on('tlsClientError', () => {})
    this.#server = createServer((socket) => {
      connected?.()
      this.#sockets.add(socket.on('error', () => {}).once('close', () => this.#sockets.delete(socket)))
      if (raw !== undefined) {
        raw(socket)
        return
      }
      socket.once('readable', () => {
        const first = socket.read() as Buffer | null
        if (first === null) {
          socket.destroy()
          return
        }
        socket.unshift(first)
        ;(first[0] === 22 ? secure : plain).emit('connection', socket)
      })
    })
  }

  get number(): number {
    return (this.#server.address() as AddressInfo).port
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

interface Handlers {
  connected?(): void
  request?(asked: IncomingMessage, answer: ServerResponse): void
  connect?(asked: IncomingMessage, client: Socket): void
  upgrade?(asked: IncomingMessage, client: Socket): void
  raw?(socket: Socket): void
}

/** Connects both ways until one side ends. */
function join(client: Socket, server: Socket): void {
  for (const [from, to] of [
    [client, server],
    [server, client],
  ] as const)
    from.on('error', () => to.destroy()).pipe(to)
}

/** An HTTP proxy that takes each client to one port, whatever the client asks for. @param seen called with what a client asks for */
export function httpProxy(pair: Pair, target: () => number, seen: (line: string) => void): Promise<Port> {
  const how = ({ socket, headers }: IncomingMessage) => {
    const secure = (socket as TLSSocket).encrypted ? 'https' : 'http'
    const user = headers['proxy-authorization']
    return user === undefined ? secure : `${secure} as ${Buffer.from(user.replace('Basic ', ''), 'base64')}`
  }
  return Port.open(pair, {
    connect: (asked, client) => {
      seen(`${how(asked)}: CONNECT ${asked.url}`)
      const server = connect(target(), '127.0.0.1', () => client.write('HTTP/1.1 200 OK\r\n\r\n'))
      join(client, server)
    },
    request: (asked, answer) => {
      const { host, pathname, search } = new URL(asked.url ?? '', 'http://none')
      seen(`${how(asked)}: ${asked.method} http://${host}`)
      const path = pathname + search
      const passed = request({ port: target(), path, method: asked.method, headers: asked.headers }, (got) => {
        answer.writeHead(got.statusCode ?? 502, got.headers)
        got.pipe(answer)
      })
      passed.on('error', () => answer.destroy())
      asked.pipe(passed)
    },
  })
}

/** A SOCKS5 proxy (RFC 1928, 1929) like `httpProxy`. @param user `name:password` that it requires */
export function socksProxy(
  pair: Pair,
  target: () => number,
  seen: (line: string) => void,
  user?: string,
): Promise<Port> {
  return Port.open(pair, {
    raw: (socket) => void serveSocks(socket, { target, seen, user }).catch(() => socket.destroy()),
  })
}

interface SocksSettings {
  target(): number
  seen(line: string): void
  user: string | undefined
}

async function serveSocks(socket: Socket, { target, seen, user }: SocksSettings): Promise<void> {
  const [, count = 0] = await take(socket, 2)
  await take(socket, count)
  let as = ''
  if (user === undefined) socket.write(Buffer.from([5, 0]))
  else {
    socket.write(Buffer.from([5, 2]))
    const [, nameLength = 0] = await take(socket, 2)
    const name = await take(socket, nameLength)
    const [passwordLength = 0] = await take(socket, 1)
    const password = await take(socket, passwordLength)
    as = ` as ${name}:${password}`
    socket.write(Buffer.from([1, `${name}:${password}` === user ? 0 : 1]))
  }
  const [, , , type = 0] = await take(socket, 4)
  const length = type === 1 ? 4 : type === 4 ? 16 : ((await take(socket, 1))[0] ?? 0)
  const address = await take(socket, length)
  const host = type === 3 ? address.toString() : type === 1 ? [...address].join('.') : address.toString('hex')
  seen(`socks5${as}: ${host}:${(await take(socket, 2)).readUInt16BE()}`)
  const server = connect(target(), '127.0.0.1', () => socket.write(Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0])))
  join(socket, server)
}

async function take(socket: Socket, bytes: number): Promise<Buffer> {
  if (bytes === 0) return Buffer.alloc(0)
  for (;;) {
    const found = socket.read(bytes) as Buffer | null
    if (found !== null) return found
    if (socket.readableEnded || socket.destroyed) throw new Error('the client ended')
    await once(socket, 'readable')
  }
}
