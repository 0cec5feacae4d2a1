/** Runs of `expose` that have to succeed. */
import assert from 'node:assert/strict'
import type { ExposeResult } from '../../src/exposing/result.ts'
import type { Workplace } from './mesh.ts'

/** Exposes without a guard. */
export function exposeForAnyone(workplace: Workplace, ...words: string[]): ExposeResult {
  const { stdout, stderr, exitCode } = workplace.telemetry('expose', ...words, '--allow-anonymous', '-y', '-o', 'json')
  assert.equal(exitCode, 0, stdout + stderr)
  return JSON.parse(stdout) as ExposeResult
}
