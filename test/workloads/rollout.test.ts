import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { Pod } from '../../src/cluster/objects.ts'
import { complaintOf, rolloutOf } from '../../src/workloads/rollout.ts'
import type { WorkloadObject } from '../../src/workloads/workload-object.ts'

function object(kind: string, status: object, replicas?: number): WorkloadObject {
  const metadata = { name: 'web', generation: 2 }
  const template = { metadata: { name: '' }, spec: { containers: [] } }
  return {
    apiVersion: 'apps/v1',
    kind,
    metadata,
    spec: { template, ...(replicas === undefined ? {} : { replicas }) },
    status,
  }
}

const done = (kind: string, status: object, replicas?: number) => rolloutOf(object(kind, status, replicas)).done
const full = { observedGeneration: 2, replicas: 3, updatedReplicas: 3, availableReplicas: 3 }

describe('rolloutOf', () => {
  it('is done when all pods are new and available, and no old pod is left', () => {
    for (const kind of ['Deployment', 'StatefulSet']) {
      assert.equal(done(kind, full, 3), true)
      assert.equal(done(kind, { ...full, observedGeneration: 1 }, 3), false, 'the template is not observed yet')
      assert.equal(done(kind, { ...full, updatedReplicas: 2 }, 3), false)
      assert.equal(done(kind, { ...full, availableReplicas: 2 }, 3), false)
      assert.equal(done(kind, { ...full, replicas: 4 }, 3), false, 'an old pod is left')
      assert.equal(done(kind, { observedGeneration: 2 }, 0), true, 'none is wanted')
    }
  })

  it('reads the status fields of a DaemonSet', () => {
    const status = { observedGeneration: 2, desiredNumberScheduled: 2, updatedNumberScheduled: 2, numberAvailable: 2 }
    assert.equal(done('DaemonSet', status), true)
    assert.equal(done('DaemonSet', { ...status, updatedNumberScheduled: 1 }), false)
    assert.equal(done('DaemonSet', { ...status, numberAvailable: 1 }), false)
  })

  it('counts', () => {
    const rollout = rolloutOf(object('Deployment', { ...full, updatedReplicas: 1, availableReplicas: 2 }, 3))
    assert.deepEqual(rollout, { done: false, updated: 1, ready: 2, wanted: 3 })
  })
})

describe('complaintOf', () => {
  const pod = (status: object): Pod => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web-1' },
    spec: { containers: [] },
    status,
  })
  const container = (state: object, more = {}) => ({ containerStatuses: [{ name: 'app', state, ...more }] })
  const cases: [string, object, string | undefined][] = [
    [
      'an image that cannot be had',
      container({ waiting: { reason: 'ImagePullBackOff', message: 'Back-off pulling image "app:2"' } }),
      'pod web-1: container app ImagePullBackOff: Back-off pulling image "app:2"',
    ],
    [
      'a crash',
      container({ running: {} }, { lastState: { terminated: { exitCode: 3, reason: 'Error' } } }),
      'pod web-1: container app ended with exit code 3 (Error)',
    ],
    [
      'no room',
      { conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/1 nodes' }] },
      'pod web-1: Unschedulable: 0/1 nodes',
    ],
    [
      'a probe that fails',
      { conditions: [{ type: 'Ready', status: 'False', message: 'containers with unready status: [app]' }] },
      'pod web-1: not ready: containers with unready status: [app]',
    ],
    ['nothing', { conditions: [{ type: 'Ready', status: 'True' }] }, undefined],
    ['what waits for another container', container({ waiting: { reason: 'PodInitializing' } }), undefined],
  ]
  for (const [what, status, said] of cases) it(`reports ${what}`, () => assert.equal(complaintOf([pod(status)]), said))
})
