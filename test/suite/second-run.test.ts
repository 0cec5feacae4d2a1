import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { FileResult } from './file-result.ts'
import { MOST_FILES, secondRun } from './second-run.ts'

const failure = (file: string | undefined) => ({ where: 'a part', what: `no: ${file}`, file })
const failed = (...files: (string | undefined)[]): FileResult => ({ passed: 5, failures: files.map(failure) })
const good: FileResult = { passed: 3, failures: [] }

/** Runs that end as written down, and which files they were of. */
function runs(results: Record<string, FileResult> = {}) {
  const files: string[] = []
  const run = async (file: string) => {
    files.push(file)
    return results[file] ?? good
  }
  return { files, run }
}

describe('the second run of files that failed', () => {
  it('is of each such file once; what passes then is unstable and counts as passed', async () => {
    const { files, run } = runs({ b: failed('b') })
    const results = await secondRun([failed('a', 'a', 'b'), good], run)
    assert.deepEqual(files, ['a', 'b'])
    assert.deepEqual(results, [
      { passed: 7, failures: [failure('b')], unstable: [failure('a'), failure('a')] },
      { ...good, unstable: [] },
    ])
  })

  it('ends with the first file that fails again: the whole run has failed', async () => {
    const { files, run } = runs({ b: failed('b') })
    const [result] = await secondRun([failed('a', 'b', 'c')], run)
    assert.deepEqual(files, ['a', 'b'])
    assert.deepEqual([result?.failures, result?.unstable], [[failure('b'), failure('c')], [failure('a')]])
  })

  it('does not pass without a test that passes', async () => {
    const { run } = runs({ a: { passed: 0, failures: [] } })
    const [result] = await secondRun([failed('a')], run)
    assert.deepEqual(result?.failures, [failure('a')])
  })

  for (const [why, result] of [
    ['nothing failed', good],
    ['too many files failed', failed(...Array.from({ length: MOST_FILES + 1 }, (_, index) => `file-${index}`))],
    ['something else than a test file failed, too', failed('a', undefined)],
  ] as const)
    it(`does not happen when ${why}`, async () => {
      const { files, run } = runs()
      const results = await secondRun([result], run)
      assert.deepEqual(files, [])
      assert.deepEqual(results[0]?.failures, result.failures)
    })
})
