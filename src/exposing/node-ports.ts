/** Node ports from `--node-port`. */

import { NODE_PORT, type PortChoice, requireUnambiguous } from '../addons/port-choice.ts'
import { titleOf } from '../addons/service-name.ts'
import type { SurveyedAddon } from '../addons/survey.ts'
import { UserError, usageError } from '../errors.ts'
import type { LayoutName, OwnPort } from '../gateways/layout.ts'

/**
 * @returns by add-on
 * @throws UserError NODE_PORT_INVALID (exit 2) when the add-on of a port is unclear, or the layout needs no node ports
 */
export function requireNodePorts(
  choice: PortChoice,
  addons: readonly SurveyedAddon[],
  layout: LayoutName,
  own: Readonly<Record<string, OwnPort>>,
): Record<string, number> {
  if (choice.length === 0) return {}
  const all = addons.map(({ found }) => found.addon.name)
  const names = layout === 'ports' ? all : all.filter((name) => own[name] !== undefined)
  if (names.length === 0) {
    const why =
      '--node-port needs --port or --layout ports; in the layout hosts, all hosts share one port of the Service'
    throw usageError(NODE_PORT.code, why, [
      '--port 8080   # a port of its own',
      '--layout ports   # one for each add-on',
    ])
  }
  const titles = names.map(titleOf)
  requireUnambiguous(choice, titles, NODE_PORT)
  return Object.fromEntries(
    choice.map(({ addon = titles[0], port }) => [names.find((name) => titleOf(name) === addon) ?? '', port]),
  )
}

/** The API server's error about a node port, with a suggestion. Its dry run does not check the range. */
export function nodePortRefused(error: unknown): unknown {
  if (!(error instanceof UserError) || !error.message.includes('nodePort')) return error
  return new UserError('NODE_PORT_REFUSED', error.message, {
    suggestions: ['leave out --node-port   # the API server chooses a free port', ...error.suggestions],
    cause: error,
  })
}
