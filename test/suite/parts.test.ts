/** Runs of files in processes of their own: what must not count as a pass. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { after, before, describe, it } from 'mocha'
import { runTests } from './parts.ts'

const TESTS = fileURLToPath(new URL('..', import.meta.url))

describe('a run of test files', () => {
  let directory: string
  const printed: string[] = []
  const print = (text: string) => printed.push(text)

  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'telemetry-parts-'))
  })
  after(() => rmSync(directory, { recursive: true }))

  const file = (name: string, body: string) => {
    const path = join(directory, name)
    writeFileSync(path, `import { after, it, describe } from '${import.meta.resolve('mocha')}'\n${body}`)
    return relative(TESTS, path)
  }
  const run = async (...files: string[]) => {
    const { passed, failures } = await runTests({ title: 'a part', print }, files, 1000)
    return { passed, failures: failures.map(({ where, what }) => `${where}: ${what.split('\n    at')[0]}`) }
  }

  it('counts what passed, and prints its output under a heading', async () => {
    const result = await run(file('good.ts', `it('goes', () => console.error('to stderr')); it('too', () => {})`))
    assert.deepEqual(result, { passed: 2, failures: [] })
    assert.match(printed.join(''), /^\n── a part \(\d+ s\)\n.*to stderr.*✔ goes/s)
  })

  it('has the title and the error of a test that failed', async () => {
    const result = await run(file('bad.ts', `describe('what', () => it('fails', () => { throw new Error('so') }))`))
    assert.deepEqual(result, { passed: 0, failures: ['a part: what fails\nError: so'] })
  })

  it('names the file of each failure, also of one that did not end', async () => {
    const [good, bad] = [
      file('fine.ts', `it('goes', () => {})`),
      file('hooked.ts', `describe('x', () => { after(() => { throw 1 }); it('goes', () => {}) })`),
    ]
    const exits = file('ends.ts', `it('ends all', () => process.exit(0))`)
    const several = await runTests({ title: 'a part', print }, [good, bad], 1000)
    const one = await runTests({ title: 'a part', print }, [exits], 1000)
    assert.deepEqual(
      [...several.failures, ...one.failures].map((failure) => failure.file),
      [bad, exits],
    )
  })

  it('fails by a hook, a skipped test, a file without tests, no file at all', async () => {
    const results = [
      await run(file('hook.ts', `after(() => { throw new Error('so') }); it('passes', () => {})`)),
      await run(file('skipped.ts', `it.skip('is not run', () => {})`)),
      await run(file('empty.ts', '')),
      await run(),
    ]
    assert.deepEqual(
      results.map(({ failures }) => failures.length),
      [1, 1, 1, 1],
    )
  })

  it('fails when its process ends early, or cannot read a file', async () => {
    const ended = await run(file('exits.ts', `it('ends all', () => process.exit(0))`))
    assert.deepEqual(ended, { passed: 0, failures: ['a part: the tests did not end: exit code 0'] })
    const broken = await run(file('broken.ts', 'this is not a program'))
    assert.deepEqual(broken, { passed: 0, failures: ['a part: the tests did not end: exit code 1'] })
  })
})
