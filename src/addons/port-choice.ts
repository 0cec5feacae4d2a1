/** Ports that the user chooses for add-ons: `-p` and `--node-port`. */
import type { Code } from '../codes.ts'
import { usageError } from '../errors.ts'

/** For an add-on or a Service (`svc/NAME`), or for the only one. */
export type PortChoice = { addon?: string | undefined; port: number }[]

/** A flag whose value is a PortChoice. */
export interface PortFlag {
  flag: string
  /** The code of the error for a wrong value. */
  code: Code
  /** What the command does with add-ons, for the error. */
  done: string
}

export const LOCAL_PORT: PortFlag = { flag: '-p', code: 'PORT_INVALID', done: 'forwarded' }

export const NODE_PORT: PortFlag = { flag: '--node-port', code: 'NODE_PORT_INVALID', done: 'exposed' }

export const OWN_PORT: PortFlag = { flag: '--port', code: 'OWN_PORT_INVALID', done: 'exposed' }

/**
 * @param names of the add-ons that a command is about
 * @throws UserError with that code (exit 2) when the add-on of a port is unclear
 */
export function requireUnambiguous(choice: PortChoice, names: string[], { flag, code, done }: PortFlag): void {
  const wrong = (why: string, port: number) => usageError(code, `${flag} ${why}`, [`${flag} ${names[0]}=${port}`])
  for (const [index, { addon, port }] of choice.entries()) {
    const earlier = choice.slice(0, index).find((one) => (one.addon ?? names[0]) === (addon ?? names[0]))
    if (earlier !== undefined) throw wrong(`${port}: ${addon ?? names[0]} already has ${earlier.port}`, port)
    if (addon === undefined && names.length > 1) throw wrong(`${port}: say for which one: ${names.join(', ')}`, port)
    if (addon !== undefined && !names.includes(addon))
      throw wrong(`${addon}=${port}: ${addon} is not ${done} by this command`, port)
  }
}
