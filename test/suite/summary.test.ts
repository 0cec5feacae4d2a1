import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { summary } from './summary.ts'

describe('the end of npm test', () => {
  it('adds up, and names the ten slowest files', () => {
    const timed = Array.from({ length: 12 }, (_, index) => ({ file: `file-${index}`, seconds: index + 0.4 }))
    const lines = summary(
      [
        { passed: 2, failures: [] },
        { passed: 3, failures: [] },
      ],
      timed,
    ).split('\n')
    assert.deepEqual(lines.slice(0, 3), ['', 'The slowest files, with their hooks:', '   11 s  file-11'])
    assert.equal(lines.filter((line) => / s {2}file-/.test(line)).length, 10)
    assert.equal(lines.at(-1), '5 passed, 0 failed')
  })

  it('shows each failure with its file and its mesh', () => {
    const failures = [{ where: 'e2e/a.test.ts, mesh 2', what: 'a title\nError: no' }]
    const text = summary([{ passed: 1, failures }], [])
    assert.equal(text, '\nFAILED e2e/a.test.ts, mesh 2\n    a title\n    Error: no\n\n1 passed, 1 failed')
  })

  it('shows what passed only when it ran again', () => {
    const unstable = [{ where: 'e2e/a.test.ts, mesh 2', what: 'a title\nError: no' }]
    const text = summary([{ passed: 2, failures: [], unstable }], [])
    const heading = 'UNSTABLE e2e/a.test.ts, mesh 2: failed, and passed when its file ran again'
    assert.equal(text, `\n${heading}\n    a title\n    Error: no\n\n2 passed, 0 failed, 1 unstable`)
  })
})
