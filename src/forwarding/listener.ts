/** Interface to the ports of this machine. `tcp-listener.ts` implements it. */
import type { Socket } from 'node:net'

export interface Listening {
  port: number
  close(): void
}

/** Why the system refuses to listen at an address and port. */
export type ListenFailure = 'taken' | 'forbidden' | 'not-here'

export interface Listener {
  /** Listens on all these addresses at one port. @returns the first failure and its address, if any */
  listen(
    addresses: string[],
    port: number,
    accept: (socket: Socket) => void,
  ): Promise<Listening | { failure: ListenFailure; address: string }>
}
