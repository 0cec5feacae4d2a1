import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { otherProduct } from '../../src/addons/configuration.ts'
import { surveyAddons } from '../../src/addons/survey.ts'
import type { Pod, Service } from '../../src/cluster/objects.ts'
import { refusal } from '../exposing/exposing.ts'
import { FakeCluster } from '../fakes/fake-cluster.ts'
import { FakeTerminal } from '../fakes/fake-terminal.ts'
import { grafana } from '../fakes/mesh.ts'
import { addon, podOf } from './addon-objects.ts'

const IMAGES: [string, string | undefined][] = [
  ['prom/prometheus:v3.10.0', undefined],
  ['registry.example:5000/thanos/thanos:v0.40.1', 'Thanos'],
  ['thanos@sha256:0123', 'Thanos'],
  ['victoriametrics/victoria-metrics:v1.130.0', 'VictoriaMetrics'],
  ['victoriametrics/vmselect:v1.130.0-cluster', 'VictoriaMetrics'],
  ['grafana/mimir', 'Mimir or Cortex'],
  ['thanos/prometheus', undefined],
  ['', undefined],
]

describe('another product in place of Prometheus', () => {
  for (const [image, expected] of IMAGES)
    it(`${image || 'no image'} is ${expected ?? 'none'}`, () => {
      assert.equal(otherProduct(addon('prometheus'), [podOf([{ name: 'server', image }])]), expected)
    })

  it('is not the sidecar of Thanos in a Prometheus', () => {
    const server = { name: 'prometheus', image: 'prom/prometheus:v3', ports: [{ containerPort: 9090 }] }
    const sidecar = { name: 'thanos-sidecar', image: 'thanos/thanos:v0.40.1', ports: [{ containerPort: 10902 }] }
    assert.equal(otherProduct(addon('prometheus'), [podOf([server, sidecar])]), undefined)
  })

  const labels = { app: 'thanos', part: 'query' }
  const thanos: Service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: 'thanos-query',
      namespace: 'monitoring',
      annotations: { 'kubectl-telemetry/addon': 'prometheus' },
    },
    spec: { selector: labels, ports: [{ port: 9090, name: 'http' }] },
  }
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'thanos-query-1', namespace: 'monitoring', labels },
    spec: { containers: [{ name: 'query', image: 'thanos/thanos:v0.40.1' }] },
  }
  const survey = () => {
    const cluster = new FakeCluster([thanos, pod, ...grafana()])
    const services = cluster.objects.filter(({ kind }) => kind === 'Service') as Service[]
    return surveyAddons({ names: ['prometheus'], named: true }, services, 'monitoring', {
      cluster,
      terminal: new FakeTerminal(),
    })
  }

  it('is refused where it is named, because its pages are not those of the allow list (C35)', async () => {
    const { code, message, suggestions } = await refusal(survey())
    assert.equal(code, 'ADDON_OTHER_PRODUCT')
    assert.match(message, /^Service monitoring\/thanos-query looks like Prometheus, but runs Thanos, whose pages /)
    assert.equal(
      suggestions[0],
      'kubectl telemetry port-forward svc/thanos-query -n monitoring   # only for this machine',
    )
  })
})
