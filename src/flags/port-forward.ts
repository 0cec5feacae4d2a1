/** Flags and arguments of port-forward. */

import { isIP } from 'node:net'
import { Args, Flags } from '@oclif/core'
import { ADDON_NAMES, type AddonChoice } from '../addons/catalog.ts'
import { LOCAL_PORT } from '../addons/port-choice.ts'
import type { ServiceChoice } from '../addons/service-survey.ts'
import { usageError } from '../errors.ts'
import { addonPort, defaultInDescription, duration, requireExposed, serviceInvalid } from './values.ts'

/** The arguments of `port-forward`: add-ons, or exactly one `svc/NAME[:PORT]`. @throws UserError SERVICE_INVALID (exit 2) */
export function requireForwarded(words: string[]): { addons: AddonChoice; service?: ServiceChoice } {
  const { addons, services } = requireExposed(words)
  const [service] = services
  if (service === undefined) return { addons }
  if (words.length > 1) throw serviceInvalid(words.join(' '), 'one svc/NAME or svc/NAME:PORT')
  return { addons, service }
}

const localPort = Flags.custom<{ addon?: string | undefined; port: number }>({
  helpValue: '[ADDON=]PORT',
  multiple: true,
  multipleNonGreedy: true,
  parse: async (text) => addonPort(text, LOCAL_PORT, 3001),
})

const localAddress = Flags.custom<string>({
  helpValue: 'ADDRESS',
  multiple: true,
  multipleNonGreedy: true,
  parse: async (text) => {
    if (isIP(text) !== 0) return text
    if (text === 'localhost') return '127.0.0.1'
    throw usageError('LOCAL_ADDRESS_INVALID', `--address ${JSON.stringify(text)} is not an IP address`, [
      '--address 0.0.0.0',
    ])
  },
})

export const forwardedArg = Args.string({
  name: 'addon',
  multiple: true,
  description: `Add-ons: ${ADDON_NAMES.join(', ')}; or one Service, svc/NAME[:PORT] (default: all add-ons)`,
})

/** Flags of `port-forward`. */
export const portForwardFlags = {
  port: localPort({
    char: 'p',
    description: "Local port (default: the add-on's usual port, else the next free one)",
  }),
  address: localAddress({
    default: ['127.0.0.1', '::1'],
    defaultHelp: defaultInDescription,
    description: 'Local address to listen on; repeatable (default: 127.0.0.1 and ::1)',
  }),
  for: duration({ flag: '--for', description: 'Stop after this time (default: run until Ctrl-C)' }),
  wait: duration({
    flag: '--wait',
    default: 10_000,
    defaultHelp: defaultInDescription,
    description: 'Time that a connection waits for a Ready pod (default: 10s)',
  }),
  open: Flags.boolean({ description: 'Open the pages in the browser' }),
  'exit-on-loss': Flags.boolean({ description: 'Exit with code 1 when the cluster is lost, instead of reconnecting' }),
}
