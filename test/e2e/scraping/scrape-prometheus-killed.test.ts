/** Runs of `scrape-secure` and of its cleanup that are killed between writes, those to Prometheus among them. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import type { ConfigMap } from '../../../src/cluster/objects.ts'
import { difference, dump } from '../dump.ts'
import { killedAfter } from '../killed-run.ts'
import { Workplace } from '../mesh.ts'
import { meshedNamespace, meshedWorkload, ready } from '../mesh-workloads.ts'
import { writeBack } from '../scraping-prometheus.ts'

const NAMESPACE = 'prometheus-killed'
const SCRAPE = ['scrape-secure', '-n', NAMESPACE, '-y']
const CLEANUP = ['cleanup', '--scraping', '-y']
/** prometheus.yml, Prometheus itself, and the workload. */
const SCRAPING = 3
/** The workload; of prometheus.yml and of Prometheus the values, and then the record. */
const CLEANING = 5
const MINE = '# mine\n- job_name: mine\n  static_configs: [{targets: ["localhost:1"]}]\n'

describe('secure scraping that is killed, Prometheus included, on the real mesh', () => {
  const workplace = new Workplace()
  let untouched: Map<string, string>

  before(() => {
    workplace.apply(...meshedNamespace(NAMESPACE), ...meshedWorkload({ name: 'web', namespace: NAMESPACE }))
    ready(workplace, NAMESPACE, 'deploy/web')
    workplace.rolledOut('prometheus')
    untouched = dump(workplace)
  })
  after(() => {
    workplace.telemetry(...CLEANUP)
    workplace.kubectl('delete', 'namespace', NAMESPACE)
    workplace.end()
    workplace.rolledOut('prometheus')
  })

  const changed = () => difference(untouched, dump(workplace))
  const cleaned = () => {
    const { stdout, stderr, exitCode } = workplace.telemetry(...CLEANUP)
    assert.equal(exitCode, 0, stdout + stderr)
    // Pods may still be on their way after a run that was killed, and the next one leaves workloads alone that are not well.
    ready(workplace, NAMESPACE, 'deploy/web')
  }
  const configuration = () => {
    const text = workplace.kubectl('-n', 'istio-system', 'get', 'configmap', 'prometheus', '-o', 'json')
    return JSON.parse(text) as ConfigMap
  }
  const textOf = ({ data }: ConfigMap) => data?.['prometheus.yml'] ?? assert.fail()
  const withMine = (text: string) => text.replace('scrape_configs:\n', `scrape_configs:\n${MINE}`)

  for (let write = 1; write < SCRAPING; write++)
    it(`after write ${write} of ${SCRAPING}: cleanup leaves nothing`, async () => {
      assert.ok(await killedAfter(workplace, SCRAPE, write))
      assert.equal(changed().length, write)
      cleaned()
      assert.deepEqual(changed(), [])
    })

  for (let write = 1; write < CLEANING; write++)
    it(`in cleanup, after write ${write} of ${CLEANING}: a second one leaves nothing`, async () => {
      assert.ok(await killedAfter(workplace, SCRAPE, SCRAPING))
      assert.equal(changed().length, SCRAPING)
      assert.ok(await killedAfter(workplace, CLEANUP, write))
      assert.notDeepEqual(changed(), [])
      cleaned()
      assert.deepEqual(changed(), [])
    })

  it('an edit of prometheus.yml between two that were killed survives both', async () => {
    const found = configuration()
    assert.ok(await killedAfter(workplace, SCRAPE, 1))
    const data = { 'prometheus.yml': withMine(textOf(configuration())) }
    const patch = JSON.stringify({ data })
    workplace.kubectl('-n', 'istio-system', 'patch', 'configmap', 'prometheus', '--type=merge', '-p', patch)
    assert.ok(await killedAfter(workplace, SCRAPE, SCRAPING - 1), 'goes on with what is left')
    assert.ok(await killedAfter(workplace, CLEANUP, 2))
    cleaned()
    assert.equal(textOf(configuration()), withMine(textOf(found)))
    writeBack(workplace, found)
  })
})
