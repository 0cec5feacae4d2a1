import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { renderScrapeProgress, renderScrapeSecure, renderTargets } from '../../src/rendering/scrape-secure.ts'
import type { ScrapeSecureReport, ScrapeSecureResult } from '../../src/scraping/result.ts'
import { expectGolden } from '../golden-file.ts'

const RESULT: ScrapeSecureResult = {
  outcome: 'applied',
  method: 'mixed',
  workloads: [
    { kind: 'Deployment', namespace: 'shop', name: 'web', pods: 3, method: 'native', action: 'configured' },
    { kind: 'StatefulSet', namespace: 'shop', name: 'db', pods: 1, method: 'sidecar', action: 'unchanged' },
    {
      ...{ kind: 'DaemonSet', namespace: 'shop', name: 'agent', pods: 2, action: 'skipped' },
      ...{ code: 'NO_SIDECAR', reason: 'its pods have no sidecar' },
    },
  ],
  prometheus: { kind: 'Deployment', namespace: 'istio-system', name: 'prometheus' },
  targets: { up: 4, total: 4, jobs: [{ name: 'kubectl-telemetry-istio-secure', up: 4, total: 4 }] },
  plaintext: { open: ['shop/deployment/web:15090', 'shop/deployment/web:15020'] },
  objects: [
    { kind: 'ConfigMap', group: '', namespace: 'istio-system', name: 'prometheus', action: 'configured' },
    { kind: 'Deployment', group: 'apps', namespace: 'shop', name: 'web', action: 'configured' },
  ],
  warnings: [],
}
const report = (result: ScrapeSecureResult): ScrapeSecureReport => ({
  ...{ result, refused: false, manifests: [], comparisons: [] },
})

describe('renderScrapeSecure', () => {
  it('shows Prometheus, its targets, and what is open', () => {
    expectGolden('scrape-secure-prometheus.txt', renderScrapeSecure(report(RESULT), 'none', undefined))
    expectGolden('scrape-secure-prometheus.json', renderScrapeSecure(report(RESULT), 'none', 'json'))
  })

  it('says that nothing was changed when it was declined', () => {
    const declined = report({ ...RESULT, outcome: 'declined' })
    assert.equal(renderScrapeSecure(declined, 'none', undefined), 'nothing was changed')
  })

  it('has a line of progress', () => {
    const rollout = { done: false, updated: 1, ready: 2, wanted: 3, workload: 'deployment/web', number: 2, of: 5 }
    assert.equal(renderScrapeProgress(rollout), 'deployment/web (2 of 5): 1 of 3 pods replaced, 2 ready')
    assert.equal(renderTargets({ up: 3, total: 4, elapsed: 12_400 }), '3 of 4 targets up, 12 s')
  })
})
