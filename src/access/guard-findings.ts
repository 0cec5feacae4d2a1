/** Pure: what a guard does not protect against. */
import { argumentsFor, titleOf } from '../addons/service-name.ts'
import { type Finding, warns } from '../findings.ts'
import { sh } from '../shell.ts'
import type { GuardRequest } from './guard.ts'
import type { GuardPlan } from './guard-plan.ts'

/** @param asked what this run asked for; left out when it asked for nothing */
export function guardFindings(
  { guards, failOpen }: Pick<GuardPlan, 'guards' | 'failOpen'>,
  namespace: string,
  asked?: GuardRequest,
): Finding[] {
  const tokens = Object.entries(guards).flatMap(([addon, { login }]) =>
    login?.kind === 'jwt' && login.audiences.length === 0 ? [anyAudience(addon, login.issuer)] : [],
  )
  const brought = typeof asked?.login === 'object' && asked.login.kind === 'basic' && asked.login.users !== undefined
  return [...tokens, ...failOpen.map(skipped), ...(brought ? [readableHash(namespace)] : [])]
}

/** Another version wrote the objects of a guard, or somebody changed them: then it may let in more than it says. */
export function guardDiffers(message: string, ...remedies: string[]): Finding {
  return warns('GUARD_DIFFERS', message, ...remedies)
}

function skipped(provider: string): Finding {
  return warns(
    'AUTHORIZER_FAILS_OPEN',
    `the gateway lets every request in while the external authorizer ${provider} does not answer: the mesh configuration has failOpen: true for it`,
    `failOpen: false for ${provider} in extensionProviders of the mesh configuration`,
    '--allow-cidr CIDR   # also in force while the authorizer does not answer',
  )
}

function anyAudience(addon: string, issuer: string): Finding {
  const message = `${titleOf(addon)} accepts every token of ${issuer}, also a token that was issued for another application`
  const words = argumentsFor(addon)
  return warns('AUDIENCE_ANY', message, sh`kubectl telemetry expose ${words} --auth jwt --audience AUDIENCE …`)
}

function readableHash(namespace: string): Finding {
  return warns(
    'PASSWORD_HASH_READABLE',
    `everybody who can read EnvoyFilters in namespace ${namespace} sees the unsalted SHA-1 hashes of --htpasswd; Kiali shows EnvoyFilters to its visitors`,
    'leave out --htpasswd   # a password is generated that nobody can guess from its hash',
    'use long, random passwords that are used nowhere else',
  )
}
