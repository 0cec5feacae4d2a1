import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import type { ScrapeSecureResult } from '../../../src/scraping/result.ts'
import { difference, dump } from '../dump.ts'
import { killedAfter } from '../killed-run.ts'
import { Workplace } from '../mesh.ts'
import { meshedNamespace, meshedWorkload, podOf, ready } from '../mesh-workloads.ts'

const NAMESPACE = 'scrape-killed'
/** The workloads alone; with Prometheus: scrape-prometheus-killed.test.ts. */
const SCRAPE = ['scrape-secure', '-n', NAMESPACE, '-y', '--prometheus', 'none']
const CLEANUP = ['cleanup', '--scraping', '-y']
/** A Deployment with annotations of its own is replaced whole, a StatefulSet has fields of ours applied. */
const SCRAPING = 2
/** The Deployment's values, then its record; the StatefulSet's fields. */
const CLEANING = 3
/** For one workload: a PeerAuthentication, an AuthorizationPolicy, a Sidecar, and its fields; each again in cleanup. */
const BY_SIDECAR = [...SCRAPE, '--method', 'sidecar', 'sts/queue']
const BY_SIDECAR_WRITES = 4
const OWN = {
  'proxy.istio.io/config': '# mine\nconcurrency: 1\nproxyMetadata:\n  MINE: "yes"\n',
  'traffic.sidecar.istio.io/excludeInboundPorts': '9000',
}

describe('secure scraping that is cut off, on the real mesh', () => {
  const workplace = new Workplace()
  let untouched: Map<string, string>

  before(() => {
    workplace.apply(
      ...meshedNamespace(NAMESPACE),
      ...meshedWorkload({ name: 'web', namespace: NAMESPACE, annotations: OWN }),
      ...meshedWorkload({ name: 'queue', namespace: NAMESPACE, kind: 'StatefulSet' }),
    )
    ready(workplace, NAMESPACE, 'deploy/web', 'sts/queue')
    untouched = dump(workplace)
  })
  after(() => {
    workplace.telemetry(...CLEANUP)
    workplace.kubectl('delete', 'namespace', NAMESPACE)
    workplace.end()
  })

  const changed = () => difference(untouched, dump(workplace))
  const restored = () => {
    const { stdout, exitCode } = workplace.telemetry(...CLEANUP)
    assert.equal(exitCode, 0, stdout)
    assert.deepEqual(changed(), [])
    // A cleanup that finds nothing more to give back does not wait for pods that are on their way.
    ready(workplace, NAMESPACE, 'deploy/web', 'sts/queue')
  }

  for (let write = 1; write < SCRAPING; write++)
    it(`by SIGKILL after write ${write} of ${SCRAPING}: cleanup leaves nothing`, async () => {
      assert.ok(await killedAfter(workplace, SCRAPE, write))
      assert.equal(changed().length, write)
      restored()
    })

  it('by SIGKILL, and run again: goes on where it was', async () => {
    assert.ok(await killedAfter(workplace, SCRAPE, 1))
    const { stdout, exitCode } = workplace.telemetry(...SCRAPE, '-o', 'json')
    assert.equal(exitCode, 0, stdout)
    const { workloads } = JSON.parse(stdout) as ScrapeSecureResult
    assert.deepEqual(
      workloads.map(({ name, action }) => `${name} ${action}`),
      ['web unchanged', 'queue configured'],
    )
    restored()
  })

  for (let write = 1; write < CLEANING; write++)
    it(`by SIGKILL in cleanup, after write ${write} of ${CLEANING}: a second one leaves nothing`, async () => {
      assert.ok(await killedAfter(workplace, SCRAPE, SCRAPING))
      assert.ok(await killedAfter(workplace, CLEANUP, write))
      restored()
    })

  for (const [words, all] of [
    [BY_SIDECAR, BY_SIDECAR_WRITES],
    [CLEANUP, BY_SIDECAR_WRITES],
  ] as const)
    for (let write = 1; write < all; write++)
      it(`with a Sidecar, by SIGKILL in ${words[0]} after write ${write} of ${all}: cleanup leaves nothing`, async () => {
        if (words === CLEANUP) assert.ok(await killedAfter(workplace, BY_SIDECAR, all))
        assert.ok(await killedAfter(workplace, [...words], write))
        assert.notDeepEqual(changed(), [])
        restored()
      })

  it('by somebody who edits an annotation meanwhile: the edit survives', () => {
    const { stdout, stderr, exitCode } = workplace.telemetry(...SCRAPE, 'deploy/web')
    assert.equal(exitCode, 0, stdout + stderr)
    const config = () =>
      workplace.kubectl(
        ...['-n', NAMESPACE, 'get', 'deploy', 'web', '-o'],
        'jsonpath={.spec.template.metadata.annotations.proxy\\.istio\\.io/config}',
      )
    const edit = { 'proxy.istio.io/config': `${config()}drainDuration: 5s\n` }
    const patch = JSON.stringify({ spec: { template: { metadata: { annotations: edit } } } })
    workplace.kubectl('-n', NAMESPACE, 'patch', 'deploy', 'web', '--type=merge', '-p', patch)
    ready(workplace, NAMESPACE, 'deploy/web')
    const cleaned = workplace.telemetry(...CLEANUP)
    assert.equal(cleaned.exitCode, 0, cleaned.stdout + cleaned.stderr)
    assert.equal(config(), `${OWN['proxy.istio.io/config']}drainDuration: 5s\n`)
    assert.ok(podOf(workplace, NAMESPACE, 'web'))
  })
})
