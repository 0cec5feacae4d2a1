/** Files in which something failed run once more, and the end of the run says so (decision 32). */
import type { FileResult } from './file-result.ts'

/** More files than that are no accident. */
export const MOST_FILES = 3

/**
 * @param run runs one file once more, where nothing else runs
 * @returns the results; failures in files that passed the second time are unstable and count as passed
 */
export async function secondRun(
  results: readonly FileResult[],
  run: (file: string) => Promise<FileResult>,
): Promise<FileResult[]> {
  const failures = results.flatMap((result) => result.failures)
  const files = new Set(failures.map(({ file }) => file))
  // Lint, types or a mesh that did not come up: this run fails in any case.
  if (files.has(undefined) || files.size > MOST_FILES) return [...results]
  const passed = new Set<string | undefined>()
  for (const file of files) {
    // A file that fails twice fails the whole run: what the others would do costs time and changes nothing.
    if (file === undefined || !passes(await run(file))) break
    passed.add(file)
  }
  return results.map((result) => {
    const unstable = result.failures.filter(({ file }) => passed.has(file))
    const failures = result.failures.filter(({ file }) => !passed.has(file))
    return { passed: result.passed + unstable.length, failures, unstable }
  })
}

const passes = ({ passed, failures }: FileResult) => passed > 0 && failures.length === 0
