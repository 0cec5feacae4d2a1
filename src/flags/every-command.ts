/** Flags of every command. */
import { Flags } from '@oclif/core'
import { defaultInDescription, duration } from './values.ts'

/** Help lists flags that no command needs in daily use under GLOBAL FLAGS. */
const helpGroup = 'global'

export const shared = {
  namespace: Flags.string({
    char: 'n',
    helpValue: 'NAMESPACE',
    description: 'Namespace of the add-ons (default: all namespaces)',
  }),
  context: Flags.string({
    helpGroup,
    helpValue: 'NAME',
    description: 'Kubeconfig context (default: the current context)',
  }),
  kubeconfig: Flags.string({
    helpGroup,
    helpValue: 'FILE',
    description: 'Kubeconfig file (default: $KUBECONFIG, else ~/.kube/config)',
  }),
  as: Flags.string({ helpGroup, helpValue: 'USER', description: 'User to impersonate' }),
  'as-group': Flags.string({
    helpGroup,
    helpValue: 'GROUP',
    multiple: true,
    multipleNonGreedy: true,
    description: 'Group to impersonate; repeatable',
  }),
  'as-uid': Flags.string({ helpGroup, helpValue: 'UID', description: 'UID to impersonate' }),
  'request-timeout': duration({
    flag: '--request-timeout',
    default: 30_000,
    defaultHelp: defaultInDescription,
    helpGroup,
    description: 'Time limit for one request to the API server (default: 30s)',
  }),
  output: Flags.option({ options: ['json', 'yaml'] as const })({
    char: 'o',
    description: 'Print the result as JSON or YAML',
  }),
  verbose: Flags.boolean({
    char: 'v',
    description: 'Log every request to the API server and every forwarded connection to stderr',
  }),
}
