/** How tracing is undone: the Telemetries first, then the providers that they name. */
import { type Change, planChanges } from '../changes/changes.ts'
import { reverting } from '../changes/edits.ts'
import { type FoundObject, notSearched, type Undo, type UndoStep } from '../changes/undo.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { appliedFields, isOwnedBy, TRACING } from '../cluster/ownership.ts'
import { typeOf } from '../cluster/resources.ts'
import { hasCode } from '../errors.ts'
import { asFinding, type Finding } from '../findings.ts'
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
      const kept = chosen.flatMap(whyKept)
      const steps = chosen.filter((one) => !kept.some(({ object }) => object === one.object)).map(stepOf)
      const unread = inventory.unread.map((kind) =>
        notSearched(
          `cannot list ${kind}, so what tracing changed there was not looked for`,
          sh`kubectl auth can-i list ${kind} -A`,
        ),
      )
      return { steps, warnings: [...inventory.findings, ...unread, ...kept.map(({ finding }) => finding)] }
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
  return { does: 'restore', ...one, changes: removal(one), fragments: TRACING_FRAGMENTS }
}

/** An empty apply, which removes the fields that we applied. */
function removal({ resource, object }: FoundObject): Change[] {
  if (appliedFields(object, TRACING) === undefined) return []
  const { name, namespace } = object.metadata
  const manifest = { ...typeOf(resource), metadata: { name, ...(namespace === undefined ? {} : { namespace }) } }
  return planChanges([{ resource, manifest, by: 'sharing' }], [object], TRACING)
}

/** A mesh configuration that is no YAML any more stays unchanged: istiod ignores it anyway. */
function whyKept({ object }: FoundObject): { object: FoundObject['object']; finding: Finding }[] {
  try {
    reverting(object, TRACING, TRACING_FRAGMENTS)
    return []
  } catch (error) {
    if (!hasCode(error, 'YAML_INVALID')) throw error
    const { kind, metadata } = object
    const finding = asFinding(error, 'warns')
    const message = `${kind} ${metadata.namespace}/${metadata.name} was left unchanged: ${finding.message}`
    const edit = sh`kubectl -n ${metadata.namespace} edit ${kind.toLowerCase()} ${metadata.name}   # correct it, then run the command again`
    return [{ object, finding: { ...finding, message, remedies: [edit] } }]
  }
}
