/** Describes the machine and the versions in one line. */
import { cpus, loadavg, release, totalmem } from 'node:os'
import type { Workplace } from '../e2e/mesh.ts'

export function describeMachine(workplace: Workplace): string {
  const { length, 0: core } = cpus()
  const version = (command: string, words: string[], pattern: RegExp) =>
    pattern.exec(workplace.run(command, words).stdout)?.[1] ?? 'of unknown version'
  return [
    `${length} cores (${core?.model.trim() ?? 'unknown'}), ${(totalmem() / 2 ** 30).toFixed(0)} GiB, Linux ${release()}`,
    `load average ${loadavg()[0]?.toFixed(1)} at the beginning`,
    `Node ${process.version}`,
    `kubectl ${version('kubectl', ['version', '--client'], /Client Version: (\S+)/)}`,
    `API server ${version('kubectl', ['version'], /Server Version: (\S+)/)}`,
    `istioctl ${version('istioctl', ['version', '--remote=false'], /(\d+\.\d+\.\d+\S*)/)}`,
  ].join('; ')
}
