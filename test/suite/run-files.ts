/**
 * Runs test files with mocha, in a process of its own: `run-files.ts TIMEOUT FILE… [--no-color]`. Its parent gets a Report.
 * A skipped test counts as failed, and so does a file without tests.
 */
import { enableCompileCache } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { Report } from './file-result.ts'

// Each end-to-end file loads mocha, the lab and much of src: what one has compiled, the others need not. Only in this process.
enableCompileCache(fileURLToPath(new URL('../../node_modules/.cache/tests', import.meta.url)))
const { default: Mocha } = await import('mocha')
const [timeout, ...files] = process.argv.slice(2)
process.once('disconnect', () => process.exit(1)) // its parent has ended
const suite = new Mocha({ forbidOnly: true, forbidPending: true, reporter: 'spec', timeout: Number(timeout) })
for (const file of files.filter((word) => word !== '--no-color')) suite.addFile(file)
await suite.loadFilesAsync()
const report: Report = { passed: 0, failures: [] }
const runner = suite.run(() => {
  report.passed = runner.stats?.passes ?? 0
  // What a test left open must not keep the process alive.
  process.send?.(report, () => process.exit(0))
})
runner.on('fail', (test, error: unknown) => {
  const what = `${test.fullTitle()}\n${error instanceof Error ? error.stack : String(error)}`
  report.failures.push({ file: test.file, what })
})
// Tests show how long they took, hooks do not.
runner.on('hook end', ({ title, duration = 0 }) => {
  if (duration >= 1000) console.log(`    … ${title} took ${(duration / 1000).toFixed(1)} s`)
})
