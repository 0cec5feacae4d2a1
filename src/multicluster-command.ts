/** The base of commands that work in several clusters. */
import type { Interfaces } from '@oclif/core'
import { BaseCommand } from './base-command.ts'
import type { Cluster } from './cluster/cluster.ts'
import { RememberingCluster } from './cluster/remembering-cluster.ts'
import { severalClusters } from './flags/multicluster.ts'
import { chooseContexts, nameMembers } from './multicluster/contexts.ts'
import type { Member } from './multicluster/members.ts'
import type { Pods } from './multicluster/verifying/pods.ts'
import type { Dependencies } from './world.ts'

type Flags = Interfaces.InferredFlags<typeof severalClusters>

interface Connected {
  members: Member[]
  /** The same clusters, of which each object is read once: for what is neither written nor waited for. */
  readers: Member[]
}

export abstract class MulticlusterCommand extends BaseCommand {
  static override baseFlags = severalClusters

  /** One connection for each cluster, by its name, and the adapters of this machine. */
  protected async connectMembers(flags: Flags): Promise<Omit<Dependencies, 'cluster'> & Connected> {
    const choices = await chooseContexts(flags.context ?? [], () => this.contextNames(flags), await this.terminal())
    const labelled = choices.map(({ name, context }) => ({ label: name ?? context, context }))
    const { context: _, ...others } = flags
    const { clusters, ...machine } = await this.connectEach(labelled, others)
    const remembering = clusters.map((cluster) => new RememberingCluster(cluster))
    const readers = await nameMembers(choices, remembering)
    const members = readers.map(({ name }, index) => ({ name, cluster: clusters[index] as Cluster }))
    return { ...machine, members, readers }
  }

  /** The ways to ask pods. */
  protected async pods(): Promise<Pods> {
    const [askInside, readServedChain, runProgram] = await Promise.all([
      this.askInside(),
      this.readServedChain(),
      this.runProgram(),
    ])
    return { askInside, readServedChain, runProgram }
  }
}
