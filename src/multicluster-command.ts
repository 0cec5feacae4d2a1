/** The base of commands that work in several clusters. */
import type { Interfaces } from '@oclif/core'
import { BaseCommand } from './base-command.ts'
import { severalClusters } from './flags/multicluster.ts'
import { chooseContexts, nameMembers } from './multicluster/contexts.ts'
import type { Member } from './multicluster/members.ts'
import type { Pods } from './multicluster/verifying/pods.ts'
import type { Dependencies } from './world.ts'

type Flags = Interfaces.InferredFlags<typeof severalClusters>

export abstract class MulticlusterCommand extends BaseCommand {
  static override baseFlags = severalClusters

  /** One connection for each cluster, by its name, and the adapters of this machine. */
  protected async connectMembers(flags: Flags): Promise<Omit<Dependencies, 'cluster'> & { members: Member[] }> {
    const choices = await chooseContexts(flags.context ?? [], () => this.contextNames(flags), await this.terminal())
    const labelled = choices.map(({ name, context }) => ({ label: name ?? context, context }))
    const { context: _, ...others } = flags
    const { clusters, ...machine } = await this.connectEach(labelled, others)
    return { ...machine, members: await nameMembers(choices, clusters) }
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
