/** The ports of an imaginary machine. */
import type { Socket } from 'node:net'
import type { Listener, ListenFailure, Listening } from '../../src/forwarding/listener.ts'

export class FakeListener implements Listener {
  /** Ports in use: `PORT` or `ADDRESS:PORT`. */
  readonly usedPorts = new Set<string>()
  /** Only root may use ports below this one. */
  privileged = 0
  /** Addresses of this machine. */
  localAddresses = ['127.0.0.1', '::1', '0.0.0.0', '::', '127.0.0.2']
  /** Open ports, and the functions that accept their connections. */
  readonly open = new Map<number, (socket: Socket) => void>()
  readonly tried: number[] = []

  async listen(
    addresses: string[],
    port: number,
    take: (socket: Socket) => void,
  ): Promise<Listening | { failure: ListenFailure; address: string }> {
    this.tried.push(port)
    for (const address of addresses) {
      const failure = this.#failure(address, port)
      if (failure !== undefined) return { failure, address }
    }
    this.open.set(port, take)
    return { port, close: () => void this.open.delete(port) }
  }

  #failure(address: string, port: number): ListenFailure | undefined {
    if (!this.localAddresses.includes(address)) return 'not-here'
    if (port < this.privileged) return 'forbidden'
    const isTaken = this.open.has(port) || this.usedPorts.has(`${port}`) || this.usedPorts.has(`${address}:${port}`)
    return isTaken ? 'taken' : undefined
  }
}
