/** An add-on that lets anyone in is not put on a reachable address silently (DESIGN, promise 5). */
import { isGuarded } from '../access/guard.ts'
import type { AddonAccess } from '../addons/configuration.ts'
import type { FoundAddon } from '../addons/find.ts'
import { UserError } from '../errors.ts'
import type { Terminal } from '../terminal/terminal.ts'
import type { Exposure, ExposureRequest } from './exposure-plan.ts'

/**
 * An add-on with a guard does not let anyone in; for one that is exposed on such terms already somebody has said so.
 * @throws UserError ANONYMOUS_ACCESS without a terminal, DECLINED when the answer is no
 */
export async function requireConsent(
  { addons, guarding: { guards }, terms }: ExposureRequest,
  exposures: Exposure[],
  terminal: Terminal,
): Promise<void> {
  for (const [index, { found, access }] of addons.entries()) {
    const risk = riskOf(found, access)
    const { name } = found.addon
    if (risk === undefined || isGuarded(guards[name]) || terms[name]?.anonymous) continue
    if (!terminal.interactive) {
      throw new UserError('ANONYMOUS_ACCESS', `${risk}; it is not put on a reachable address unless you say so`, {
        suggestions: [
          '--auth basic   # with a password, which is made and shown once',
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
