/** `multicluster cleanup`: what exports made in all given clusters, or only what single hosts need. One question for all clusters. */
import { confirm, counted } from '../../changes/confirmation.ts'
import { Progress } from '../../changes/progress.ts'
import { type RemovedObject, type UndoResult, undo } from '../../changes/undo.ts'
import type { ObjectName } from '../../cluster/cluster.ts'
import { type Finding, notes } from '../../findings.ts'
import type { Dependencies } from '../../world.ts'
import { type ClusterObject, ClusterProgress, inCluster, type Member } from '../members.ts'
import { type ExportInventory, findExports } from './find.ts'
import { serviceOf } from './names.ts'
import { type Leaving, type UndoNeeds, undoExports } from './undo.ts'

export interface CleanupRequest {
  /** Hosts of exported services, or of Services in their own cluster; everything when empty. */
  hosts: string[]
  /** Milliseconds to wait for the next pod of a restarted workload. */
  timeout: number
  yes: boolean
  dryRun: 'none' | 'client' | 'server'
}

/** An object that was removed or restored. */
interface CleanedObject extends Omit<ClusterObject, 'action'> {
  action: 'deleted' | 'restored' | 'configured'
}

export interface CleanupResult {
  outcome: UndoResult['outcome']
  objects: CleanedObject[]
  /** Should be gone, and are not. */
  remaining: (RemovedObject & { cluster: string })[]
  problems: Finding[]
}

/** Whether the exit code is 0. */
export function cleaned({ outcome, remaining }: CleanupResult): boolean {
  return outcome !== 'declined' && remaining.length === 0
}

type Needs = UndoNeeds & Pick<Dependencies, 'terminal'>

/** @throws UserError CONSENT_REQUIRED, and the API servers' answers */
export async function cleanupExports(
  request: CleanupRequest,
  members: readonly Member[],
  needs: Needs,
): Promise<CleanupResult> {
  const { hosts, timeout, yes, dryRun } = request
  const inventories = await Promise.all(members.map((one) => inCluster(one, () => findExports(one))))
  const ways = members.map((member) => ({
    member,
    way: undoExports(member, leavingFrom(member, hosts, inventories), timeout, needs),
  }))
  const look = dryRun === 'client' ? 'client' : 'server'
  const run = (one: (typeof ways)[number], how: 'none' | 'client' | 'server') =>
    inCluster(one.member, () =>
      undo(one.way, { yes: true, dryRun: how }, { cluster: one.member.cluster, terminal: needs.terminal }),
    )
  const planned = await Promise.all(ways.map((one) => run(one, look)))
  const plan = resultOf('planned', members, planned, unknownHosts(hosts, inventories))
  if (dryRun !== 'none' || plan.objects.length === 0) return dryRun === 'none' ? { ...plan, outcome: 'applied' } : plan
  const objects = counted(plan.objects.length, 'object')
  const question = {
    yes,
    effect: `delete or change ${objects}`,
    lines: plan.objects.map(lineOf),
    question: `Remove these ${objects} of exports?`,
    preview: 'client' as const,
  }
  if (!(await confirm(question, needs.terminal))) return { ...plan, outcome: 'declined' }
  const progress = new Progress()
  const done = await progress.reportOnError(async () => {
    const results: UndoResult[] = []
    for (const one of ways) {
      const own = new ClusterProgress(one.member, progress)
      const result = await run(one, 'none')
      for (const { kind, name } of result.deleted) own.deleted(`${kind.toLowerCase()}/${name}`)
      results.push(result)
    }
    return results
  })
  return resultOf('applied', members, done, plan.problems)
}

function lineOf({ cluster, kind, namespace, name, action }: CleanedObject): string {
  const verb = { deleted: 'delete', restored: 'restore', configured: 'change' }[action]
  return `${cluster}: ${kind} ${namespace}/${name}: ${verb}`
}

/** What goes in one cluster: a Service stays open while another host that stays leads to it from here. */
function leavingFrom({ name }: Member, hosts: readonly string[], inventories: readonly ExportInventory[]): Leaving {
  if (hosts.length === 0) return {}
  const called = inventories.flatMap((one) => one.called)
  // A host of a Service in its own cluster stands for all by which it is called.
  const standing = called.filter(({ service }) => hosts.some((host) => isOf(host, service)))
  const leaving = new Set([...hosts, ...standing.map(({ host }) => host)])
  const own = inventories.find(({ member }) => member.name === name)
  const served = (own?.served ?? []).filter((host) => {
    const calls = called.filter(({ service, from }) => isOf(host, service) && from.some((one) => one.cluster === name))
    if (calls.some((one) => !leaving.has(one.host))) return false
    return leaving.has(host) || calls.length > 0 || hosts.some((one) => isUsualHost(one, host))
  })
  return { hosts: leaving, served: new Set(served) }
}

/** Whether a host is that of a Service in its own cluster. */
function isOf(host: string, { name, namespace }: Required<ObjectName>): boolean {
  const service = serviceOf(host)
  return service?.name === name && service.namespace === namespace
}

/** Whether a host is the usual one of a Service: NAME.NAMESPACE.SUFFIX. A run that was cut off has made nothing that says more. */
function isUsualHost(host: string, served: string): boolean {
  const service = serviceOf(served)
  return service !== undefined && host.startsWith(`${service.name}.${service.namespace}.`)
}

function unknownHosts(hosts: readonly string[], inventories: readonly ExportInventory[]): Finding[] {
  const known = new Set(inventories.flatMap(({ calls, served }) => [...calls.keys(), ...served]))
  const isKnown = (host: string) => [...known].some((one) => one === host || isUsualHost(host, one))
  return hosts
    .filter((host) => !isKnown(host))
    .map((host) => {
      const others = [...known].join(', ')
      const message = `no cluster of this run has an export with the host ${host}${others === '' ? '' : `; there are: ${others}`}`
      return notes('EXPORT_NOT_FOUND', message)
    })
}

function resultOf(
  outcome: CleanupResult['outcome'],
  members: readonly Member[],
  results: readonly UndoResult[],
  findings: readonly Finding[],
): CleanupResult {
  const each = results.map((result, index) => ({ cluster: members[index]?.name ?? '', ...result }))
  const known = new Set(findings.map((one) => JSON.stringify(one)))
  const warnings = each.flatMap((one) => one.warnings).filter((one) => !known.has(JSON.stringify(one)))
  return {
    outcome,
    objects: each.flatMap(({ cluster, deleted, restored, changed }) => [
      ...restored.map((one) => ({ cluster, ...one, action: 'restored' as const })),
      ...changed.map((one) => ({ cluster, ...one, action: 'configured' as const })),
      ...deleted.map((one) => ({ cluster, ...one, action: 'deleted' as const })),
    ]),
    remaining: each.flatMap(({ cluster, remaining }) => remaining.map((one) => ({ cluster, ...one }))),
    problems: [...findings, ...warnings],
  }
}
