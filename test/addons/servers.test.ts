import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { surveyAddons } from '../../src/addons/survey.ts'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import type { Service } from '../../src/cluster/objects.ts'
import { refusal } from '../exposing/exposing.ts'
import { FakeCluster } from '../fakes/fake-cluster.ts'
import { FakeTerminal } from '../fakes/fake-terminal.ts'

/** What Prometheus Operator makes in a namespace with any Prometheus. */
const OPERATED = {
  ...{ apiVersion: 'v1', kind: 'Service' },
  metadata: { name: 'prometheus-operated', namespace: 'monitoring', labels: { 'operated-prometheus': 'true' } },
  spec: { clusterIP: 'None', selector: { app: 'prometheus' }, ports: [{ name: 'web', port: 9090 }] },
} as Service

const pod = (
  owner: { kind: string; name: string },
  index = 0,
  more: { labels?: object; isReady?: boolean } = {},
): KubeObject => ({
  ...{ apiVersion: 'v1', kind: 'Pod' },
  metadata: {
    name: `${owner.name}-${index}`,
    namespace: 'monitoring',
    labels: { app: 'prometheus', ...more.labels },
    ownerReferences: [{ controller: true, ...owner }],
  },
  spec: { containers: [{ name: 'prometheus', ports: [{ containerPort: 9090 }] }] },
  status: { phase: 'Running', conditions: [{ type: 'Ready', status: more.isReady === false ? 'False' : 'True' }] },
})
const set = (name: string) => ({ kind: 'StatefulSet', name })
const replicaSet = (hash: string) =>
  pod({ kind: 'ReplicaSet', name: `prometheus-${hash}` }, 0, { labels: { 'pod-template-hash': hash } })

const survey = (...pods: KubeObject[]) =>
  surveyAddons({ names: ['prometheus'], named: true }, [OPERATED], undefined, {
    cluster: new FakeCluster(pods),
    terminal: new FakeTerminal(),
  })

describe('a Service before Prometheus', () => {
  const refused: [string, KubeObject[], string][] = [
    [
      'two servers',
      [pod(set('prometheus-k8s')), pod(set('prometheus-tenant'))],
      'statefulset/prometheus-k8s, statefulset/prometheus-tenant',
    ],
    [
      'two shards',
      [pod(set('prometheus-k8s')), pod(set('prometheus-k8s-shard-1'))],
      'statefulset/prometheus-k8s, statefulset/prometheus-k8s-shard-1',
    ],
    [
      'pods without a workload',
      [
        pod(set('prometheus-k8s')),
        { ...pod(set('own')), metadata: { name: 'own', namespace: 'monitoring', labels: { app: 'prometheus' } } },
      ],
      'statefulset/prometheus-k8s, pod/own',
    ],
  ]
  for (const [title, pods, names] of refused)
    it(`is refused if it leads to ${title}, naming them`, async () => {
      const { code, message, suggestions } = await refusal(survey(...pods))
      assert.deepEqual(
        [code, message],
        [
          'SEVERAL_SERVERS',
          `Service monitoring/prometheus-operated leads to 2 Prometheus servers, whose answers would alternate: ${names}`,
        ],
      )
      assert.match(
        suggestions[0] ?? '',
        /^kubectl -n monitoring annotate service NAME kubectl-telemetry\/addon=prometheus/,
      )
    })

  const accepted: [string, KubeObject[]][] = [
    ['replicas of one server', [pod(set('prometheus-k8s')), pod(set('prometheus-k8s'), 1)]],
    ['the pods of a rolling update', [replicaSet('5d9f8'), replicaSet('7f9c4')]],
    [
      'a second server without a Ready pod',
      [pod(set('prometheus-k8s')), pod(set('prometheus-tenant'), 0, { isReady: false })],
    ],
    ['no pod', []],
  ]
  for (const [title, pods] of accepted)
    it(`is accepted if it leads to ${title}`, async () => assert.equal((await survey(...pods)).addons.length, 1))
})
