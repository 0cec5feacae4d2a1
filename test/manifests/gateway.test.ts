import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { gateways } from '../../src/cluster/resources.ts'
import { gateway } from '../../src/manifests/gateway.ts'

describe('gateway', () => {
  const request = {
    namespace: 'istio-ingress',
    selector: { istio: 'ingress', app: 'istio-ingress' },
    notes: {},
    servers: [
      {
        name: 'https-telemetry',
        port: 443,
        hosts: ['grafana.example.com', 'kiali.example.com'],
        serves: 'https' as const,
      },
    ],
  }

  it('has one HTTPS server for all hosts, for routes of its namespace and the pods of the Service, with our Secret', () => {
    assert.deepEqual(gateway(gateways('v1'), request), {
      apiVersion: 'networking.istio.io/v1',
      kind: 'Gateway',
      metadata: {
        name: 'kubectl-telemetry',
        namespace: 'istio-ingress',
        labels: { 'app.kubernetes.io/managed-by': 'kubectl-telemetry', 'kubectl-telemetry/part': 'exposing' },
      },
      spec: {
        selector: { istio: 'ingress', app: 'istio-ingress' },
        servers: [
          {
            hosts: ['./grafana.example.com', './kiali.example.com'],
            port: { name: 'https-telemetry', number: 443, protocol: 'HTTPS' },
            tls: { mode: 'SIMPLE', credentialName: 'kubectl-telemetry-tls' },
          },
        ],
      },
    })
  })

  it('has the version that the cluster serves', () => {
    assert.equal(gateway(gateways('v1beta1'), request).apiVersion, 'networking.istio.io/v1beta1')
  })
})
