/** The ports of a machine that there is not. */
import type { Socket } from 'node:net'
import type { Listener, ListenFailure, Listening } from '../../src/forwarding/listener.ts'

export class FakeListener implements Listener {
  /** `PORT` or `ADDRESS:PORT`: who has it already. */
  readonly taken = new Set<string>()
  /** Ports below are root's. */
  privileged = 0
  here = ['127.0.0.1', '::1', '0.0.0.0', '::', '127.0.0.2']
  /** Ports that are listened on now, and who takes their connections. */
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
    if (!this.here.includes(address)) return 'not-here'
    if (port < this.privileged) return 'forbidden'
    const isTaken = this.open.has(port) || this.taken.has(`${port}`) || this.taken.has(`${address}:${port}`)
    return isTaken ? 'taken' : undefined
  }
}
