/** A port of this machine, as operations need it. `tcp-listener.ts` is the real one. */
import type { Socket } from 'node:net'

export interface Listening {
  /** The one that was asked for, or the one that was free. */
  port: number
  close(): void
}

/** What is wrong with an address or a port, in the words of the system. */
export type ListenFailure = 'taken' | 'forbidden' | 'not-here'

export interface Listener {
  /** On all of these addresses at one port. @returns why not, at which address */
  listen(
    addresses: string[],
    port: number,
    take: (socket: Socket) => void,
  ): Promise<Listening | { failure: ListenFailure; address: string }>
}
