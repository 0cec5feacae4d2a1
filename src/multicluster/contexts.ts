/** Chooses the contexts of a run, and names their clusters. */
import type { Cluster } from '../cluster/cluster.ts'
import { identify } from '../cluster/reading.ts'
import { UserError, usageError } from '../errors.ts'
import { sh } from '../shell.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { inCluster, type Member } from './members.ts'
import { isClusterName } from './names.ts'
import { findRecord } from './record.ts'

/** A value of `--context`. */
export interface ContextChoice {
  /** The cluster's short name, where the user gave one. */
  name?: string
  context: string
}

/**
 * The contexts of `--context`, or those that the user chooses from a list.
 * @param known reads the contexts of the kubeconfig
 * @throws UserError CONTEXTS_NEEDED (exit 2), CLUSTER_NAME_INVALID (exit 2), CLUSTER_TWICE (exit 2), CLUSTER_NAME_TWICE (exit 2)
 */
export async function chooseContexts(
  words: readonly string[],
  known: () => Promise<string[]>,
  terminal: Pick<Terminal, 'interactive' | 'checkbox'>,
): Promise<ContextChoice[]> {
  if (words.length === 0 && terminal.interactive) {
    const choices = (await known()).map((context) => ({ name: context, value: { context } }))
    const chosen = await terminal.checkbox<ContextChoice>('Which clusters?', choices, [])
    return several(chosen)
  }
  const all = words.length === 0 ? [] : await known()
  const chosen = several(words.map((word) => contextOf(word, all)))
  const twice = chosen.find(({ context }, index) => chosen.findIndex((one) => one.context === context) !== index)
  if (twice !== undefined) throw sameCluster(`--context ${twice.context} is given twice; each is one cluster`, 2)
  const names = chosen.flatMap(({ name }) => name ?? [])
  const name = names.find((one, index) => names.indexOf(one) !== index)
  if (name !== undefined) throw nameTwice(name, 2)
  return chosen
}

function several(chosen: ContextChoice[]): ContextChoice[] {
  if (chosen.length > 1) return chosen
  const message =
    chosen.length === 0 ? '--context is missing: it names a cluster, and is given twice or more' : ONE_CONTEXT
  throw usageError('CONTEXTS_NEEDED', message, [
    '--context west=CONTEXT --context east=CONTEXT',
    'kubectl config get-contexts',
  ])
}

const ONE_CONTEXT = 'one --context is not enough: a mesh of several clusters needs two or more'

/** `NAME=CONTEXT` or `CONTEXT`. A context whose own name has this form is meant as a whole. */
function contextOf(word: string, known: readonly string[]): ContextChoice {
  const at = word.indexOf('=')
  if (at < 0 || known.includes(word)) return { context: word }
  const [name, context] = [word.slice(0, at), word.slice(at + 1)]
  if (isClusterName(name)) return { name, context }
  throw usageError(
    'CLUSTER_NAME_INVALID',
    `--context ${JSON.stringify(word)}: ${JSON.stringify(name)} is not a name of a cluster: lower-case letters, digits and hyphens, at most 40`,
    ['--context west=CONTEXT'],
  )
}

/** @param exitCode 2 where flags give both names */
function nameTwice(name: string, exitCode: 1 | 2): UserError {
  return new UserError('CLUSTER_NAME_TWICE', `two clusters have the name "${name}"`, {
    exitCode,
    suggestions: ['--context OTHERNAME=CONTEXT   # gives a cluster another name'],
  })
}

/**
 * Names each cluster: as its record has it, else as the user says, else after its context.
 * @param clusters one for each choice, in the same order
 * @throws UserError CLUSTER_TWICE, CLUSTER_NAME_DIFFERS, CLUSTER_NAME_TWICE, CLUSTER_UNREACHABLE
 */
export async function nameMembers(choices: readonly ContextChoice[], clusters: readonly Cluster[]): Promise<Member[]> {
  const found = await Promise.all(
    clusters.map(async (cluster, index) => {
      const { name = cluster.context } = choices[index] ?? {}
      const [{ uid }, record] = await inCluster({ name }, () => Promise.all([identify(cluster), findRecord(cluster)]))
      return { cluster, uid, recorded: record?.name }
    }),
  )
  const members = found.map(({ cluster, uid, recorded }, index) => {
    const { name: given, context } = choices[index] ?? { context: cluster.context }
    const same = found.findIndex((other) => uid !== undefined && other.uid === uid)
    if (same !== index && uid !== undefined) throw sameCluster(bothLeadTo(choices[same]?.context ?? '', context), 1)
    if (given !== undefined && recorded !== undefined && given !== recorded)
      throw nameDiffers({ given, recorded, context })
    return { name: recorded ?? given ?? nameAfter(context), cluster }
  })
  const twice = members.find(({ name }, index) => members.findIndex((one) => one.name === name) !== index)
  if (twice !== undefined) throw nameTwice(twice.name, 1)
  return members
}

function bothLeadTo(one: string, other: string): string {
  return `the contexts ${one} and ${other} lead to the same cluster (its namespace kube-system has one UID)`
}

/** @param exitCode 2 where the flags show it */
function sameCluster(message: string, exitCode: 1 | 2): UserError {
  return new UserError('CLUSTER_TWICE', message, { exitCode, suggestions: ['kubectl config get-contexts'] })
}

function nameDiffers({ given, recorded, context }: { given: string; recorded: string; context: string }): UserError {
  const message = `the cluster of context ${context} is recorded as "${recorded}", not as "${given}"`
  return new UserError('CLUSTER_NAME_DIFFERS', message, { suggestions: [sh`--context ${`${recorded}=${context}`}`] })
}

/** The context's name, fit for a label: `arn:aws:eks:eu-west-1:1:cluster/west` is `arn-aws-eks-eu-west-1-1-cluster-west`. */
function nameAfter(context: string): string {
  const fit = context
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(-40)
    .replace(/^-+|-+$/g, '')
  return isClusterName(fit) ? fit : 'cluster'
}
