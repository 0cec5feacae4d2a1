import assert from 'node:assert/strict'
import type { Outcome } from './mesh.ts'

/** One clear error and nothing else: `error: … (CODE)` with suggestions below it; no stack trace, nothing on stdout. */
export function assertOneError(
  { stdout, stderr, exitCode }: Outcome,
  code: string,
  pattern: RegExp = /./,
  expectedExit = 1,
): void {
  const [first = '', ...rest] = stderr.trim().split('\n')
  assert.match(first, new RegExp(`^error: .+ \\(${code}\\)$`), stderr)
  assert.ok(
    rest.every((line) => line.startsWith('  try: ')),
    stderr,
  )
  assert.match(stderr, pattern)
  assert.deepEqual([stdout, exitCode], ['', expectedExit])
}
