import assert from 'node:assert/strict'
import { globSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { describe, it } from 'mocha'
import { EXCLUSIONS, endToEnd, type Machine, onNewMesh } from './end-to-end.ts'
import type { FileResult } from './file-result.ts'

const OWN = 'e2e/lab.test.ts'
const BUILD = '1 build --for-tests'
const files = globSync('e2e/**/*.test.ts', { cwd: new URL('..', import.meta.url) })

/** Meshes that are only written down. `fails` are commands of the lab, like `2 up`. */
class FakeMachine implements Machine {
  readonly done: string[] = []
  readonly #fails: readonly string[]
  readonly #up = new Set<number>()
  /** Those whose second cluster is up. */
  readonly #pairs = new Set<number>()

  constructor(...fails: string[]) {
    this.#fails = fails
  }

  async lab(number: number, ...words: string[]): Promise<FileResult> {
    const command = [number, ...words].join(' ')
    this.done.push(command)
    await setImmediate()
    const failed = this.#fails.includes(command)
    if (words[0] === 'up' && !failed) this.#up.add(number)
    if (words.includes('--clusters') && !failed) this.#pairs.add(number)
    if (words[0] === 'down') this.#pairs.delete(number)
    if (command === `${number} down`) this.#up.delete(number)
    return { passed: 0, failures: failed ? [{ where: command, what: 'it failed' }] : [] }
  }

  async run(file: string, number: number): Promise<FileResult & { seconds: number }> {
    assert.ok(this.#up.has(number), `mesh ${number} is not up`)
    assert.equal(this.#pairs.has(number), /\/multicluster\//.test(file), `second cluster of mesh ${number}`)
    this.done.push(`${number} runs ${file}`)
    await setImmediate()
    return { passed: 1, failures: [], seconds: 1 }
  }
}

const failuresOf = (results: FileResult[]) =>
  results.flatMap(({ failures }) => failures).map(({ where, what }) => `${where}: ${what}`)

describe('the end-to-end files', () => {
  it('are taken by two lanes, each with its mesh; the lab’s own test is last, when the other mesh is down', async () => {
    const machine = new FakeMachine()
    const wanted = { labs: [1, 2], files: [OWN, 'a', 'b', 'c'], seconds: {} }
    const { results, timed } = await endToEnd(wanted, machine)
    assert.deepEqual(failuresOf(results), [])
    assert.deepEqual(timed.map(({ file }) => file).sort(), ['a', 'b', 'c', OWN])
    const runs = machine.done.filter((line) => / runs [abc]$/.test(line)).map((line) => line.slice(0, 6))
    assert.deepEqual([...new Set(runs)].sort(), ['1 runs', '2 runs'])
    assert.deepEqual(machine.done.slice(-3), ['2 down', `1 runs ${OWN}`, '1 down'])
    assert.equal(machine.done[0], BUILD)
  })

  it('run on the other mesh when one does not come up, which is a failure', async () => {
    const machine = new FakeMachine('2 up')
    const { results, timed } = await endToEnd({ labs: [1, 2], files: ['a', 'b'], seconds: {} }, machine)
    assert.deepEqual(failuresOf(results), ['2 up: it failed'])
    assert.equal(timed.length, 2)
  })

  it('each fail when no mesh comes up', async () => {
    const { results } = await endToEnd({ labs: [1], files: ['a', 'b'], seconds: {} }, new FakeMachine('1 up'))
    assert.deepEqual(failuresOf(results), [
      '1 up: it failed',
      ...['a', 'b'].map((file) => `${file}: it did not run: no mesh came up`),
    ])
  })

  it('do not run when the build fails', async () => {
    const machine = new FakeMachine(BUILD)
    const { results } = await endToEnd({ labs: [1, 2], files: ['a'], seconds: {} }, machine)
    assert.deepEqual([failuresOf(results), machine.done], [[`${BUILD}: it failed`], [BUILD]])
  })

  it('run on another version of Istio on every mesh; the first stays up, with the usual version', async () => {
    const machine = new FakeMachine()
    await endToEnd({ labs: [1, 2], files: ['a'], seconds: {}, istio: '1.30' }, machine)
    const labs = machine.done.filter((line) => !line.includes('runs')).sort()
    assert.deepEqual(labs, [BUILD, '1 istio 1.30', '1 istio 1.31', '1 up', '2 down', '2 istio 1.30', '2 up'])
  })

  it('fail when there are none: a wrong pattern must not be a green run', async () => {
    const { results } = await endToEnd({ labs: [1], files: [], seconds: {} }, new FakeMachine())
    assert.deepEqual(failuresOf(results), ['end-to-end tests: there is no test file'])
  })

  it('that need two clusters run first and on one mesh, whose second cluster is there for them only', async () => {
    const machine = new FakeMachine()
    const ofPair = ['e2e/multicluster/a.test.ts', 'e2e/multicluster/b.test.ts']
    const seconds = { 'e2e/multicluster/b.test.ts': 2, 'e2e/multicluster/a.test.ts': 1 }
    const { results } = await endToEnd({ labs: [1, 2], files: ['c', ...ofPair], seconds, istio: '1.30' }, machine)
    assert.deepEqual(failuresOf(results), [])
    const first = machine.done.filter((line) => line.startsWith('1 ') && !line.endsWith('runs c'))
    assert.deepEqual(first, [
      ...[BUILD, '1 up --clusters 2', '1 istio 1.30', '1 istio 1.30 --cluster 2'],
      ...['1 runs e2e/multicluster/b.test.ts', '1 runs e2e/multicluster/a.test.ts'],
      ...['1 down --cluster 2', '1 istio 1.31'],
    ])
  })

  it('that need two clusters fail when these do not come up', async () => {
    const file = 'e2e/multicluster/a.test.ts'
    const { results } = await endToEnd(
      { labs: [1, 2], files: [file, 'b'], seconds: {} },
      new FakeMachine('1 up --clusters 2'),
    )
    assert.deepEqual(failuresOf(results), ['1 up --clusters 2: it failed', `${file}: it did not run: no mesh came up`])
  })

  it('that need two clusters run once more with two', async () => {
    const machine = new FakeMachine()
    const file = 'e2e/multicluster/a.test.ts'
    await onNewMesh(file, { labs: [1], istio: undefined }, machine)
    assert.deepEqual(machine.done.splice(0), ['1 down', '1 up --clusters 2', `1 runs ${file}`, '1 down'])
    await onNewMesh(file, { labs: [1], istio: '1.30' }, machine)
    assert.deepEqual(machine.done.slice(2), [
      ...['1 istio 1.30', '1 istio 1.30 --cluster 2', `1 runs ${file}`],
      ...['1 down --cluster 2', '1 istio 1.31'],
    ])
  })

  it('run once more on a mesh of their own, with the version of Istio that was wanted', async () => {
    const machine = new FakeMachine()
    assert.deepEqual(await onNewMesh('a', { labs: [1, 2], istio: undefined }, machine), { passed: 1, failures: [] })
    assert.deepEqual(machine.done.splice(0), ['1 down', '1 up', '1 runs a', '1 down'])
    await onNewMesh('a', { labs: [1, 2], istio: '1.30' }, machine)
    assert.deepEqual(machine.done, ['1 down', '1 up', '1 istio 1.30', '1 runs a', '1 istio 1.31'])
    assert.deepEqual(failuresOf([await onNewMesh('a', { labs: [1], istio: undefined }, new FakeMachine('1 up'))]), [
      '1 up: it failed',
    ])
  })

  for (const { reason, files: excluded } of EXCLUSIONS)
    it(`are several of which one runs at a time: ${reason}`, () => {
      assert.ok(files.filter((file) => excluded.test(file)).length > 1)
    })
})
