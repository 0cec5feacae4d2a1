import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { ADDONS } from '../../src/addons/catalog.ts'
import { findAddon } from '../../src/addons/find.ts'
import type { Service } from '../../src/cluster/objects.ts'
import { GRAFANA, JAEGER, KIALI, LOKI, PROMETHEUS, SKYWALKING, ZIPKIN } from './istio-samples.ts'

/** All found add-ons, as `Title service:port`. */
const found = (services: Service[]) =>
  ADDONS.flatMap((row) => findAddon(row, services)).map(
    ({ addon, service, port }) => `${addon.title} ${service.metadata.name}:${port}`,
  )

describe("among Istio's sample add-ons", () => {
  const samples: [string, Service[], string[]][] = [
    ['Grafana', GRAFANA, ['Grafana grafana:3000']],
    ['Kiali by its pages, not by its metrics', KIALI, ['Kiali kiali:20001']],
    ['Prometheus', PROMETHEUS, ['Prometheus prometheus:9090']],
    ['nothing in Loki', LOKI, []],
    ['Jaeger, and no Zipkin in the Services by which it stands in for one', JAEGER, ['Jaeger tracing:80']],
    ['one Zipkin behind its two Services', ZIPKIN, ['Zipkin tracing:80']],
    [
      "one SkyWalking behind the two Services of its pages, and nothing in the collector's",
      SKYWALKING,
      ['SkyWalking skywalking-ui:8080'],
    ],
    [
      'each once when all are there',
      [...GRAFANA, ...JAEGER, ...KIALI, ...LOKI, ...PROMETHEUS],
      ['Grafana grafana:3000', 'Kiali kiali:20001', 'Prometheus prometheus:9090', 'Jaeger tracing:80'],
    ],
  ]
  for (const [name, services, expected] of samples) {
    it(`finds ${name}`, () => assert.deepEqual(found(services), expected))
  }
})
