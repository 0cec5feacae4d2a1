/** The end of `npm test`: what failed and where, what took long, one closing line over everything. */
import type { Timed } from './end-to-end.ts'
import type { FileResult } from './file-result.ts'

const SLOWEST = 10

export function summary(results: readonly FileResult[], timed: readonly Timed[]): string {
  const failures = results.flatMap((result) => result.failures)
  const unstable = results.flatMap((result) => result.unstable ?? [])
  const passed = results.reduce((sum, result) => sum + result.passed, 0)
  const slowest = [...timed].sort((one, other) => other.seconds - one.seconds).slice(0, SLOWEST)
  return [
    ...(slowest.length > 0 ? ['', 'The slowest files, with their hooks:'] : []),
    ...slowest.map(({ file, seconds }) => `${seconds.toFixed(0).padStart(5)} s  ${file}`),
    ...unstable.flatMap(({ where, what }) => [
      '',
      `UNSTABLE ${where}: failed, and passed when its file ran again`,
      indented(what),
    ]),
    ...failures.flatMap(({ where, what }) => ['', `FAILED ${where}`, indented(what)]),
    '',
    `${passed} passed, ${failures.length} failed${unstable.length > 0 ? `, ${unstable.length} unstable` : ''}`,
  ].join('\n')
}

const indented = (text: string) => text.replaceAll(/^/gm, '    ')
