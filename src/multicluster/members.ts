/** The clusters of one run. */
import { type Change, type Comparison, comparisonOf, type ObjectOutcome } from '../changes/changes.ts'
import { Progress } from '../changes/progress.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { UserError, usageError } from '../errors.ts'

/** A cluster, and the short name by which flags, objects and messages know it. */
export interface Member {
  readonly name: string
  readonly cluster: Cluster
}

/** An object of one of the clusters. */
export interface ClusterObject extends ObjectOutcome {
  cluster: string
}

/** An object of one of the clusters before and after a change, for `--diff`. */
export function comparisonIn({ name }: Pick<Member, 'name'>, change: Change): Comparison {
  const comparison = comparisonOf(change)
  return { ...comparison, name: `${comparison.name} of cluster ${name}` }
}

/** What a run has done in one of several clusters: each object is reported with the name of its cluster. */
export class ClusterProgress extends Progress {
  readonly #name: string
  readonly #all: Progress

  constructor({ name }: Pick<Member, 'name'>, all: Progress) {
    super()
    this.#name = name
    this.#all = all
  }

  override changed(object: string): void {
    this.#all.changed(`${this.#name}: ${object}`)
  }

  override deleted(object: string): void {
    this.#all.deleted(`${this.#name}: ${object}`)
  }
}

/** @throws UserError with the name of the cluster, where the work throws one */
export async function inCluster<T>({ name }: Pick<Member, 'name'>, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof UserError) || error.cluster !== undefined) throw error
    const { code, suggestions, exitCode } = error
    const message = error.message.includes(`cluster ${name}`) ? error.message : `cluster ${name}: ${error.message}`
    throw new UserError(code, message, { suggestions, exitCode, cause: error, cluster: name })
  }
}

/**
 * Checks that the names of clusters in flags are those of the contexts.
 * @param flags by flag: its values by the name of a cluster
 * @throws UserError CLUSTER_UNKNOWN (exit 2)
 */
export function requireNames(
  members: readonly Member[],
  flags: Readonly<Record<string, ReadonlyMap<string, unknown>>>,
): void {
  const known = members.map(({ name }) => name)
  for (const [flag, values] of Object.entries(flags)) {
    const unknown = [...values.keys()].find((name) => !known.includes(name))
    if (unknown === undefined) continue
    const message = `${flag} ${unknown}: no cluster of --context has this name; there are: ${known.join(', ')}`
    throw usageError('CLUSTER_UNKNOWN', message)
  }
}
