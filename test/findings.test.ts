import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { UserError } from '../src/errors.ts'
import { asFinding, fails, noneFails, notes, warns } from '../src/findings.ts'

describe('a finding', () => {
  it('keeps every suggestion of an error', () => {
    const error = new UserError('FORBIDDEN', 'you may not', { suggestions: ['the first', 'the second'] })
    assert.deepEqual(asFinding(error, 'warns'), {
      code: 'FORBIDDEN',
      severity: 'warns',
      message: 'you may not',
      remedies: ['the first', 'the second'],
    })
  })

  it('fails a command only by its severity', () => {
    assert.ok(noneFails([]))
    assert.ok(noneFails([warns('EXPOSURE_EXPIRED', 'over'), notes('EXPOSURE_EXPIRED', 'over')]))
    assert.ok(!noneFails([notes('EXPOSURE_EXPIRED', 'over'), fails('EXPOSURE_EXPIRED', 'over')]))
  })
})
