import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { FakeCluster } from '../../fakes/fake-cluster.ts'
import { ingressGateway } from '../../fakes/mesh.ts'
import { cleaning, connected, type ExportWorld, exporting, exportWorld, httpbin, sleep, state } from './export-world.ts'

const egress = () => ingressGateway('istio-system', 'istio-egressgateway', [])

const WAYS = [
  ['CoreDNS', {}],
  ['versions', { subsets: 'version' }],
  ['sidecars that answer names', { dns: 'proxy', into: 'foo' }],
  ['an egress gateway', { via: { namespace: 'istio-system', name: 'istio-egressgateway' } }],
] as const

function world(): ExportWorld {
  return exportWorld(undefined, connected('east', '192.0.2.20', [...sleep(), ...egress()]))
}

/** The same clusters, in a run that is killed after some writes to both. */
function killedAfter(writes: number, { west, east, ...rest }: ExportWorld): ExportWorld {
  const start = west.writes.length + east.writes.length
  const isLast = () => west.writes.length + east.writes.length - start >= writes
  const limited = (cluster: FakeCluster) =>
    new Proxy(cluster, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target)
        if (typeof value !== 'function') return value
        return (...words: unknown[]) => {
          const isTried = words.some((word) => (word as { dryRun?: boolean } | undefined)?.dryRun === true)
          const isWrite = ['apply', 'replace', 'delete', 'setManagedFields'].includes(String(name)) && !isTried
          return isWrite && isLast() ? Promise.reject(new Error('killed')) : value.apply(target, words)
        }
      },
    })
  return { ...rest, west: limited(west), east: limited(east) }
}

const both = ({ west, east }: ExportWorld) => [state(west), state(east)]
const writesOf = ({ west, east }: ExportWorld) => west.writes.length + east.writes.length

describe('multicluster export, killed after any single write', function () {
  this.timeout(30_000)

  for (const [title, request] of WAYS)
    it(`is undone without a difference, and completed by the same command: ${title}`, async () => {
      const untouched = both(world())
      const whole = world()
      await exporting(whole, request)
      const [wanted, count] = [both(whole), writesOf(whole)]
      assert.ok(count >= 3)
      for (let writes = 0; writes < count; writes++) {
        const undone = world()
        await assert.rejects(exporting(killedAfter(writes, undone), request), /killed/)
        assert.equal(writesOf(undone), writes)
        await cleaning(undone)
        assert.deepEqual(both(undone), untouched, `cleanup after write ${writes}`)

        const single = world()
        await assert.rejects(exporting(killedAfter(writes, single), request), /killed/)
        await cleaning(single, 'httpbin.bar.global')
        // Of a host that has no entry yet, only the whole cleanup finds the rule with the subsets.
        assert.deepEqual(both(single), untouched, `cleanup of the host after write ${writes}`)

        const again = world()
        await assert.rejects(exporting(killedAfter(writes, again), request), /killed/)
        await exporting(again, request)
        assert.deepEqual(both(again), wanted, `the same command after write ${writes}`)
        await cleaning(again)
        assert.deepEqual(both(again), untouched, `both after write ${writes}`)
      }
    })

  for (const [title, request] of WAYS)
    it(`cleanup is completed by a second one: ${title}`, async () => {
      const untouched = both(world())
      const whole = world()
      await exporting(whole, request)
      const before = writesOf(whole)
      await cleaning(whole)
      const count = writesOf(whole) - before
      for (let writes = 0; writes < count; writes++) {
        const one = world()
        await exporting(one, request)
        await assert.rejects(cleaning(killedAfter(writes, one)), /killed/)
        await cleaning(one)
        assert.deepEqual(both(one), untouched, `after write ${writes}`)
      }
    })

  it('leaves another export alone', async () => {
    const others = [...httpbin()].map((one) => structuredClone(one))
    const one = exportWorld(connected('west', '192.0.2.10', others), connected('east', '192.0.2.20', sleep()))
    await exporting(one, { host: 'kept.example.org' })
    const kept = both(one)
    await exporting(one, { host: 'second.example.org' })
    await cleaning(one, 'second.example.org')
    const names = (states: unknown[][]) => states.map((each) => each.length)
    assert.deepEqual(names(both(one)), names(kept))
  })
})
