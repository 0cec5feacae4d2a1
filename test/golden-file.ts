/** Golden files contain all output that a user reads or applies. UPDATE_GOLDEN=1 rewrites them; review the diff. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'

export function expectGolden(name: string, actual: string): void {
  const file = new URL(`golden/${name}`, import.meta.url)
  const text = actual.endsWith('\n') ? actual : `${actual}\n`
  if (process.env.UPDATE_GOLDEN === '1') writeFileSync(file, text)
  assert.equal(text, readFileSync(file, 'utf8'), `test/golden/${name} differs; UPDATE_GOLDEN=1 npm test rewrites it`)
}
