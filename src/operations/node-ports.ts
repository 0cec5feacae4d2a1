/** Node ports that were asked for. */
import { UserError, usageError } from '../errors.ts'
import type { LayoutName } from '../gateways/layout.ts'
import type { SurveyedAddon } from './survey-addons.ts'

/** `--node-port`, as typed: for an add-on, or for the only one. */
export type NodePortChoice = { addon?: string | undefined; port: number }[]

/**
 * @returns by add-on
 * @throws UserError NODE_PORT_INVALID (exit 2) when it cannot be told which add-on is meant, or the layout needs none
 */
export function requireNodePorts(
  choice: NodePortChoice,
  addons: SurveyedAddon[],
  layout: LayoutName,
): Record<string, number> {
  if (choice.length === 0) return {}
  const wrong = (why: string, suggestion: string) => usageError('NODE_PORT_INVALID', `--node-port ${why}`, [suggestion])
  if (layout !== 'ports')
    throw wrong('is for --layout ports; hosts share the port that the Service has', '--layout ports')
  const names = addons.map(({ found }) => found.addon.name)
  const pairs = choice.map(({ addon, port }) => {
    if (addon !== undefined && !names.includes(addon))
      throw wrong(`${addon}=${port}: ${addon} is not exposed by this command`, `--node-port ${names[0]}=${port}`)
    const [only, second] = names
    if (addon === undefined && second !== undefined)
      throw wrong(`${port}: for which of ${names.join(', ')}?`, `--node-port ${only}=${port}`)
    return [addon ?? only ?? '', port] as const
  })
  return Object.fromEntries(pairs)
}

/** The API server's words on a node port (its dry run does not look at the range), with the way out. */
export function nodePortRefused(error: unknown): unknown {
  if (!(error instanceof UserError) || !error.message.includes('nodePort')) return error
  return new UserError('NODE_PORT_REFUSED', error.message, {
    suggestions: ['leave --node-port out   # the API server chooses a free one', ...error.suggestions],
    cause: error,
  })
}
