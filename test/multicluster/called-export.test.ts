import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { exportAndCall } from '../../src/multicluster/called-export.ts'
import { cleanupExports } from '../../src/multicluster/exporting/cleanup.ts'
import { succeeded } from '../../src/multicluster/exporting/result.ts'
import { answersIn, connected, exportWorld, httpbin, members, REQUEST, sleep } from './exporting/export-world.ts'

const pods = {
  askInside: async () => undefined,
  readServedChain: async () => undefined,
  runProgram: async () => {
    throw new Error('no program is to be run')
  },
}

describe('multicluster export, at its end', () => {
  it('does not choose one of several workloads: it says how to call the service', async () => {
    const world = exportWorld(undefined, connected('east', '192.0.2.20', [...sleep(), ...httpbin()]))
    const askDns = async ({ host }: { host: string }) => answersIn(world, host)
    const { result } = await exportAndCall(REQUEST, undefined, { ...world, members: members(world), pods, askDns })
    assert.equal(result.outcome, 'applied')
    assert.deepEqual(
      result.problems.map(({ code, severity }) => [code, severity]),
      [['EXPORT_UNVERIFIED', 'notes']],
    )
    assert.match(result.problems[0]?.message ?? '', /httpbin\.bar\.global from cluster east/)
    assert.match(result.problems[0]?.remedies.at(-1) ?? '', /multicluster verify httpbin\.bar\.global --from/)
    assert.equal(succeeded(result), true)
  })

  it('calls nothing before the names are known', async () => {
    const world = exportWorld()
    const askDns = async () => ({ addresses: [] })
    const { result } = await exportAndCall(REQUEST, undefined, { ...world, members: members(world), pods, askDns })
    assert.deepEqual(
      result.problems.map(({ code }) => code),
      ['DNS_NAME_UNKNOWN'],
    )
    assert.equal(succeeded(result), false)
  })
})

describe('multicluster cleanup', () => {
  it('removes pods of runs of verify that were killed, but for single hosts', async () => {
    const world = exportWorld()
    const left = world.east.objects.find(({ kind, metadata }) => kind === 'Pod' && metadata.namespace === 'foo')
    assert.ok(left)
    const leftPods = async ({ name }: { name: string }) =>
      name === 'east' && world.east.objects.includes(left) ? [left] : []
    const clean = (...hosts: string[]) =>
      cleanupExports({ hosts, timeout: 1_000, yes: true, dryRun: 'none' }, members(world), { ...world, leftPods })
    assert.deepEqual((await clean('httpbin.bar.global')).objects, [])
    const { objects, remaining } = await clean()
    assert.deepEqual(
      [objects.map(({ cluster, kind, action }) => `${cluster} ${kind} ${action}`), remaining],
      [['east Pod deleted'], []],
    )
  })
})
