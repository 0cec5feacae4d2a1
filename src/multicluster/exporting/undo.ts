/** How exports are undone in one cluster: names first, then what callers have, then what the gateway passes on. */
import { planChanges } from '../../changes/changes.ts'
import { counted } from '../../changes/confirmation.ts'
import type { Fragments } from '../../changes/edits.ts'
import { planEdit } from '../../changes/object-edits.ts'
import { planRemoval, whyKept } from '../../changes/removal.ts'
import { type DeleteStep, type FoundObject, notSearched, type Undo, type UndoStep } from '../../changes/undo.ts'
import type { KubeObject } from '../../cluster/cluster.ts'
import { MULTICLUSTER, ownedLabels } from '../../cluster/ownership.ts'
import { PODS, typeOf } from '../../cluster/resources.ts'
import { hasCode } from '../../errors.ts'
import { asFinding, type Finding } from '../../findings.ts'
import { listOf, mapOf, textOf } from '../../shapes.ts'
import { sh } from '../../shell.ts'
import { awaitRollout } from '../../workloads/await-rollout.ts'
import type { WorkloadObject } from '../../workloads/workload-object.ts'
import type { Dependencies } from '../../world.ts'
import type { Member } from '../members.ts'
import { CAPTURE_FRAGMENTS } from './dns/capture.ts'
import { COREFILE_FRAGMENTS, keyOf, knownNames, namesEdit } from './dns/coredns.ts'
import { type ExportInventory, findExports } from './find.ts'

/** What goes. Everything where a set is left out. */
export interface Leaving {
  /** Hosts of exported services, by which they are called. */
  readonly hosts?: ReadonlySet<string> | undefined
  /** Hosts of Services of this cluster, which the gateway passes on. */
  readonly served?: ReadonlySet<string> | undefined
}

/** What the undo needs beside the cluster. */
export interface UndoNeeds extends Pick<Dependencies, 'clock'> {
  /** Pods of runs of `verify` that were killed. */
  leftPods(member: Member): Promise<KubeObject[]>
}

const FRAGMENTS: Fragments = { ...COREFILE_FRAGMENTS, ...CAPTURE_FRAGMENTS }

/** @param timeout milliseconds to wait for the next pod of a restarted workload */
export function undoExports(member: Member, leaving: Leaving, timeout: number, { clock, leftPods }: UndoNeeds): Undo {
  const { cluster } = member
  const podSteps = async (): Promise<DeleteStep[]> => {
    const pods = leaving.hosts === undefined ? await leftPods(member) : []
    return pods.map((object) => ({ does: 'delete', resource: PODS, object }))
  }
  return {
    part: MULTICLUSTER,
    plan: async () => {
      const [inventory, pods] = await Promise.all([findExports(member), podSteps()])
      const steps = [...pods, ...stepsOf(inventory, leaving)].map((step) =>
        isWorkload(step, inventory)
          ? { ...step, settled: () => rolloutFindings(step, timeout, { cluster, clock }) }
          : step,
      )
      const judged = steps.map((step) => ({ step, kept: step.does === 'restore' ? whyStays(step) : undefined }))
      return {
        steps: judged.filter(({ kept }) => kept === undefined).map(({ step }) => step),
        warnings: [...inventory.warnings, ...unreadIn(inventory, member), ...judged.flatMap(({ kept }) => kept ?? [])],
      }
    },
    remaining: async () => [...(await podSteps()), ...stepsOf(await findExports(member), leaving)].map(objectOf),
    rehearses: true,
    question: (objects) => `Remove these ${objects} of exports from cluster ${member.name}?`,
  }
}

function whyStays(step: FoundObject): Finding | undefined {
  return whyKept(step, MULTICLUSTER, FRAGMENTS, ['YAML_INVALID'])
}

function unreadIn({ unread }: ExportInventory, { name, cluster }: Member): Finding[] {
  return unread.map((kind) =>
    notSearched(
      `cannot list ${kind} in cluster ${name}, so what exports made there was not looked for`,
      sh`kubectl --context ${cluster.context} auth can-i list ${kind} -A`,
    ),
  )
}

function stepsOf(inventory: ExportInventory, leaving: Leaving): UndoStep[] {
  const { calls } = inventory
  const leavingCalls = [...calls].filter(([host]) => leaving.hosts?.has(host) ?? true).flatMap(([, objects]) => objects)
  return [
    ...inventory.configMaps.flatMap((one) => namesStep(one, leaving)),
    ...leavingCalls.map(deleting),
    ...inventory.workloads.filter((one) => !isNeeded(one, inventory, leaving)).map(restoring),
    ...gatewaySteps(inventory, leaving),
    ...inventory.rules
      .filter(({ object }) => leaving.served?.has(textOf(mapOf(object.spec).host) ?? '') ?? true)
      .map(deleting),
  ]
}

function deleting(one: FoundObject): DeleteStep {
  return { does: 'delete', ...one }
}

function restoring(one: FoundObject): UndoStep {
  const pods = (one.object as WorkloadObject).status?.replicas
  return {
    does: 'restore',
    ...one,
    changes: planRemoval(one, MULTICLUSTER),
    fragments: FRAGMENTS,
    ...(pods === undefined ? {} : { effect: `, ${counted(pods, 'pod')} restarted` }),
  }
}

/** Names of services that stay, stay. */
function namesStep(one: FoundObject, { hosts }: Leaving): UndoStep[] {
  const known = Object.keys(knownNames(one.object))
  const left = known.filter((host) => hosts !== undefined && !hosts.has(host))
  if (left.length === 0) return [restoring(one)]
  if (left.length === known.length) return []
  const keep = (present: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(present).filter(([host]) => left.includes(host)))
  const changes = planEdit(namesEdit({ configMap: one.object, key: keyOf(one.object) }, keep))
  return changes.map((change) => ({ does: 'change', change }))
}

/** Whether sidecars of a workload have to answer names of a service that stays. */
function isNeeded({ object }: FoundObject, { called }: ExportInventory, { hosts }: Leaving): boolean {
  return called.some(
    ({ host, dns, into }) =>
      dns === 'proxy' &&
      hosts !== undefined &&
      !hosts.has(host) &&
      (into === undefined || into === object.metadata.namespace),
  )
}

/** Only for the version that was read: a run that exports at the same time must not lose its host. */
function gatewaySteps({ gateway, served }: ExportInventory, { served: leaving }: Leaving): UndoStep[] {
  if (gateway === undefined) return []
  const left = served.filter((host) => leaving !== undefined && !leaving.has(host))
  if (left.length === 0) return [deleting(gateway)]
  if (left.length === served.length) return []
  const { resource, object } = gateway
  const { name, namespace = '', resourceVersion } = object.metadata
  const spec = mapOf(object.spec)
  const servers = listOf(spec.servers).map((server) => ({ ...mapOf(server), hosts: left }))
  const version = resourceVersion === undefined ? {} : { resourceVersion }
  const manifest = {
    ...typeOf(resource),
    metadata: { name, namespace, labels: ownedLabels(MULTICLUSTER), ...version },
    spec: { ...spec, servers },
  }
  return planChanges([{ resource, manifest }], [object], MULTICLUSTER).map((change) => ({ does: 'change', change }))
}

function isWorkload(step: UndoStep, { workloads }: ExportInventory): step is Extract<UndoStep, { does: 'restore' }> {
  return step.does === 'restore' && workloads.some(({ object }) => object === step.object)
}

function objectOf(step: UndoStep): FoundObject {
  if (step.does !== 'change') return step
  return { resource: step.change.resource, object: step.change.present ?? step.change.manifest }
}

async function rolloutFindings(
  { resource, object }: FoundObject,
  timeout: number,
  needs: Pick<Dependencies, 'cluster' | 'clock'>,
): Promise<Finding[]> {
  try {
    await awaitRollout(resource, object as WorkloadObject, { timeout }, needs)
    return []
  } catch (error) {
    if (!hasCode(error, 'ROLLOUT_FAILED')) throw error
    return [asFinding(error, 'warns')]
  }
}
