/** Add-ons as charts and operators publish them: what the plugin finds and reads (docs/decisions/0031). */
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { ADDONS } from '../../src/addons/catalog.ts'
import { type AddonAccess, neededConfigMaps, readAccess, readPath } from '../../src/addons/configuration.ts'
import { findAddon } from '../../src/addons/find.ts'
import { httpsSign } from '../../src/addons/https.ts'
import type { Service } from '../../src/cluster/objects.ts'
import { addon } from './addon-objects.ts'
import * as published from './published-charts.ts'

const found = (services: Service[]) =>
  ADDONS.flatMap((row) => findAddon(row, services)).map(
    (one) => `${one.addon.title} ${one.service.metadata.name}:${one.port}`,
  )

describe('published add-ons', () => {
  const services: [string, Service[], string[]][] = [
    [
      "Rancher's Grafana, by the port of its nginx",
      published.RANCHER_GRAFANA.services,
      ['Grafana rancher-monitoring-grafana:80'],
    ],
    [
      'Grafana of its operator, under another name and on another port',
      published.GRAFANA_OPERATOR.services,
      ['Grafana main-service:3001'],
    ],
    ['Grafana of kube-prometheus', published.KUBE_PROMETHEUS_GRAFANA.services, ['Grafana grafana:3000']],
    ['Prometheus of kube-prometheus', published.KUBE_PROMETHEUS_SERVICES, ['Prometheus prometheus-operated:9090']],
    ["Prometheus of Bitnami's chart", published.BITNAMI_SERVICES, ['Prometheus prometheus-operated:9090']],
    ["nothing in Linkerd's Prometheus", [published.LINKERD_VIZ_SERVICE], []],
    ['Jaeger of its operator, not its collector', published.JAEGER_OPERATOR.services, ['Jaeger my-jaeger-query:16686']],
    ['nothing where only a proxy leads to Jaeger', published.JAEGER_OPERATOR_OPENSHIFT, []],
    ['Jaeger among all ports of its chart', published.JAEGER_CHART_ALL_IN_ONE.services, ['Jaeger jaeger:16686']],
    ["Jaeger's pages before Tempo", published.TEMPO_MONOLITHIC, ['Jaeger tempo-simplest-jaegerui:16686']],
    [
      'the same of a TempoStack, not the headless Service',
      published.tempoStack(true),
      ['Jaeger tempo-simplest-query-frontend:16686'],
    ],
    ['nothing in a TempoStack without pages', published.tempoStack(false), []],
    ["SkyWalking's chart, not its collector", published.SKYWALKING_CHART, ['SkyWalking skywalking-ui:80']],
    ["Zipkin's chart", published.ZIPKIN_CHART, ['Zipkin zipkin:9411']],
    ["Kiali's chart under another name", published.kialiChart('token', '/kiali').services, ['Kiali mesh-ui:20001']],
  ]
  for (const [name, list, expected] of services) it(`finds ${name}`, () => assert.deepEqual(found(list), expected))

  const login: AddonAccess = { kind: 'login' }
  const kialiUser = { kind: 'anonymous', role: "a user with Kiali's own rights in the cluster" } as const
  const traces = { kind: 'anonymous', role: 'a reader of every trace' } as const
  const read: [name: string, title: string, published.Published, AddonAccess, path: string][] = [
    ["Rancher's Grafana", 'grafana', published.RANCHER_GRAFANA, { kind: 'anonymous', role: 'Viewer' }, '/'],
    ['Grafana of its operator', 'grafana', published.GRAFANA_OPERATOR, login, '/'],
    [
      'Grafana with its configuration in a Secret',
      'grafana',
      published.KUBE_PROMETHEUS_GRAFANA,
      { kind: 'unknown' },
      '/',
    ],
    ["Kiali's chart", 'kiali', published.kialiChart('token', '/kiali'), login, '/kiali/'],
    ['the same at the root, with OpenShift’s login', 'kiali', published.kialiChart('openshift', '/'), login, '/'],
    ['the same without a login', 'kiali', published.kialiChart('anonymous', '/mesh'), kialiUser, '/mesh/'],
    ['Jaeger of its operator, with an option', 'jaeger', published.JAEGER_OPERATOR, traces, '/jaeger/'],
    ["Jaeger's chart with a configuration", 'jaeger', published.JAEGER_CHART_ALL_IN_ONE, traces, '/traces/'],
  ]
  for (const [name, title, { pods, configMaps }, access, path] of read)
    it(`reads ${name}`, () => {
      const needed = neededConfigMaps(addon(title), pods)
      assert.deepEqual(
        needed,
        configMaps.map(({ metadata }) => metadata.name),
      )
      assert.deepEqual(readAccess(addon(title), pods, configMaps), access)
      assert.equal(readPath(addon(title), pods, configMaps), path)
    })

  it("knows that Kiali's chart speaks HTTPS on OpenShift, by its configuration and by its Service", () => {
    const { services, pods, configMaps } = published.kialiOpenshift()
    const [one] = findAddon(addon('kiali'), services)
    assert.ok(one)
    assert.deepEqual(httpsSign(one, pods, configMaps), {
      why: 'identity.cert_file is /kiali-cert/tls.crt',
      proven: true,
    })
    assert.equal(httpsSign(one, pods, [])?.proven, false)
  })
})
