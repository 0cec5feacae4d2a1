/** Which services are called, and from where. */
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { type Finding, warns } from '../../../src/findings.ts'
import type { ExportedService } from '../../../src/multicluster/exported.ts'
import { type VerifyRequest, verify } from '../../../src/multicluster/verifying/verify.ts'
import { FakeTerminal } from '../../fakes/fake-terminal.ts'
import { EXPORTED, FakePair } from './fake-pair.ts'

const ALL: VerifyRequest = { host: undefined, from: undefined, caller: undefined, probeImage: undefined, path: '/' }

async function run(
  request: Partial<VerifyRequest>,
  exported: readonly ExportedService[] = [EXPORTED],
  warnings: readonly Finding[] = [],
) {
  const pair = await FakePair.create()
  const { members, pods, clock } = pair
  const result = await verify(
    { ...ALL, ...request },
    {
      members,
      pods,
      clock,
      terminal: new FakeTerminal(),
      random: (bytes) => Buffer.alloc(bytes, 1),
      ending: () => new AbortController().signal,
      exported: async () => ({ services: exported, warnings }),
    },
  )
  return { pair, result }
}

describe('verify', () => {
  it('calls each exported service', async () => {
    const { result } = await run({})
    assert.equal(result.outcome, 'verified')
    assert.deepEqual(
      result.services.map(({ host, to, from }) => [host, to, from]),
      [[EXPORTED.host, 'east', 'foo/sleep']],
    )
    assert.deepEqual(result.problems, [])
  })

  it('requests the path of --path', async () => {
    const { pair } = await run({ path: '/headers' })
    assert.match(pair.ran[0] ?? '', /http:\/\/httpbin\.bar\.global:8000\/headers$/)
  })

  it('calls only the given host, and only from the given cluster', async () => {
    const other = { ...EXPORTED, host: 'reviews.bar.global' }
    const elsewhere = { ...EXPORTED, to: 'west' }
    for (const request of [
      { host: EXPORTED.host, caller: 'east' },
      { host: EXPORTED.host, caller: 'east', from: { namespace: 'foo', workload: 'sleep' } },
    ]) {
      const { result } = await run(request, [other, elsewhere, EXPORTED])
      assert.deepEqual(
        result.services.map(({ host, to }) => [host, to]),
        [[EXPORTED.host, 'east']],
      )
    }
  })

  it('fails if one service fails, and names it', async () => {
    const other = { ...EXPORTED, host: 'reviews.bar.global' }
    const { result } = await run({}, [EXPORTED, other])
    assert.equal(result.outcome, 'failed')
    assert.deepEqual(
      result.problems.map(({ code, message }) => [code, message.includes('reviews.bar.global:8000')]),
      [['SIDECAR_LACKS_HOST', true]],
    )
  })

  it('has nothing to call, and says what there is', async () => {
    await assert.rejects(run({ host: 'httpbn.bar.global' }), {
      code: 'NOTHING_TO_VERIFY',
      message: 'httpbn.bar.global is not exported',
      suggestions: [
        'kubectl telemetry multicluster verify httpbin.bar.global --in east',
        'kubectl telemetry multicluster export SERVICE -n NAMESPACE --in CLUSTER',
      ],
    })
    await assert.rejects(run({}, []), { code: 'NOTHING_TO_VERIFY', message: 'nothing is exported' })
    await assert.rejects(run({ caller: 'west' }), { message: 'nothing is exported to cluster west' })
  })

  it('says what it does not believe', async () => {
    const planted = warns('OBJECT_NOT_TRUSTED', 'serviceentry x is not believed')
    const { result } = await run({}, [EXPORTED], [planted])
    assert.deepEqual([result.outcome, result.problems], ['verified', [planted]])
    await assert.rejects(run({}, [], [planted]), { message: 'nothing is exported; serviceentry x is not believed' })
  })

  it('knows the clusters of the run only', async () => {
    await assert.rejects(run({ caller: 'north' }), { code: 'CLUSTER_UNKNOWN', exitCode: 2 })
  })
})
