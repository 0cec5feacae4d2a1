import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { readOptions } from './options.ts'

describe('the options of npm test', () => {
  it('are everything on three meshes, when there are none', () => {
    assert.deepEqual(readOptions([]), { unit: false, istio: undefined, labs: [1, 2, 3], record: false, files: [] })
  })

  it('take a version of Istio after a space or an equals sign', () => {
    assert.equal(readOptions(['--istio', '1.30']).istio, '1.30')
    assert.equal(readOptions(['--istio=1.30']).istio, '1.30')
  })

  it('take files', () => {
    assert.deepEqual(readOptions(['--labs', '4', 'test/a.test.ts']).files, ['test/a.test.ts'])
    assert.throws(() => readOptions(['--record', 'test/a.test.ts']), /--record/)
  })

  it('take the labs to use', () => assert.deepEqual(readOptions(['--labs', '3']).labs, [3]))

  for (const labs of ['', '0', '1,1', '10', '1,', 'a'])
    it(`refuse --labs ${JSON.stringify(labs)}`, () =>
      assert.throws(() => readOptions(['--labs', labs]), /--labs takes/))

  it('refuse what they do not have', () => assert.throws(() => readOptions(['--units']), /--units/))
})
