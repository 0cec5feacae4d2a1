/** Flags and arguments of `addons`. */
import { Args, Flags } from '@oclif/core'
import { requireSamples, SAMPLE_NAMES, type Sample } from '../installing/catalog.ts'
import { defaultInDescription, diff, dryRun, duration, yes } from './values.ts'

const revision = Flags.string({
  helpValue: 'REVISION',
  description: 'Revision of the istiod whose version counts (default: the only one)',
})

export const listFlags = { revision }

export const installFlags = {
  namespace: Flags.string({
    char: 'n',
    helpValue: 'NAMESPACE',
    description: "Namespace for the add-ons, created if it does not exist (default: istiod's)",
  }),
  revision,
  timeout: duration({
    flag: '--timeout',
    default: 120_000,
    defaultHelp: defaultInDescription,
    description: 'Time limit for each pod to become ready (default: 2m)',
  }),
  replace: Flags.boolean({
    description: 'Delete and create again what Kubernetes does not change in place; the data of its pods is lost',
  }),
  'dry-run': dryRun(),
  diff,
  yes,
}

export const uninstallFlags = { 'dry-run': dryRun(), yes }

/** @param purpose what the command does with them @param byDefault for help */
export function sampleArg(purpose: string, byDefault: string) {
  return Args.string({
    name: 'addon',
    multiple: true,
    description: `${purpose}: ${SAMPLE_NAMES.join(', ')}, all (default: ${byDefault})`,
  })
}

/** @returns undefined without names: the user chooses. @throws UserError SAMPLE_UNKNOWN (exit 2) */
export function requireInstallable(words: readonly string[]): Sample[] | undefined {
  return words.length === 0 ? undefined : requireNamed(words)
}

/** @throws UserError SAMPLE_UNKNOWN (exit 2) */
export function requireUninstallable(words: readonly string[]): Sample[] {
  return words.length === 0 ? requireSamples(SAMPLE_NAMES) : requireNamed(words)
}

function requireNamed(words: readonly string[]): Sample[] {
  return requireSamples(words.includes('all') ? SAMPLE_NAMES : words)
}
