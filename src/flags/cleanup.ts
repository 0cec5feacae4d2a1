/** Flags of `cleanup`. */
import { Flags } from '@oclif/core'
import { defaultInDescription, dryRun, duration, yes } from './values.ts'

export const cleanupFlags = {
  namespace: Flags.string({
    char: 'n',
    helpValue: 'NAMESPACE',
    description: 'Namespace of the Services (default: that of the context)',
  }),
  certificates: Flags.boolean({
    description: 'Also delete every CA on this machine, including those made for other clusters',
  }),
  'documented-setup': Flags.boolean({
    description: "Also remove objects created by hand from Istio's documentation (in istio-system, or in -n)",
  }),
  expired: Flags.boolean({ description: 'Remove only expired exposures (expose --ttl)' }),
  scraping: Flags.boolean({
    exclusive: ['certificates', 'documented-setup', 'expired'],
    description: 'Undo scrape-secure; exposures are unchanged',
  }),
  timeout: duration({
    flag: '--timeout',
    default: 120_000,
    defaultHelp: defaultInDescription,
    description: 'With --scraping: time limit for each pod to become ready (default: 2m)',
  }),
  'dry-run': dryRun(),
  yes,
}
