/** An add-on that lets anyone in is not put on a reachable address silently (DESIGN, promise 5). */
import { type Guards, isGuarded } from '../access/guard.ts'
import type { AddonAccess } from '../addons/configuration.ts'
import type { FoundAddon } from '../addons/find.ts'
import { UserError } from '../errors.ts'
import type { Terminal } from '../terminal/terminal.ts'
import type { Exposure } from './exposure-plan.ts'
import type { SurveyedAddon } from './survey-addons.ts'

/**
 * @param guards add-ons that have one do not let anyone in
 * @throws UserError ANONYMOUS_ACCESS without a terminal, DECLINED when the answer is no
 */
export async function requireConsent(
  addons: SurveyedAddon[],
  exposures: Exposure[],
  guards: Guards,
  allowAnonymous: boolean,
  terminal: Terminal,
): Promise<void> {
  if (allowAnonymous) return
  for (const [index, { found, access }] of addons.entries()) {
    const risk = riskOf(found, access)
    if (risk === undefined || isGuarded(guards[found.addon.name])) continue
    if (!terminal.interactive) {
      throw new UserError('ANONYMOUS_ACCESS', `${risk}; it is not put on a reachable address unless you say so`, {
        suggestions: [
          '--allow-cidr 203.0.113.0/24   # from these addresses alone',
          '--allow-anonymous   # anyone who reaches the address gets in',
          `kubectl telemetry port-forward ${found.addon.name} -n ${found.namespace}   # for you alone`,
        ],
      })
    }
    if (await terminal.confirm(`${risk}. Put it on ${exposures[index]?.url} all the same?`)) continue
    throw new UserError('DECLINED', `${found.addon.title} was not exposed; nothing was changed`)
  }
}

function riskOf({ addon, namespace }: FoundAddon, access: AddonAccess): string | undefined {
  switch (access.kind) {
    case 'anonymous':
      return `${addon.title} in namespace ${namespace} lets anyone in as ${access.role}, without a login`
    case 'unknown':
      return `it could not be read whether ${addon.title} in namespace ${namespace} asks for a login`
    case 'login':
      return undefined
  }
}
