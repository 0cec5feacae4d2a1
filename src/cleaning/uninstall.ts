/** `addons uninstall`: removes what `addons install` created, and before that the exposures of these add-ons. */
import { ADDON_NAMES } from '../addons/catalog.ts'
import {
  type FoundObject,
  notSearched,
  type Undo,
  type UndoPlan,
  type UndoRequest,
  type UndoResult,
  type UndoStep,
  undo,
} from '../changes/undo.ts'
import { EXPOSING } from '../cluster/ownership.ts'
import { readable } from '../cluster/reading.ts'
import { SERVICES } from '../cluster/resources.ts'
import { undoExposures } from '../exposing/undo/undo.ts'
import { exposedNames, type PackagedSamples, type UninstallRequest, undoInstallation } from '../installing/undo.ts'
import type { Dependencies } from '../world.ts'

type Needs = Pick<
  Dependencies,
  'cluster' | 'terminal' | 'authorities' | 'clock' | 'random' | 'generateKey' | 'machine' | 'prober'
> &
  PackagedSamples

/** @throws UserError ADDON_IN_USE, CONSENT_REQUIRED, and the API server's answer to a write */
export async function uninstall(
  request: UninstallRequest & Pick<UndoRequest, 'yes' | 'dryRun'>,
  needs: Needs,
): Promise<UndoResult> {
  const { yes, dryRun } = request
  const installation = undoInstallation(request, needs)
  const plan = await installation.plan()
  const deletions = plan.steps.filter((step) => step.does === 'delete')
  const exposures = exposuresOf(deletions, needs)
  const exposed = exposures && (await readable(exposures.plan()))
  const together: Undo = {
    part: installation.part,
    plan: async () => joined(exposed ?? unsearched(exposures), plan, deletions),
    beforeDeleting: async (next) => exposures?.beforeDeleting?.(next),
    remaining: async (tried) => [
      ...(exposed === undefined ? [] : ((await exposures?.remaining(tried)) ?? [])),
      ...(await installation.remaining(tried)),
    ],
    question: (objects) => installation.question(objects),
  }
  return undo(together, { yes, dryRun }, needs)
}

/** The exposures that lead to one of these objects; undefined if none of them can be exposed. */
function exposuresOf(objects: readonly FoundObject[], needs: Needs): Undo | undefined {
  const names = exposedNames(objects.map(({ object }) => object)).filter((name) => ADDON_NAMES.includes(name))
  const services = objects.filter(({ resource }) => resource === SERVICES).map(({ object }) => object.metadata)
  if (names.length === 0 || services.length === 0) return undefined
  const leading = new Set(services.map(({ namespace, name }) => `${namespace}/${name}`))
  return undoExposures({ addons: { names, named: false }, services: leading }, needs)
}

/** An object that is deleted is not restored before: Kiali would restart for nothing. */
function joined(exposed: UndoPlan, installed: UndoPlan, deletions: readonly FoundObject[]): UndoPlan {
  const going = deletions.map(({ object }) => object.metadata.uid)
  const needed = exposed.steps
    .filter((step) => step.does !== 'restore' || !going.includes(step.object.metadata.uid))
    .map((step): UndoStep => (step.does === 'restore' ? { ...step, part: EXPOSING } : step))
  return { steps: [...needed, ...installed.steps], warnings: [...exposed.warnings, ...installed.warnings] }
}

/** A user who may not list them has hardly exposed anything; another user may have. */
function unsearched(exposures: Undo | undefined): UndoPlan {
  const message = 'could not list the objects of exposures, so exposures of these add-ons were not searched for'
  const finding = notSearched(message, 'run cleanup with the permissions in docs/rbac.md')
  return { steps: [], warnings: exposures === undefined ? [] : [finding] }
}
