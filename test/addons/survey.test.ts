import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { chooseAddons } from '../../src/addons/survey.ts'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import type { Service } from '../../src/cluster/objects.ts'
import { UserError } from '../../src/errors.ts'
import { refusal } from '../exposing/exposing.ts'
import { FakeCluster } from '../fakes/fake-cluster.ts'
import { FakeTerminal } from '../fakes/fake-terminal.ts'
import { JAEGER_CHART, KUBE_PROMETHEUS_STACK, OLD_GRAFANA } from './charts.ts'
import { GRAFANA, JAEGER, PROMETHEUS } from './istio-samples.ts'

const namespace = (name: string, phase = 'Active', metadata: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, ...metadata },
  status: { phase },
})

/** @param where `-n` */
async function chosen(
  name: string,
  services: Service[],
  where?: string,
  cluster = new FakeCluster([]),
  terminal = new FakeTerminal(),
): Promise<string[]> {
  const asking = { cluster, terminal }
  const found = await chooseAddons({ names: [name], named: true }, services, where, asking)
  return found.chosen.map((one) => `${one.namespace}/${one.service.metadata.name}`)
}

describe("an add-on beside Istio's sample", () => {
  const pairs: [string, string, Service[], Service[], string, string][] = [
    ['Grafana', 'grafana', GRAFANA, [OLD_GRAFANA], 'istio-system/grafana', 'monitoring/grafana'],
    ['Jaeger', 'tracing', JAEGER, JAEGER_CHART, 'istio-system/tracing', 'monitoring/jaeger-query'],
    [
      'the Prometheus of an operator',
      'prometheus',
      PROMETHEUS,
      KUBE_PROMETHEUS_STACK,
      'istio-system/prometheus',
      'monitoring/prometheus-operated',
    ],
  ]
  for (const [title, name, samples, chart, sample, own] of pairs) {
    it(`${title}: -n chooses one of the two, and without it the error names both`, async () => {
      const services = [...samples, ...chart]
      assert.deepEqual(await chosen(name, services, 'monitoring'), [own])
      assert.deepEqual(await chosen(name, services, 'istio-system'), [sample])
      const { code, message, suggestions } = await refusal(chosen(name, services))
      assert.equal(code, 'ADDON_AMBIGUOUS')
      assert.ok(message.includes(sample) && message.includes(own), message)
      assert.deepEqual(suggestions, ['-n istio-system', '-n monitoring'])
    })
  }

  it('is a question on a terminal', async () => {
    const terminal = new FakeTerminal({ 'Which grafana?': 'monitoring/grafana (Grafana)' })
    const services = [...GRAFANA, OLD_GRAFANA]
    assert.deepEqual(await chosen('grafana', services, undefined, new FakeCluster([]), terminal), [
      'monitoring/grafana',
    ])
  })

  it('is no candidate when its namespace is being deleted', async () => {
    const services = [...GRAFANA, OLD_GRAFANA]
    for (const ending of [
      namespace('monitoring', 'Terminating'),
      namespace('monitoring', 'Active', { deletionTimestamp: '2026-11-21T12:00:00Z' }),
    ]) {
      const cluster = new FakeCluster([namespace('istio-system'), ending])
      assert.deepEqual(await chosen('grafana', services, undefined, cluster), ['istio-system/grafana'])
    }
    const cluster = new FakeCluster([namespace('istio-system'), namespace('monitoring')])
    assert.equal((await refusal(chosen('grafana', services, undefined, cluster))).code, 'ADDON_AMBIGUOUS')
  })

  it('stays one when namespaces may not be read', async () => {
    const cluster = new FakeCluster([])
    cluster.fail('get', 'namespaces', new UserError('FORBIDDEN', 'you may not'))
    assert.equal(
      (await refusal(chosen('grafana', [...GRAFANA, OLD_GRAFANA], undefined, cluster))).code,
      'ADDON_AMBIGUOUS',
    )
  })

  it('needs no request when there is no choice', async () => {
    const cluster = new FakeCluster([])
    await chosen('grafana', GRAFANA, undefined, cluster)
    await chosen('grafana', [...GRAFANA, OLD_GRAFANA], 'monitoring', cluster)
    assert.deepEqual(cluster.reads, [])
  })
})
