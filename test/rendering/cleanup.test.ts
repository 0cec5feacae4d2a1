import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { CleanupResult } from '../../src/cleaning/cleanup.ts'
import { renderCleanup } from '../../src/rendering/cleanup.ts'

const NOTHING: CleanupResult = {
  outcome: 'applied',
  deleted: [],
  changed: [],
  restored: [],
  authorities: [],
  remaining: [],
  warnings: [],
}
const object = (kind: string, group: string, name: string) => ({ kind, group, namespace: 'istio-system', name })
const ISTIO = 'networking.istio.io'
const ROUTE = object('VirtualService', ISTIO, 'kubectl-telemetry-grafana')
const SHRUNK: CleanupResult = {
  ...NOTHING,
  deleted: [ROUTE],
  changed: [
    { ...object('Gateway', ISTIO, 'kubectl-telemetry'), action: 'configured' },
    { ...object('Secret', '', 'kubectl-telemetry-tls'), action: 'unchanged' },
  ],
}

describe('renderCleanup', () => {
  const pages: [string, CleanupResult, 'none' | 'client' | 'server', string[]][] = [
    [
      'that there was nothing',
      NOTHING,
      'none',
      ['nothing to remove: the cluster has no exposure of kubectl telemetry'],
    ],
    [
      'that nothing was changed when it was declined',
      { ...SHRUNK, outcome: 'declined' },
      'none',
      ['nothing was changed'],
    ],
    [
      'what others share and what went, in kubectl words',
      SHRUNK,
      'none',
      [
        'gateway.networking.istio.io/kubectl-telemetry configured',
        'secret/kubectl-telemetry-tls unchanged',
        'virtualservice.networking.istio.io "kubectl-telemetry-grafana" deleted from istio-system namespace',
      ],
    ],
    [
      'each line of a dry run with its mark',
      { ...SHRUNK, outcome: 'planned' },
      'server',
      [
        'gateway.networking.istio.io/kubectl-telemetry configured (server dry run)',
        'secret/kubectl-telemetry-tls unchanged (server dry run)',
        'virtualservice.networking.istio.io "kubectl-telemetry-grafana" deleted from istio-system namespace (server dry run)',
      ],
    ],
    [
      'what is still there',
      { ...NOTHING, remaining: [ROUTE] },
      'none',
      ['NOT REMOVED: virtualservice.networking.istio.io/kubectl-telemetry-grafana in namespace istio-system'],
    ],
  ]
  for (const [name, result, dryRun, lines] of pages) {
    it(`tells ${name}`, () => assert.equal(renderCleanup(result, dryRun, undefined), lines.join('\n')))
  }

  it('is the result itself for scripts', () => {
    assert.deepEqual(JSON.parse(renderCleanup(SHRUNK, 'none', 'json')), SHRUNK)
  })
})
