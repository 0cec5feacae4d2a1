import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { SAMPLE_NAMES } from '../../src/installing/catalog.ts'
import type { InstallRequest } from '../../src/installing/plan.ts'
import { killedAfter } from '../fakes/killed.ts'
import { RollingCluster } from '../fakes/workloads.ts'
import { installing, mesh, uninstalling } from './installing.ts'

const ALL = [...SAMPLE_NAMES]

/** What is compared: everything but what the API server counts, in any order. */
function state({ objects }: RollingCluster): string[] {
  return objects
    .map(({ metadata: { uid: _u, resourceVersion: _r, ...metadata }, status: _s, ...rest }: KubeObject) =>
      JSON.stringify({ ...rest, metadata }, sorted),
    )
    .sort()
}

function sorted(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)))
}

const copy = ({ objects }: RollingCluster) => new RollingCluster(objects)

interface Story {
  what: string
  /** What is installed before. */
  before: string[]
  words: string[]
  request?: Partial<InstallRequest>
}

const STORIES: Story[] = [
  { what: 'two add-ons', before: [], words: ['kiali', 'jaeger'] },
  { what: 'a claim and its volume', before: ['prometheus'], words: ['loki'] },
  { what: 'a namespace of its own', before: [], words: ['jaeger'], request: { namespace: 'new' } },
  { what: 'the place of another add-on', before: ['jaeger'], words: ['zipkin'], request: { replace: true } },
]

describe('addons install, killed after any single write', function () {
  this.timeout('60s')

  for (const { what, before, words, request } of STORIES)
    it(`is completed by the same command, and undone without a difference: ${what}`, async () => {
      const untouched = state(mesh())
      const start = mesh()
      if (before.length > 0) await installing(start, before)
      const whole = copy(start)
      await installing(whole, words, request)
      const wanted = state(whole)
      const count = whole.writes.length
      assert.ok(count > 4, `${count}`)
      for (let writes = 1; writes < count; writes++) {
        const cluster = copy(start)
        await assert.rejects(installing(killedAfter(writes, cluster), words, request), /killed/)
        assert.equal(cluster.writes.length, writes)
        const undone = copy(cluster)
        await uninstalling(undone, ALL)
        assert.deepEqual(state(undone), untouched, `uninstall after ${writes} writes`)
        await installing(cluster, words, request)
        assert.deepEqual(state(cluster), wanted, `install after ${writes} writes`)
        await uninstalling(cluster, ALL)
        assert.deepEqual(state(cluster), untouched, `both after ${writes} writes`)
      }
    })
})

describe('addons uninstall, killed after any single write', function () {
  this.timeout('60s')

  for (const [what, words, going, place] of [
    ['everything', ['kiali', 'jaeger', 'loki'], ALL],
    ['one of two', ['prometheus', 'jaeger'], ['jaeger']],
    ['with a namespace of its own', ['jaeger'], ALL, 'new'],
  ] as [string, string[], string[], string?][])
    it(`is completed by the same command: ${what}`, async () => {
      const start = mesh()
      await installing(start, words, place === undefined ? {} : { namespace: place })
      const whole = copy(start)
      await uninstalling(whole, going, place)
      const wanted = state(whole)
      for (let writes = 1; writes < whole.writes.length; writes++) {
        const cluster = copy(start)
        await assert.rejects(uninstalling(killedAfter(writes, cluster), going, place), /killed/)
        assert.equal(cluster.writes.length, writes)
        await uninstalling(cluster, going, place)
        assert.deepEqual(state(cluster), wanted, `after ${writes} writes`)
        await uninstalling(cluster, ALL)
        assert.deepEqual(state(cluster), state(mesh()), `all, after ${writes} writes`)
      }
    })
})
