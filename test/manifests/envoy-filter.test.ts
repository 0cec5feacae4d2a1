import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { ENVOY_FILTERS } from '../../src/cluster/resources.ts'
import { guardFilter } from '../../src/manifests/envoy-filter.ts'
import { basicAuth } from '../../src/manifests/guard-filters.ts'

const USER = 'me:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ='
const AT = {
  namespace: 'istio-ingress',
  selector: { istio: 'ingress' },
  addonName: 'grafana',
  host: 'grafana.example.com',
}

interface Patches {
  configPatches: { applyTo: string; match: { listener?: object }; patch: { operation: string; value: object } }[]
}
const patchesOf = (request: Parameters<typeof guardFilter>[1]) =>
  (guardFilter(ENVOY_FILTERS, request, basicAuth([USER])).spec as Patches).configPatches

describe('guardFilter', () => {
  it('is disabled at the shared listener, and enabled at our virtual host', () => {
    const [filter, host, ...more] = patchesOf({ ...AT, serverPort: 443, serverNames: ['grafana.example.com'] })
    assert.deepEqual(more, [])
    assert.deepEqual(filter, {
      applyTo: 'HTTP_FILTER',
      match: {
        context: 'GATEWAY',
        listener: {
          filterChain: {
            sni: 'grafana.example.com',
            filter: {
              name: 'envoy.filters.network.http_connection_manager',
              subFilter: { name: 'envoy.filters.http.router' },
            },
          },
        },
      },
      patch: {
        operation: 'INSERT_BEFORE',
        value: {
          name: 'kubectl-telemetry.grafana',
          disabled: true,
          typed_config: {
            '@type': 'type.googleapis.com/envoy.extensions.filters.http.basic_auth.v3.BasicAuth',
            users: { inline_string: `${USER}\n` },
          },
        },
      },
    })
    assert.deepEqual(host, {
      applyTo: 'VIRTUAL_HOST',
      match: { context: 'GATEWAY', routeConfiguration: { vhost: { name: 'grafana.example.com:443' } } },
      patch: {
        operation: 'MERGE',
        value: {
          typed_per_filter_config: {
            'kubectl-telemetry.grafana': {
              '@type': 'type.googleapis.com/envoy.extensions.filters.http.basic_auth.v3.BasicAuthPerRoute',
              users: { inline_string: `${USER}\n` },
            },
          },
        },
      },
    })
  })

  it("selects the gateway's pods, and has our labels and the name of its add-on", () => {
    const { metadata, spec } = guardFilter(ENVOY_FILTERS, { ...AT, serverPort: 443 }, basicAuth([USER]))
    assert.deepEqual(metadata, {
      name: 'kubectl-telemetry-grafana',
      namespace: 'istio-ingress',
      labels: {
        'app.kubernetes.io/managed-by': 'kubectl-telemetry',
        'kubectl-telemetry/part': 'exposing',
        'app.kubernetes.io/component': 'grafana',
      },
    })
    assert.deepEqual((spec as { workloadSelector: object }).workloadSelector, { labels: { istio: 'ingress' } })
  })

  it('is on each possible listener with HTTP', () => {
    const patches = patchesOf({ ...AT, serverPort: 80, ports: [80, 8080] })
    const listeners = patches.map(({ match }) => (match.listener as { portNumber?: number } | undefined)?.portNumber)
    assert.deepEqual(listeners, [80, 8080, undefined])
    assert.ok(!JSON.stringify(patches).includes('"sni"'))
  })
})
