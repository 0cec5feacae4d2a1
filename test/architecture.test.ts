/** The house keeps its rules, and each rule can fail: docs/architecture.md, DESIGN section 3. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { describe, it } from 'mocha'
import { RULES } from './architecture/rules.ts'

const SRC = new URL('../src/', import.meta.url)
const files = globSync('**/*.ts', { cwd: SRC }).sort()
const sources = new Map(files.map((file) => [file, readFileSync(new URL(file, SRC), 'utf8')]))

describe('architecture', () => {
  it('is read from the files of src', () => assert.ok(sources.size > 200))

  for (const { title, broken, counterExample } of RULES) {
    it(title, () => assert.deepEqual(broken(sources), []))
    it(`fails where it is broken: ${title}`, () => {
      assert.notDeepEqual(broken(new Map(Object.entries(counterExample))), [])
    })
  }
})
