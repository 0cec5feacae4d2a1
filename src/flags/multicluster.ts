/** Flags of `multicluster`. */
import { Flags } from '@oclif/core'
import { shared } from './every-command.ts'

const { as, 'as-group': groups, 'as-uid': uid, 'as-user-extra': extra } = shared

/** Flags of every command that works in several clusters. Those that replace a part of one context are not among them. */
export const severalClusters = {
  context: Flags.string({
    helpValue: '[NAME=]CONTEXT',
    multiple: true,
    multipleNonGreedy: true,
    default: async () => [],
    description: 'Kubeconfig context of a cluster, and the name to give the cluster; twice or more',
  }),
  kubeconfig: shared.kubeconfig,
  as,
  'as-group': groups,
  'as-uid': uid,
  'as-user-extra': extra,
  'request-timeout': shared['request-timeout'],
  output: shared.output,
  verbose: shared.verbose,
}
