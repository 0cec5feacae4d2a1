/** Listens on real TCP ports of this machine. */
import { createServer, type Server, type Socket } from 'node:net'
import type { Listener, ListenFailure, Listening } from './listener.ts'

const FAILURES: Record<string, ListenFailure> = {
  EADDRINUSE: 'taken',
  EACCES: 'forbidden',
  EADDRNOTAVAIL: 'not-here',
  EAFNOSUPPORT: 'not-here',
  ENOTFOUND: 'not-here',
}

const OPTIONS = {
  allowHalfOpen: true,
  pauseOnConnect: true,
  noDelay: true,
  // Only keep-alive detects a client that has ended its side and then goes away while the server is silent.
  keepAlive: true,
  keepAliveInitialDelay: 60_000,
}

export class TcpListener implements Listener {
  async listen(
    addresses: string[],
    port: number,
    accept: (socket: Socket) => void,
  ): Promise<Listening | { failure: ListenFailure; address: string }> {
    // Listening blocks for some milliseconds at first: requests to the API server that wait in this tick are sent before.
    await new Promise((resolve) => setImmediate(resolve))
    const servers: Server[] = []
    for (const address of addresses) {
      const server = createServer(OPTIONS, accept)
      const failure = await bind(server, address, port)
      if (failure === undefined) servers.push(server)
      // A machine without IPv6 has no ::1: 127.0.0.1 is enough.
      else if (failure !== 'not-here' || address !== '::1' || addresses.length === 1) {
        for (const one of servers) one.close()
        return { failure, address }
      }
    }
    return { port, close: () => servers.forEach((server) => void server.close()) }
  }
}

function bind(server: Server, host: string, port: number): Promise<ListenFailure | undefined> {
  return new Promise((resolve, reject) => {
    server.once('listening', () => resolve(undefined))
    // `on`, not `once`: a failed accept (too many open files, for example) is an error event too and must not end the process.
    server.on('error', (error: NodeJS.ErrnoException) => {
      const failure = FAILURES[error.code ?? '']
      if (failure === undefined) reject(error)
      else resolve(failure)
    })
    server.listen({ host, port, ipv6Only: host.includes(':') })
  })
}
