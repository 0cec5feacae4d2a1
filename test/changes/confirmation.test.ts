import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { type Confirmation, confirm, counted } from '../../src/changes/confirmation.ts'
import type { UserError } from '../../src/errors.ts'
import { FakeTerminal } from '../fakes/fake-terminal.ts'

const CONFIRMATION: Confirmation = {
  yes: false,
  effect: 'change 2 objects',
  remarks: ['no pod of the gateway is Ready'],
  lines: ['Gateway web/one: create', 'Secret web/two: change'],
  question: 'Go on?',
  preview: 'client',
}

describe('confirm', () => {
  for (const answer of [true, false]) {
    it(`shows the remarks, then each change, and returns the answer ${answer}`, async () => {
      const terminal = new FakeTerminal({ 'Go on?': answer })
      assert.equal(await confirm(CONFIRMATION, terminal), answer)
      assert.deepEqual(terminal.notes, [
        'no pod of the gateway is Ready',
        '  Gateway web/one: create',
        '  Secret web/two: change',
      ])
    })
  }

  it('asks and shows nothing with -y', async () => {
    const terminal = new FakeTerminal({})
    assert.equal(await confirm({ ...CONFIRMATION, yes: true }, terminal), true)
    assert.deepEqual(terminal.notes, [])
  })

  it('without a terminal names -y, and the dry run that shows the changes', async () => {
    await assert.rejects(confirm(CONFIRMATION, new FakeTerminal()), (error: UserError) => {
      assert.equal(error.code, 'CONSENT_REQUIRED')
      assert.equal(error.message, 'confirmation is required to change 2 objects, and there is no terminal to ask on')
      assert.deepEqual(error.suggestions, ['-y', '--dry-run=client   # shows what would change'])
      return true
    })
  })
})

describe('counted', () => {
  it('adds an s to all counts but one', () => {
    assert.deepEqual(
      [0, 1, 2].map((count) => counted(count, 'pod')),
      ['0 pods', '1 pod', '2 pods'],
    )
  })
})
