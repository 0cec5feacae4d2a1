/** Ports as people ask for them, for one of several add-ons: `-p` and `--node-port`. */
import { usageError } from '../errors.ts'

/** For an add-on, or for the only one. */
export type PortChoice = { addon?: string | undefined; port: number }[]

/** The words of an error: `-p`, `PORT_INVALID`, `forwarded`. */
interface Wording {
  flag: string
  code: string
  done: string
}

/**
 * @param names of the add-ons that a command is about
 * @throws UserError with that code (exit 2) when it cannot be told which add-on is meant
 */
export function requireMeant(choice: PortChoice, names: string[], { flag, code, done }: Wording): void {
  const wrong = (why: string, port: number) => usageError(code, `${flag} ${why}`, [`${flag} ${names[0]}=${port}`])
  for (const [index, { addon, port }] of choice.entries()) {
    const earlier = choice.slice(0, index).find((one) => (one.addon ?? names[0]) === (addon ?? names[0]))
    if (earlier !== undefined) throw wrong(`${port}: it was to be ${earlier.port} already`, port)
    if (addon === undefined && names.length > 1) throw wrong(`${port}: for which of ${names.join(', ')}?`, port)
    if (addon !== undefined && !names.includes(addon))
      throw wrong(`${addon}=${port}: ${addon} is not ${done} by this command`, port)
  }
}
