import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { verifyFromAny } from '../../../src/multicluster/verifying/verify-from-any.ts'
import { workload } from '../../fakes/workloads.ts'
import { EXPORTED, FakePair } from './fake-pair.ts'

/** @param mute workloads of foo without a client, beside sleep */
async function verified(mute: string[], programs = ['curl']) {
  const pair = await FakePair.create({ programs })
  for (const name of mute) pair.east.objects.push(...workload(name, { namespace: 'foo' }))
  const runProgram: typeof pair.pods.runProgram = async (program, cluster) => {
    const isMute = mute.some((name) => program.pod.name.startsWith(name))
    return isMute ? { failed: 'executable file not found', absent: true } : pair.pods.runProgram(program, cluster)
  }
  return verifyFromAny(EXPORTED, { ...pair, members: pair.members, pods: { ...pair.pods, runProgram } })
}

describe('a call from whichever workload can', () => {
  it('is from the first one that has a client', async () => {
    const found = await verified(['api', 'database'])
    assert.equal(found?.service.from, 'foo/sleep')
    assert.deepEqual(found?.problems, [])
  })

  it('fails when none of the first five has one', async () => {
    await assert.rejects(verified(['a', 'b', 'c', 'd', 'e']), { code: 'CLIENT_MISSING', message: /foo\/e / })
    await assert.rejects(verified([], []), { code: 'CLIENT_MISSING', message: /foo\/sleep/ })
  })

  it('is not made where nothing could call', async () => {
    const pair = await FakePair.create()
    const needs = { ...pair, members: pair.members, pods: pair.pods }
    assert.equal(await verifyFromAny({ ...EXPORTED, into: 'empty' }, needs), undefined)
    assert.equal(await verifyFromAny({ ...EXPORTED, to: 'north' }, needs), undefined)
  })
})
