import type { InstallProgress } from '../installing/install.ts'
import type { AddonList, ListedAddon } from '../installing/list.ts'
import type { InstalledAddon, InstallReport } from '../installing/result.ts'
import { dryRunMark, type OutputFormat, page, renderData, renderObject, tableLines } from './output.ts'
import { renderPlan } from './plan.ts'

export function renderAddonList(list: AddonList, format: OutputFormat | undefined): string {
  if (format !== undefined) return renderData(list, format)
  const { context, istio, samples, addons } = list
  const running =
    istio === undefined ? 'not found' : `${istio.version ?? 'unknown'} (${istio.namespace}, revision ${istio.revision})`
  return page([
    `context  ${context}`,
    `istio    ${running}`,
    '',
    ...tableLines([
      ['ADD-ON', 'NAMESPACE', 'WORKLOAD', 'VERSION', 'READY', 'INSTALLED BY', `ISTIO ${samples}`],
      ...addons.flatMap(rows),
    ]),
  ])
}

/** A row for each place. */
function rows({ name, running, fits = '-' }: ListedAddon): string[][] {
  if (running.length === 0) return [[name, '-', 'not installed', '-', '-', '-', fits]]
  return running.map(({ namespace, workload, version = '-', ready, installedBy }) => [
    name,
    namespace,
    workload,
    version,
    `${ready.ready}/${ready.wanted}`,
    installedBy === 'others' ? 'others' : 'kubectl telemetry',
    fits,
  ])
}

/** The status line while pods start. */
export function renderInstallProgress({ addon, ready, wanted }: InstallProgress): string {
  return `waiting for ${addon}: ${ready} of ${wanted} pods ready`
}

export function renderInstall(
  report: InstallReport,
  dryRun: 'none' | 'client' | 'server',
  format: OutputFormat | undefined,
  diff: boolean,
): string {
  const planned = renderPlan(report, dryRun, format, diff)
  if (planned !== undefined) return planned
  const { outcome, objects, addons, source, istio } = report.result
  if (outcome === 'declined') return 'nothing was changed'
  return page([
    ...objects.map((object) => `${renderObject(object, object.action)}${dryRunMark(dryRun)}`),
    '',
    `samples ${originOf(source)} for istiod ${istio.version ?? '(unknown version)'} in ${istio.namespace}`,
    ...(source.kind === 'packaged' ? [] : addons.flatMap(digestOf)),
    '',
    ...tableLines([
      ['ADD-ON', 'NAMESPACE', 'VERSION', 'READY', 'RESULT'],
      ...addons.map((addon) => installed(addon, dryRunMark(dryRun))),
    ]),
  ])
}

function originOf({ kind, version, from }: InstallReport['result']['source']): string {
  if (kind === 'packaged') return `of Istio ${version}`
  return kind === 'release' ? `of Istio's release ${version} (${from})` : `from ${from}`
}

/** As sha256sum prints it. */
function digestOf({ name, sha256 }: InstalledAddon): string[] {
  return sha256 === undefined ? [] : [`sha256  ${sha256}  ${name}`]
}

function installed(
  { name, namespace, version = '-', ready, action, milliseconds, reason }: InstalledAddon,
  mark: string,
): string[] {
  const seconds =
    milliseconds === undefined || action === 'unchanged' ? '' : ` in ${(milliseconds / 1000).toFixed(0)} s`
  const result = {
    present: 'installed by others',
    refused: 'REFUSED',
    installed: 'installed',
    updated: 'updated',
    unchanged: 'unchanged',
    replaced: reason,
  }[action]
  const isWritten = action !== 'present' && action !== 'refused'
  const failed =
    reason !== undefined && isWritten && action !== 'replaced'
      ? 'NOT READY'
      : `${result}${seconds}${isWritten ? mark : ''}`
  return [name, namespace, version, ready === undefined ? '-' : `${ready.ready}/${ready.wanted}`, failed]
}
