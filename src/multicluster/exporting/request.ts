/** What is asked of `multicluster export`: types only. */
import type { ObjectName } from '../../cluster/cluster.ts'

export interface ExportRequest {
  service: Required<ObjectName>
  /** Names of the clusters that serve it. */
  in: string[]
  /** Names of the clusters that call it; left out: all others, or all where every cluster serves. */
  to?: string[] | undefined
  /** How it is called; left out: NAME.NAMESPACE and the suffix. */
  host?: string | undefined
  suffix: string
  /** The address of the host in calling clusters; left out: a free one in each. */
  address?: string | undefined
  /** The only namespace that may call it. */
  into?: string | undefined
  /** The label whose values become subsets. */
  subsets?: string | undefined
  /** The egress gateway of calling clusters. */
  via?: Required<ObjectName> | undefined
  dns: 'auto' | 'coredns' | 'proxy' | 'none'
  /** Milliseconds for names to be known, and for each restarted pod. */
  timeout: number
  yes: boolean
  dryRun: 'none' | 'client' | 'server'
}
