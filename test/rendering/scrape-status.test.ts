import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { renderScrapeStatus } from '../../src/rendering/scrape-status.ts'
import type { ScrapeStatusResult, WorkloadStatus } from '../../src/scraping/status-result.ts'

const workload = (change: Partial<WorkloadStatus>): WorkloadStatus => ({
  ...{ kind: 'Deployment', namespace: 'shop', name: 'web', method: 'native', pods: 1, secured: 1, hardened: false },
  ...change,
})
const page = (workloads: WorkloadStatus[]) => {
  const open = workloads.map(({ namespace, name }) => `${namespace}/deployment/${name}:15020`)
  const result: ScrapeStatusResult = {
    ...{ workloads, double: [], unsecured: { sidecars: 0, gateways: 0 }, warnings: [] },
    plaintext: { open, unchecked: [] },
  }
  return renderScrapeStatus(result, [], undefined)
}
const closing = (...workloads: WorkloadStatus[]) => page(workloads).split('close it     ')[1]?.split(/\n */)

describe('renderScrapeStatus', () => {
  it('has a command for each namespace and method, with only these workloads', () => {
    const db = workload({ name: 'db' })
    const old = workload({ name: 'old', method: 'sidecar' })
    assert.deepEqual(closing(workload({}), db, old, workload({ namespace: 'till' })), [
      'kubectl telemetry scrape-secure deployment/web deployment/db -n shop --harden',
      'kubectl telemetry scrape-secure deployment/old -n shop --method sidecar --harden',
      'kubectl telemetry scrape-secure deployment/web -n till --harden',
    ])
  })

  it('has a pattern for many workloads', () => {
    const many = Array.from({ length: 9 }, (_, n) => workload({ name: `web-${n}` }))
    assert.deepEqual(closing(...many), ['kubectl telemetry scrape-secure WORKLOAD... -n NAMESPACE --harden'])
  })

  it('leaves out hardened workloads, and marks unknown ports', () => {
    assert.match(page([workload({ hardened: true })]), /^shop +deployment\/web +native +1\/1 +- +15020$/m)
    assert.equal(closing(workload({ hardened: true })), undefined)
  })
})
