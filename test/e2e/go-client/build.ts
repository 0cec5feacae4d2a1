import assert from 'node:assert/strict'
import { fileURLToPath } from 'node:url'
import type { Workplace } from '../mesh.ts'

/** Compiles the Go client of this folder. @param file the executable to write */
export function buildGoClient(workplace: Workplace, file: string): void {
  const { exitCode, stderr } = workplace.run('go', [
    'build',
    '-C',
    fileURLToPath(new URL('.', import.meta.url)),
    '-o',
    file,
    '.',
  ])
  assert.equal(exitCode, 0, stderr)
}
