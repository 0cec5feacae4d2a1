import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { parsePeak, parseStat, treeOf } from './processes.ts'

describe('process figures', () => {
  it('reads parent and CPU time after any program name', () => {
    const after = 'S 4100 4200 4100 34816 4200 4194304 2000 0 1 0 151 49 7 3 20 0 11 0 900 1000 50'
    for (const name of ['node', 'a b', ') R 1 1', '((']) {
      assert.deepEqual(parseStat(`4200 (${name}) ${after}\n`), { parent: 4100, cpuSeconds: 2 })
    }
  })

  it('reads the peak of the resident set in MiB', () => {
    assert.equal(parsePeak('Name:\tnode\nVmPeak:\t 999 kB\nVmHWM:\t   65536 kB\nVmRSS:\t 1 kB\n'), 64)
    assert.ok(Number.isNaN(parsePeak('Name:\tkthreadd\n')))
  })

  it('finds only descendants', () => {
    const parents = new Map([
      [1, 0],
      [10, 1],
      [11, 10],
      [12, 11],
      [13, 10],
      [20, 1],
    ])
    assert.deepEqual(treeOf(10, parents), [10, 11, 13, 12])
    assert.deepEqual(treeOf(99, parents), [99])
  })
})
