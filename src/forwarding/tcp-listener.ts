/** The real listener. */
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
  // A client that had ended its side, and went away while the server said nothing, is found out only by asking the system for it.
  keepAlive: true,
  keepAliveInitialDelay: 60_000,
}

export class TcpListener implements Listener {
  async listen(
    addresses: string[],
    port: number,
    take: (socket: Socket) => void,
  ): Promise<Listening | { failure: ListenFailure; address: string }> {
    // Node takes some milliseconds to begin: what has been asked of the API server goes out first.
    await new Promise((resolve) => setImmediate(resolve))
    const servers: Server[] = []
    for (const address of addresses) {
      const server = createServer(OPTIONS, take)
      const failure = await bind(server, address, port)
      if (failure === undefined) servers.push(server)
      // A machine without IPv6 has no ::1, which nobody misses.
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
    // Not once: what cannot be accepted (no more file descriptors, say) is an error too, and no reason to die.
    server.on('error', (error: NodeJS.ErrnoException) => {
      const failure = FAILURES[error.code ?? '']
      if (failure === undefined) reject(error)
      else resolve(failure)
    })
    server.listen({ host, port, ipv6Only: host.includes(':') })
  })
}
