import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import type { ScrapeSecureResult } from '../../../src/scraping/result.ts'
import { difference, dump } from '../dump.ts'
import { killAfterWrite } from '../killed-run.ts'
import { Workplace } from '../mesh.ts'
import { meshNamespace, meshWorkload, podOf, waitUntilReady } from '../mesh-workloads.ts'

const NAMESPACE = 'scrape-killed'
/** Only the workloads; scrape-prometheus-killed.test.ts includes Prometheus. */
const SCRAPE = ['scrape-secure', '-n', NAMESPACE, '-y', '--prometheus', 'none']
const CLEANUP = ['cleanup', '--scraping', '-y']
/** A Deployment with its own annotations is replaced as a whole; a StatefulSet gets fields by server-side apply. */
const SCRAPE_WRITES = 2
/** The Deployment's values, then its record; the StatefulSet's fields. */
const CLEANUP_WRITES = 3
/** Whose field manager owns empty maps: its fields by force, the maps back to that manager, and its fields without the record. */
const CHART = [...SCRAPE, 'ds/chart']
const CHART_WRITES = 3
/** For one workload: a PeerAuthentication, an AuthorizationPolicy, a Sidecar, and its fields; each again in cleanup. */
const BY_SIDECAR = [...SCRAPE, '--method', 'sidecar', 'sts/queue']
const BY_SIDECAR_WRITES = 4
const OWN = {
  'proxy.istio.io/config': '# mine\nconcurrency: 1\nproxyMetadata:\n  MINE: "yes"\n',
  'traffic.sidecar.istio.io/excludeInboundPorts': '9000',
}

describe('an interrupted run of secure scraping, on the real mesh', () => {
  const workplace = new Workplace()
  let untouched: Map<string, string>

  before(() => {
    workplace.apply(
      ...meshNamespace(NAMESPACE),
      ...meshWorkload({ name: 'web', namespace: NAMESPACE, annotations: OWN }),
      ...meshWorkload({ name: 'queue', namespace: NAMESPACE, kind: 'StatefulSet' }),
    )
    waitUntilReady(workplace, NAMESPACE, 'deploy/web', 'sts/queue')
    untouched = dump(workplace)
  })
  after(() => {
    workplace.telemetry(...CLEANUP)
    workplace.kubectl('delete', 'namespace', NAMESPACE)
    workplace.end()
  })

  const changed = () => difference(untouched, dump(workplace))
  const assertRestored = () => {
    const { stdout, exitCode } = workplace.telemetry(...CLEANUP)
    assert.equal(exitCode, 0, stdout)
    assert.deepEqual(changed(), [])
    // A cleanup that has nothing left to restore does not wait for pods that are starting.
    waitUntilReady(workplace, NAMESPACE, 'deploy/web', 'sts/queue')
  }

  for (let write = 1; write < SCRAPE_WRITES; write++)
    it(`of scrape-secure, killed after write ${write} of ${SCRAPE_WRITES}, is undone by cleanup`, async () => {
      assert.ok(await killAfterWrite(workplace, SCRAPE, write))
      assert.equal(changed().length, write)
      assertRestored()
    })

  it('of scrape-secure is completed by a second run', async () => {
    assert.ok(await killAfterWrite(workplace, SCRAPE, 1))
    const { stdout, exitCode } = workplace.telemetry(...SCRAPE, '-o', 'json')
    assert.equal(exitCode, 0, stdout)
    const { workloads } = JSON.parse(stdout) as ScrapeSecureResult
    assert.deepEqual(
      workloads.map(({ name, action }) => `${name} ${action}`),
      ['web unchanged', 'queue configured'],
    )
    assertRestored()
  })

  for (let write = 1; write < CLEANUP_WRITES; write++)
    it(`of cleanup, killed after write ${write} of ${CLEANUP_WRITES}, is completed by a second cleanup`, async () => {
      assert.ok(await killAfterWrite(workplace, SCRAPE, SCRAPE_WRITES))
      assert.ok(await killAfterWrite(workplace, CLEANUP, write))
      assertRestored()
    })

  for (const [words, all] of [
    [BY_SIDECAR, BY_SIDECAR_WRITES],
    [CLEANUP, BY_SIDECAR_WRITES],
  ] as const)
    for (let write = 1; write < all; write++)
      it(`of ${words[0]} with a Sidecar, killed after write ${write} of ${all}, is undone by cleanup`, async () => {
        if (words === CLEANUP) assert.ok(await killAfterWrite(workplace, BY_SIDECAR, all))
        assert.ok(await killAfterWrite(workplace, [...words], write))
        assert.notDeepEqual(changed(), [])
        assertRestored()
      })

  for (let write = 1; write < CHART_WRITES; write++)
    it(`with empty maps of another manager, by SIGKILL after write ${write} of ${CHART_WRITES}: cleanup leaves nothing`, async () => {
      const chart = meshWorkload({
        ...{ name: 'chart', namespace: NAMESPACE, kind: 'DaemonSet', ownLabels: {}, annotations: {} },
      })
      workplace.applyAs('helm', ...chart)
      waitUntilReady(workplace, NAMESPACE, 'ds/chart')
      const before = dump(workplace)
      assert.ok(await killAfterWrite(workplace, CHART, write))
      assert.equal(difference(before, dump(workplace)).length, 1)
      const { stdout, exitCode } = workplace.telemetry(...CLEANUP)
      assert.equal(exitCode, 0, stdout)
      assert.deepEqual(difference(before, dump(workplace)), [])
      workplace.kubectl('-n', NAMESPACE, 'delete', 'ds/chart', 'svc/chart')
    })

  it('or of cleanup keeps an annotation that a user has edited', () => {
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
    waitUntilReady(workplace, NAMESPACE, 'deploy/web')
    const cleaned = workplace.telemetry(...CLEANUP)
    assert.equal(cleaned.exitCode, 0, cleaned.stdout + cleaned.stderr)
    assert.equal(config(), `${OWN['proxy.istio.io/config']}drainDuration: 5s\n`)
    assert.ok(podOf(workplace, NAMESPACE, 'web'))
  })
})
