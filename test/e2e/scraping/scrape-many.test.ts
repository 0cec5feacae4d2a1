/** The plan for a big mesh needs one pass, and only lists. The objects are real, but no kubelet runs them. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import { createWorkloads } from '../big-mesh.ts'
import { Workplace } from '../mesh.ts'

const NAMESPACES = ['many-a', 'many-b', 'many-c', 'many-d', 'many-e']
const DEPLOYMENTS = 500
const PODS_EACH = 2
/** Lists have pages of 500: three pages of pods, two of Deployments, one of every other kind. */
const MOST = 28

describe(`scrape-secure, ${DEPLOYMENTS} Deployments with ${DEPLOYMENTS * PODS_EACH} pods`, () => {
  const workplace = new Workplace()

  before(async () => {
    const namespace = (name: string) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
    workplace.apply(...NAMESPACES.map(namespace))
    for (const name of NAMESPACES)
      workplace.kubectl('-n', name, 'wait', '--for=create', 'serviceaccount/default', '--timeout=30s')
    const started = performance.now()
    await createWorkloads(NAMESPACES, DEPLOYMENTS, PODS_EACH)
    console.log(`    created in ${((performance.now() - started) / 1000).toFixed(1)} s`)
  })
  after(() => {
    workplace.kubectl('delete', 'namespace', ...NAMESPACES, '--wait=true', '--timeout=85s')
    workplace.end()
  })

  for (const words of [
    ['--prometheus', 'none'],
    ['--prometheus', 'istio-system/prometheus', '--only-prometheus'],
    ['--prometheus', 'none', '--method', 'sidecar'],
  ])
    it(`is planned in at most ${MOST} requests: ${words.join(' ')}`, () => {
      const started = performance.now()
      const flags = ['-A', '--dry-run=client', '-v']
      const { stdout, stderr, exitCode } = workplace.telemetry('scrape-secure', ...flags, ...words)
      const seconds = ((performance.now() - started) / 1000).toFixed(1)
      assert.equal(exitCode, 0, stdout)
      const planned = stdout.match(/^many-\w +deployment\/web-\d+ +2 +(native|sidecar) +configured/gm) ?? []
      assert.equal(planned.length, DEPLOYMENTS)
      const requests = stderr.match(/^[A-Z]+ .* ms$/gm) ?? []
      console.log(`      ${requests.length} requests, ${seconds} s`)
      assert.ok(requests.length > 5 && requests.length <= MOST, requests.join('\n'))
    })
})
