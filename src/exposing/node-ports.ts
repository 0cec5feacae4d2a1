/** Node ports from `--node-port`. */

import { NODE_PORT, type PortChoice, requireUnambiguous } from '../addons/port-choice.ts'
import type { SurveyedAddon } from '../addons/survey.ts'
import { UserError, usageError } from '../errors.ts'
import type { LayoutName } from '../gateways/layout.ts'

/**
 * @returns by add-on
 * @throws UserError NODE_PORT_INVALID (exit 2) when the add-on of a port is unclear, or the layout needs no node ports
 */
export function requireNodePorts(
  choice: PortChoice,
  addons: readonly SurveyedAddon[],
  layout: LayoutName,
): Record<string, number> {
  if (choice.length === 0) return {}
  if (layout !== 'ports') {
    const why = '--node-port needs --layout ports; in the layout hosts, all add-ons share one port of the Service'
    throw usageError(NODE_PORT.code, why, ['--layout ports'])
  }
  const names = addons.map(({ found }) => found.addon.name)
  requireUnambiguous(choice, names, NODE_PORT)
  return Object.fromEntries(choice.map(({ addon = names[0] ?? '', port }) => [addon, port]))
}

/** The API server's error about a node port, with a suggestion. Its dry run does not check the range. */
export function nodePortRefused(error: unknown): unknown {
  if (!(error instanceof UserError) || !error.message.includes('nodePort')) return error
  return new UserError('NODE_PORT_REFUSED', error.message, {
    suggestions: ['leave out --node-port   # the API server chooses a free port', ...error.suggestions],
    cause: error,
  })
}
