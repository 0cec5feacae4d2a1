/** How secure scraping is undone: workload by workload, then what they needed, and Prometheus last. */

import { counted } from '../changes/confirmation.ts'
import type { Fragments } from '../changes/edits.ts'
import { planRemoval, whyKept } from '../changes/removal.ts'
import type { FoundObject, Undo, UndoStep } from '../changes/undo.ts'
import { isOwnedBy, SCRAPING } from '../cluster/ownership.ts'
import { WORKLOADS } from '../cluster/resources.ts'
import { hasCode } from '../errors.ts'
import { asFinding, type Finding } from '../findings.ts'
import { awaitRollout } from '../workloads/await-rollout.ts'
import type { WorkloadObject } from '../workloads/workload-object.ts'
import type { Dependencies } from '../world.ts'
import { findScraping, type ScrapingInventory } from './inventory.ts'
import { ACCESS_FRAGMENTS } from './methods/access.ts'
import { TEMPLATE_FRAGMENTS } from './methods/template.ts'
import { PROMETHEUS_FRAGMENTS } from './scraper/edits.ts'

const FRAGMENTS: Fragments = { ...PROMETHEUS_FRAGMENTS, ...TEMPLATE_FRAGMENTS, ...ACCESS_FRAGMENTS }

type Needs = Pick<Dependencies, 'cluster' | 'terminal' | 'clock'>

/** @param timeout milliseconds to wait for the next pod of a workload. A workload that does not become ready is reported, and the undo continues */
export function undoScraping(timeout: number, needs: Needs): Undo {
  return {
    part: SCRAPING,
    plan: async () => {
      const inventory = await findScraping(needs.cluster)
      const kept = new Map(
        allOf(inventory).flatMap((one) => {
          const why = whyKept(one, SCRAPING, FRAGMENTS, ['YAML_INVALID', 'PROMETHEUS_CONFIG_UNKNOWN'])
          return why === undefined ? [] : [[one.object, why] as const]
        }),
      )
      const steps = stepsOf(inventory, timeout, needs).filter(
        (step) => step.does !== 'restore' || !kept.has(step.object),
      )
      return { steps, warnings: [...inventory.warnings, ...kept.values()] }
    },
    remaining: async () => allOf(await findScraping(needs.cluster)),
    // Each restored workload restarts its pods: a refusal half-way would cost restarts for nothing.
    rehearses: true,
    question: (objects) => `Undo secure scraping in these ${objects}?`,
  }
}

function allOf({ workloads, companions, prometheus }: ScrapingInventory): FoundObject[] {
  return [...workloads, ...companions, ...prometheus]
}

function stepsOf(inventory: ScrapingInventory, timeout: number, needs: Needs): UndoStep[] {
  return allOf(inventory).map((one) => {
    if (isOwnedBy(one.object, SCRAPING)) return { does: 'delete', ...one }
    const waits = WORKLOADS.includes(one.resource) && !inventory.companions.includes(one)
    return {
      does: 'restore',
      ...one,
      changes: planRemoval(one, SCRAPING),
      fragments: FRAGMENTS,
      effect: restartsOf(one),
      ...(waits ? { settled: () => rolloutFindings(one, timeout, needs) } : {}),
    }
  })
}

async function rolloutFindings({ resource, object }: FoundObject, timeout: number, needs: Needs): Promise<Finding[]> {
  try {
    await awaitRollout(resource, object as WorkloadObject, { timeout }, needs)
    return []
  } catch (error) {
    if (!hasCode(error, 'ROLLOUT_FAILED')) throw error
    return [asFinding(error, 'warns')]
  }
}

function restartsOf({ resource, object }: FoundObject): string {
  if (!WORKLOADS.includes(resource)) return ''
  const { status = {} } = object as WorkloadObject
  const pods = status.replicas ?? status.desiredNumberScheduled ?? 0
  return `, ${counted(pods, 'pod')} restarted`
}
