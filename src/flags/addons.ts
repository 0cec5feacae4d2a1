/** Flags and arguments of `addons`. */
import { Args, Flags } from '@oclif/core'
import { requireSamples, SAMPLE_NAMES, type Sample } from '../installing/catalog.ts'
import { type Origin, type RequiredDigest, requireDigest, requireOrigin } from '../installing/source/origin.ts'
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
  from: Flags.custom<Origin>({
    helpValue: 'DIR|FILE|URL|release',
    description:
      "Install other samples: a folder like Istio's samples/addons (a URL of a folder ends with /), the file of one add-on, or the files of the release that runs, from GitHub",
    parse: async (text) => requireOrigin(text),
  })(),
  sha256: Flags.custom<RequiredDigest>({
    helpValue: '[ADDON=]HEX',
    description: 'SHA-256 that the file of the add-on must have; repeatable, once for each add-on',
    multiple: true,
    multipleNonGreedy: true,
    parse: async (text) => requireDigest(text),
  })(),
  timeout: duration({
    flag: '--timeout',
    default: 120_000,
    defaultHelp: defaultInDescription,
    description: 'Time limit for each pod to become ready (default: 2m)',
  }),
  replace: Flags.boolean({
    description:
      'Delete and create again what Kubernetes does not change in place, and uninstall an add-on whose names a named one needs (Jaeger for Zipkin); the data of their pods is lost',
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
