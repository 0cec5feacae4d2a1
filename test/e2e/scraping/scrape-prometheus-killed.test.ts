/** Runs of `scrape-secure` and its cleanup that are killed between writes, including those to Prometheus. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import type { ConfigMap } from '../../../src/cluster/objects.ts'
import { difference, dump } from '../dump.ts'
import { killAfterWrite } from '../killed-run.ts'
import { Workplace } from '../mesh.ts'
import { meshNamespace, meshWorkload, waitUntilReady } from '../mesh-workloads.ts'
import { restoreObject } from '../scraping-prometheus.ts'

const NAMESPACE = 'prometheus-killed'
const SCRAPE = ['scrape-secure', '-n', NAMESPACE, '-y']
const CLEANUP = ['cleanup', '--scraping', '-y']
/** prometheus.yml, Prometheus itself, and the workload. */
const SCRAPE_WRITES = 3
/** The workload; for prometheus.yml and for Prometheus the values, and then the record. */
const CLEANUP_WRITES = 5
const MINE = '# mine\n- job_name: mine\n  static_configs: [{targets: ["localhost:1"]}]\n'

describe('a killed run of secure scraping with Prometheus, on the real mesh', () => {
  const workplace = new Workplace()
  let untouched: Map<string, string>

  before(() => {
    workplace.apply(...meshNamespace(NAMESPACE), ...meshWorkload({ name: 'web', namespace: NAMESPACE }))
    waitUntilReady(workplace, NAMESPACE, 'deploy/web')
    workplace.waitForRollout('prometheus')
    untouched = dump(workplace)
  })
  after(() => {
    workplace.telemetry(...CLEANUP)
    workplace.kubectl('delete', 'namespace', NAMESPACE)
    workplace.end()
    workplace.waitForRollout('prometheus')
  })

  const changed = () => difference(untouched, dump(workplace))
  const cleaned = () => {
    const { stdout, stderr, exitCode } = workplace.telemetry(...CLEANUP)
    assert.equal(exitCode, 0, stdout + stderr)
    // After a killed run, pods may still be starting, and the next run skips workloads that are not ready.
    waitUntilReady(workplace, NAMESPACE, 'deploy/web')
  }
  const configuration = () => {
    const text = workplace.kubectl('-n', 'istio-system', 'get', 'configmap', 'prometheus', '-o', 'json')
    return JSON.parse(text) as ConfigMap
  }
  const textOf = ({ data }: ConfigMap) => data?.['prometheus.yml'] ?? assert.fail()
  const withMine = (text: string) => text.replace('scrape_configs:\n', `scrape_configs:\n${MINE}`)

  for (let write = 1; write < SCRAPE_WRITES; write++)
    it(`of scrape-secure after write ${write} of ${SCRAPE_WRITES} is undone by cleanup`, async () => {
      assert.ok(await killAfterWrite(workplace, SCRAPE, write))
      assert.equal(changed().length, write)
      cleaned()
      assert.deepEqual(changed(), [])
    })

  for (let write = 1; write < CLEANUP_WRITES; write++)
    it(`of cleanup after write ${write} of ${CLEANUP_WRITES} is completed by a second cleanup`, async () => {
      assert.ok(await killAfterWrite(workplace, SCRAPE, SCRAPE_WRITES))
      assert.equal(changed().length, SCRAPE_WRITES)
      assert.ok(await killAfterWrite(workplace, CLEANUP, write))
      assert.notDeepEqual(changed(), [])
      cleaned()
      assert.deepEqual(changed(), [])
    })

  it('keeps a user’s edit of prometheus.yml, which was made between two such runs', async () => {
    const found = configuration()
    assert.ok(await killAfterWrite(workplace, SCRAPE, 1))
    const data = { 'prometheus.yml': withMine(textOf(configuration())) }
    const patch = JSON.stringify({ data })
    workplace.kubectl('-n', 'istio-system', 'patch', 'configmap', 'prometheus', '--type=merge', '-p', patch)
    assert.ok(await killAfterWrite(workplace, SCRAPE, SCRAPE_WRITES - 1), 'the second run continues')
    assert.ok(await killAfterWrite(workplace, CLEANUP, 2))
    cleaned()
    assert.equal(textOf(configuration()), withMine(textOf(found)))
    restoreObject(workplace, found)
  })
})
