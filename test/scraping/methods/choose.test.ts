import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { Pod } from '../../../src/cluster/objects.ts'
import { changedLabels, SCRAPING } from '../../../src/cluster/ownership.ts'
import { WORKLOADS } from '../../../src/cluster/resources.ts'
import { type Candidate, findCandidates } from '../../../src/scraping/find.ts'
import { chooseMethod, whyNotReady } from '../../../src/scraping/methods/choose.ts'
import type { WorkloadObject } from '../../../src/workloads/workload-object.ts'
import { type FakeWorkload, workload } from '../../fakes/workloads.ts'

function candidate(wanted: FakeWorkload, version?: string): Candidate {
  const [object, ...pods] = workload('web', wanted)
  const resource = WORKLOADS.find(({ kind }) => kind === object?.kind)
  assert.ok(object !== undefined && resource !== undefined)
  const versions = new Map(version === undefined ? [] : [['default', version]])
  const [found] = findCandidates([{ resource, object: object as WorkloadObject }], pods as Pod[], versions)
  return found ?? assert.fail()
}

function choice(wanted: FakeWorkload, asked: 'auto' | 'native' | 'sidecar' = 'auto', version?: string): string {
  const chosen = chooseMethod(candidate(wanted, version), asked)
  return 'skip' in chosen ? chosen.skip.code : chosen.method
}

describe('chooseMethod', () => {
  const versions: [string, string][] = [
    ['1.31.0', 'native'],
    ['1.31', 'native'],
    ['1.40.1', 'native'],
    ['2.0.0', 'native'],
    ['1.30.9', 'sidecar'],
    ['1.9.0', 'sidecar'],
  ]
  for (const [version, method] of versions)
    it(`is ${method} with Istio ${version}`, () => assert.equal(choice({}, 'auto', version), method))

  it('is the requested method, if that is possible', () => {
    assert.equal(choice({}, 'sidecar', '1.31.0'), 'sidecar')
    assert.equal(choice({}, 'native', '1.30.0'), 'ISTIO_TOO_OLD')
    const unknown = { istio: 'latest', revision: 'elsewhere' }
    assert.equal(choice(unknown), 'ISTIO_UNKNOWN')
    assert.equal(choice(unknown, 'native'), 'native')
    assert.equal(choice(unknown, 'sidecar'), 'sidecar')
  })

  for (const [port, present, other] of [
    ['15091', 'sidecar', 'native'],
    ['15092', 'native', 'sidecar'],
  ] as const) {
    it(`stays ${present} if the workload already uses it`, () => {
      const scraped = candidate({ template: { annotations: { 'prometheus.istio.io/secure-port': port } } }, '1.31.0')
      const chosen = (asked: 'auto' | 'native' | 'sidecar') => {
        const answer = chooseMethod(scraped, asked)
        return 'skip' in answer ? answer.skip.code : answer.method
      }
      // A user's own annotation does not show our method.
      assert.deepEqual([chosen('auto'), chosen(other)], ['native', other])
      scraped.object.metadata.labels = changedLabels(SCRAPING)
      assert.deepEqual([chosen('auto'), chosen(present), chosen(other)], [present, present, 'OTHER_METHOD'])
    })
  }

  const ambient = { labels: { 'istio.io/dataplane-mode': 'ambient' } }
  const skips: [string, FakeWorkload][] = [
    ['NO_SIDECAR', { proxy: 'none' }],
    ['NO_PODS', { pods: 0 }],
    ['AMBIENT', { proxy: 'none', template: ambient }],
    ['HOST_NETWORK', { proxy: 'none', podSpec: { hostNetwork: true } }],
    ['OPERATOR_OWNED', { metadata: { ownerReferences: [{ kind: 'Kafka', name: 'main', controller: true }] } }],
    ['PAUSED', { spec: { paused: true } }],
    ['ON_DELETE', { kind: 'StatefulSet', spec: { updateStrategy: { type: 'OnDelete' } } }],
    ['ON_DELETE', { kind: 'DaemonSet', spec: { updateStrategy: { type: 'OnDelete' } } }],
    ['PARTITIONED', { kind: 'StatefulSet', spec: { updateStrategy: { rollingUpdate: { partition: 2 } } } }],
    ['POD_PORT_TAKEN', { ports: [8080, 15091] }],
    ['POD_PORT_TAKEN', { ports: [15092] }],
  ]
  for (const [code, wanted] of skips)
    it(`skips with ${code}: ${JSON.stringify(wanted)}`, () => assert.equal(choice(wanted, 'auto', '1.31.0'), code))

  it('checks only one port for the method sidecar', () => {
    assert.equal(choice({ ports: [15092] }, 'sidecar'), 'sidecar')
    assert.equal(choice({ ports: [15091] }, 'sidecar'), 'POD_PORT_TAKEN')
  })
})

describe('whyNotReady', () => {
  it('skips a workload with pods that are not ready, unless an interrupted run changed it', () => {
    assert.equal(whyNotReady(candidate({})), undefined)
    assert.equal(whyNotReady(candidate({ spec: { replicas: 2 } }))?.code, 'PODS_NOT_READY')
    const refused = candidate({ spec: { replicas: 2 } })
    refused.object.status = { conditions: [{ type: 'ReplicaFailure', status: 'True', message: 'exceeded quota' }] }
    assert.match(whyNotReady(refused)?.reason ?? '', /could not be recognized \(exceeded quota\)$/)
    const managedFields = [{ manager: SCRAPING.manager, operation: 'Apply', fieldsV1: { 'f:spec': {} } }]
    assert.equal(whyNotReady(candidate({ spec: { replicas: 2 }, metadata: { managedFields } })), undefined)
  })
})
