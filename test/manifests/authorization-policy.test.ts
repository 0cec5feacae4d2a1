import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { authorizationPolicies } from '../../src/cluster/resources.ts'
import { allowList } from '../../src/manifests/authorization-policy.ts'

describe('allowList', () => {
  const request = {
    namespace: 'istio-ingress',
    selector: { istio: 'ingress' },
    addonName: 'grafana',
    host: 'grafana.example.com',
  }

  it('denies one host, with any port behind its name, to all other addresses', () => {
    const serverNames = ['grafana.example.com', 'kiali.example.com']
    assert.deepEqual(allowList(authorizationPolicies('v1'), { ...request, serverNames }, ['10.0.0.0/8']), {
      apiVersion: 'security.istio.io/v1',
      kind: 'AuthorizationPolicy',
      metadata: {
        name: 'kubectl-telemetry-grafana',
        namespace: 'istio-ingress',
        labels: {
          'app.kubernetes.io/managed-by': 'kubectl-telemetry',
          'app.kubernetes.io/component': 'grafana',
        },
      },
      spec: {
        selector: { matchLabels: { istio: 'ingress' } },
        action: 'DENY',
        rules: [
          {
            from: [{ source: { notRemoteIpBlocks: ['10.0.0.0/8'] } }],
            to: [{ operation: { hosts: ['grafana.example.com', 'grafana.example.com:*'] } }],
            when: [{ key: 'connection.sni', values: serverNames }],
          },
        ],
      },
    })
  })

  it('names ports where there is no TLS to tell ours from others’ connections', () => {
    const { rules } = allowList(authorizationPolicies('v1'), { ...request, ports: [80, 8080] }, ['10.0.0.0/8'])
      .spec as { rules: [{ to: [{ operation: { ports: string[] } }]; when?: object }] }
    assert.deepEqual(rules[0].to[0].operation.ports, ['80', '8080'])
    assert.equal(rules[0].when, undefined)
  })
})
