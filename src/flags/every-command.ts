/** Flags of every command. */
import { Flags } from '@oclif/core'
import { defaultInDescription, timeout } from './values.ts'

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
  'as-user-extra': Flags.string({
    helpGroup,
    helpValue: 'KEY=VALUE',
    multiple: true,
    multipleNonGreedy: true,
    description: 'Extra value of the user to impersonate; repeatable',
  }),
  cluster: Flags.string({
    helpGroup,
    helpValue: 'NAME',
    description: 'Cluster of the kubeconfig (default: that of the context)',
  }),
  user: Flags.string({
    helpGroup,
    helpValue: 'NAME',
    description: 'User of the kubeconfig (default: that of the context)',
  }),
  server: Flags.string({
    char: 's',
    helpGroup,
    helpValue: 'URL',
    description: 'API server (default: that of the kubeconfig)',
  }),
  'tls-server-name': Flags.string({
    helpGroup,
    helpValue: 'NAME',
    description: "Name in the API server's certificate (default: its host)",
  }),
  'certificate-authority': Flags.string({
    helpGroup,
    helpValue: 'FILE',
    description: "CA that signs the API server's certificate (default: that of the kubeconfig)",
  }),
  'insecure-skip-tls-verify': Flags.boolean({
    helpGroup,
    description: 'Do not verify the API server: someone between could read and change everything',
  }),
  token: Flags.string({ helpGroup, helpValue: 'TOKEN', description: 'Bearer token for the API server' }),
  'client-certificate': Flags.string({
    helpGroup,
    helpValue: 'FILE',
    description: 'Client certificate for the API server',
  }),
  'client-key': Flags.string({ helpGroup, helpValue: 'FILE', description: 'Key of the client certificate' }),
  'request-timeout': timeout({
    flag: '--request-timeout',
    default: 30_000,
    defaultHelp: defaultInDescription,
    helpGroup,
    description: 'Time limit for one request to the API server; 0 is none (default: 30s)',
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
