/** The clusters of one run. */
import type { Cluster } from '../cluster/cluster.ts'

/** A cluster, and the short name by which flags, objects and messages know it. */
export interface Member {
  readonly name: string
  readonly cluster: Cluster
}
