/** Node ports that were asked for. */
import { type PortChoice, requireMeant } from '../addons/port-choice.ts'
import type { SurveyedAddon } from '../addons/survey.ts'
import { UserError, usageError } from '../errors.ts'
import type { LayoutName } from '../gateways/layout.ts'

/**
 * @returns by add-on
 * @throws UserError NODE_PORT_INVALID (exit 2) when it cannot be told which add-on is meant, or the layout needs none
 */
export function requireNodePorts(
  choice: PortChoice,
  addons: SurveyedAddon[],
  layout: LayoutName,
): Record<string, number> {
  if (choice.length === 0) return {}
  if (layout !== 'ports') {
    const why = '--node-port is for --layout ports; hosts share the port that the Service has'
    throw usageError('NODE_PORT_INVALID', why, ['--layout ports'])
  }
  const names = addons.map(({ found }) => found.addon.name)
  requireMeant(choice, names, { flag: '--node-port', code: 'NODE_PORT_INVALID', done: 'exposed' })
  return Object.fromEntries(choice.map(({ addon = names[0] ?? '', port }) => [addon, port]))
}

/** The API server's words on a node port (its dry run does not look at the range), with the way out. */
export function nodePortRefused(error: unknown): unknown {
  if (!(error instanceof UserError) || !error.message.includes('nodePort')) return error
  return new UserError('NODE_PORT_REFUSED', error.message, {
    suggestions: ['leave --node-port out   # the API server chooses a free one', ...error.suggestions],
    cause: error,
  })
}
