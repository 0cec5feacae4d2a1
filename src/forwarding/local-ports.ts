/** Chooses the local port of each add-on. */
import type { Socket } from 'node:net'
import { LOCAL_PORT, type PortChoice, requireUnambiguous } from '../addons/port-choice.ts'
import { UserError } from '../errors.ts'
import type { Listener, ListenFailure, Listening } from './listener.ts'

/** How many ports after the usual one are tried. */
const NEARBY = 20
/** Added to a usual port that only root may use: 8080 for 80, 8443 for 443. */
const INSTEAD = 8_000

/**
 * @returns the port that -p names for an add-on, if any
 * @throws UserError PORT_INVALID (exit 2) when -p does not say for which add-on
 */
export function requestedPort(choice: PortChoice, name: string, names: string[]): number | undefined {
  requireUnambiguous(choice, names, LOCAL_PORT)
  return choice.find(({ addon }) => addon === undefined || addon === name)?.port
}

/**
 * Listens at the requested port, otherwise at the usual one or the next free one.
 * @throws UserError PORT_TAKEN, PORT_FORBIDDEN, ADDRESS_NOT_HERE
 */
export async function listenNear(
  listener: Listener,
  addresses: string[],
  { requested, usual }: { requested: number | undefined; usual: number },
  accept: (socket: Socket) => void,
): Promise<Listening> {
  let first = requested ?? usual
  let last = requested === undefined ? Math.min(first + NEARBY, 65_535) : first
  for (let port = first; ; port++) {
    const result = await listener.listen(addresses, port, accept)
    if (!('failure' in result)) return result
    if (result.failure === 'forbidden' && requested === undefined && port < 1024) {
      first = usual + INSTEAD
      last = first + NEARBY
      port = first - 1
    } else if (result.failure !== 'taken' || port >= last) throw refused(result.failure, result.address, first, last)
  }
}

function refused(failure: ListenFailure, address: string, first: number, last: number): UserError {
  const ports = first === last ? `port ${first}` : `ports ${first} to ${last}`
  switch (failure) {
    case 'taken':
      return new UserError('PORT_TAKEN', `${ports} of ${address} ${first === last ? 'is' : 'are'} in use`, {
        suggestions: ['-p PORT   # another port', `ss -ltnp 'sport = :${first}'   # shows the process that uses it`],
      })
    case 'forbidden':
      return new UserError('PORT_FORBIDDEN', `only root may listen on port ${first}`, { suggestions: ['-p 8443'] })
    case 'not-here':
      return new UserError('ADDRESS_NOT_HERE', `this machine does not have the address of --address ${address}`, {
        suggestions: ['--address 127.0.0.1', 'ip addr   # lists the addresses of this machine'],
      })
  }
}
