/** How tracing is undone: the Telemetries first, then the providers that they name. */
import { planRemoval, whyKept } from '../changes/removal.ts'
import { type FoundObject, notSearched, type Undo, type UndoStep } from '../changes/undo.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { isOwnedBy, TRACING } from '../cluster/ownership.ts'
import { listOf, mapOf, textOf } from '../shapes.ts'
import { sh } from '../shell.ts'
import { findTracing, type TracingInventory } from './inventory.ts'
import { PROVIDER_NAME } from './mesh-text.ts'
import { TRACING_FRAGMENTS } from './plan.ts'

/** @param namespace only the Telemetry there, and the providers if no other Telemetry of ours names them; everything when left out */
export function undoTracing(namespace: string | undefined, cluster: Cluster): Undo {
  return {
    part: TRACING,
    plan: async () => {
      const inventory = await findTracing(cluster)
      const chosen = chosenOf(inventory, namespace)
      // A mesh configuration that is no YAML any more stays unchanged: istiod ignores it anyway.
      const judged = chosen.map((one) => ({ one, kept: whyKept(one, TRACING, TRACING_FRAGMENTS, ['YAML_INVALID']) }))
      const steps = judged.filter(({ kept }) => kept === undefined).map(({ one }) => stepOf(one))
      const kept = judged.flatMap((each) => each.kept ?? [])
      const unread = inventory.unread.map((kind) =>
        notSearched(
          `cannot list ${kind}, so what tracing changed there was not looked for`,
          sh`kubectl auth can-i list ${kind} -A`,
        ),
      )
      return { steps, warnings: [...inventory.findings, ...unread, ...kept] }
    },
    remaining: async () => chosenOf(await findTracing(cluster), namespace),
    rehearses: true,
    question: (objects) => `Switch tracing off in these ${objects}?`,
  }
}

function chosenOf({ telemetries, configMaps }: TracingInventory, namespace: string | undefined): FoundObject[] {
  const isChosen = ({ object }: FoundObject) => namespace === undefined || object.metadata.namespace === namespace
  const others = telemetries.filter((one) => !isChosen(one))
  const areFree = !others.some(({ object }) => namesOurs(object.spec))
  return [...telemetries.filter(isChosen), ...(areFree ? configMaps : [])]
}

/** Whether a Telemetry names the provider that we add. */
function namesOurs(spec: unknown): boolean {
  return listOf(mapOf(spec).tracing).some((entry) =>
    listOf(mapOf(entry).providers).some((one) => textOf(mapOf(one).name) === PROVIDER_NAME),
  )
}

function stepOf(one: FoundObject): UndoStep {
  if (isOwnedBy(one.object, TRACING)) return { does: 'delete', ...one }
  return { does: 'restore', ...one, changes: planRemoval(one, TRACING), fragments: TRACING_FRAGMENTS }
}
