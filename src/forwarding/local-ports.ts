/** Which port of this machine leads to which add-on. */
import type { Socket } from 'node:net'
import { type PortChoice, requireMeant } from '../addons/port-choice.ts'
import { UserError } from '../errors.ts'
import type { Listener, ListenFailure, Listening } from './listener.ts'

/** So many ports after the usual one are tried. */
const NEARBY = 20
/** Where the usual port is root's: 8080 for 80, 8443 for 443. */
const INSTEAD = 8_000

/**
 * @returns the port that was asked for an add-on, if any
 * @throws UserError PORT_INVALID (exit 2) when it cannot be told which one is meant
 */
export function portAskedFor(choice: PortChoice, name: string, names: string[]): number | undefined {
  requireMeant(choice, names, { flag: '-p', code: 'PORT_INVALID', done: 'forwarded' })
  return choice.find(({ addon }) => addon === undefined || addon === name)?.port
}

/**
 * Listens at the port that was asked for, else at the usual one or the next free one.
 * @throws UserError PORT_TAKEN, PORT_FORBIDDEN, ADDRESS_NOT_HERE
 */
export async function listenNear(
  listener: Listener,
  addresses: string[],
  wish: { asked: number | undefined; usual: number },
  take: (socket: Socket) => void,
): Promise<Listening> {
  let first = wish.asked ?? wish.usual
  let last = wish.asked === undefined ? Math.min(first + NEARBY, 65_535) : first
  for (let port = first; ; port++) {
    const result = await listener.listen(addresses, port, take)
    if (!('failure' in result)) return result
    if (result.failure === 'forbidden' && wish.asked === undefined && port < 1024) {
      first = wish.usual + INSTEAD
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
        suggestions: ['-p PORT   # another one', `ss -ltnp 'sport = :${first}'   # by whom`],
      })
    case 'forbidden':
      return new UserError('PORT_FORBIDDEN', `only root may listen on port ${first}`, { suggestions: ['-p 8443'] })
    case 'not-here':
      return new UserError('ADDRESS_NOT_HERE', `--address ${address} is no address of this machine`, {
        suggestions: ['--address 127.0.0.1', 'ip addr   # shows those there are'],
      })
  }
}
