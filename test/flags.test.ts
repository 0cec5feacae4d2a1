import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { parseDuration } from '../src/flags/values.ts'

describe('parseDuration', () => {
  const good: [string, number][] = [
    ['30s', 30_000],
    ['2m', 120_000],
    ['1h', 3_600_000],
    ['500ms', 500],
    ['1m30s', 90_000],
    ['1h2m3s4ms', 3_723_004],
    ['1.5s', 1_500],
    ['0.5m', 30_000],
    ['90m', 5_400_000],
    ['0m1s', 1_000],
    ['.5s', 500],
    ['1.s', 1_000],
  ]
  for (const [text, milliseconds] of good) {
    it(`reads ${text} as ${milliseconds} ms`, () => assert.equal(parseDuration(text, '--timeout'), milliseconds))
  }

  const bad = [
    '',
    '30',
    '30 s',
    ' 30s',
    '30s ',
    '30S',
    '30sec',
    's',
    '0s',
    '-5s',
    '+5s',
    '.s',
    '1e3s',
    '1d',
    '1m 30s',
    '1m30',
    '30s!',
    '1,5s',
    'NaNs',
  ]
  for (const text of bad) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseDuration(text, '--timeout'), {
        name: 'UserError',
        code: 'DURATION_INVALID',
        exitCode: 2,
        message: `--timeout ${JSON.stringify(text)} is not a duration`,
        suggestions: ['--timeout 30s', '--timeout 2m'],
      })
    })
  }
})
