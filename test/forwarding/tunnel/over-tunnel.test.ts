/** A pod that cannot be reached. */
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { UserError } from '../../../src/errors.ts'
import { askInside } from '../../../src/forwarding/tunnel/ask-inside.ts'
import { servedChain } from '../../../src/forwarding/tunnel/served-chain.ts'
import { FakeCluster } from '../../fakes/fake-cluster.ts'
import { FakeTimers } from '../../fakes/fake-timers.ts'

class UnreachablePods extends FakeCluster {
  readonly #error: Error

  constructor(error: Error) {
    super([])
    this.#error = error
  }

  override async portForward(): Promise<never> {
    throw this.#error
  }
}

const REQUEST = { pod: { name: 'web-1', namespace: 'shop' }, port: 15000, path: '/', timeout: 1_000 }

function asked(error: Error) {
  const world = { cluster: new UnreachablePods(error), timers: new FakeTimers() }
  return Promise.all([askInside(REQUEST, world), servedChain(REQUEST, world)])
}

describe('a pod that cannot be reached', () => {
  it('is one that may not be asked, or is gone', async () => {
    for (const code of ['FORBIDDEN', 'NOT_FOUND'] as const)
      assert.deepEqual(await asked(new UserError(code, 'no')), [undefined, undefined])
  })

  it('says why, where only this one is concerned: its node is down, or it is being replaced', async () => {
    for (const code of ['REJECTED', 'SERVER_FAILED'] as const) {
      const failed = 'dial tcp 192.0.2.1:10250: connection refused'
      assert.deepEqual(await asked(new UserError(code, failed)), [{ failed }, { failed }])
    }
  })

  it('is an error where no pod can be reached', () =>
    assert.rejects(asked(new UserError('CLUSTER_UNREACHABLE', 'no answer')), /no answer/))
})
