import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { parseOptions } from './options.ts'

const parse = (...words: string[]) => parseOptions(words, ['start', 'slow', 'recovery'], ['kubectl', 'ours'])

describe("a bench's options", () => {
  it('runs everything three times by default', () => {
    assert.deepEqual(parse(), { only: ['start', 'slow', 'recovery'], tools: ['kubectl', 'ours'], rounds: 3 })
  })

  it('keeps the given order of sections and tools', () => {
    assert.deepEqual(parse('--only', 'slow,start', '--tools=ours', '--rounds', '5'), {
      only: ['start', 'slow'],
      tools: ['ours'],
      rounds: 5,
    })
  })

  it('has nothing to choose in a bench without sections', () => {
    assert.deepEqual(parseOptions([], [], []), { only: [], tools: [], rounds: 3 })
    assert.throws(() => parse('--only', ''), /--only : some of start,slow,recovery/)
  })

  it('names the known values', () => {
    assert.throws(() => parse('--only', 'slwo'), /--only slwo: some of start,slow,recovery/)
    assert.throws(() => parse('--tools', 'istioctl'), /--tools istioctl: some of kubectl,ours/)
    assert.throws(() => parse('--rounds', '0'), /--rounds 0: a number from 1/)
    assert.throws(() => parse('--sections', 'slow'), TypeError)
  })
})
