/** `addons uninstall`: removes what `addons install` created, and nothing else. */
import { type UndoRequest, type UndoResult, undo } from '../changes/undo.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { Terminal } from '../terminal/terminal.ts'
import type { SampleFiles } from './samples.ts'
import { type UninstallRequest, undoInstallation } from './undo.ts'

/** @throws UserError ADDON_IN_USE, CONSENT_REQUIRED */
export function uninstall(
  request: UninstallRequest & Pick<UndoRequest, 'yes' | 'dryRun'>,
  needs: { cluster: Cluster; terminal: Terminal; samples: SampleFiles },
): Promise<UndoResult> {
  const { yes, dryRun } = request
  return undo(undoInstallation(request, needs), { yes, dryRun }, needs)
}
