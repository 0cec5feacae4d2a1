import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { authorizationPolicies } from '../../src/cluster/resources.ts'
import { allowList } from '../../src/manifests/authorization-policy.ts'

const HOSTS = ['grafana.example.com', 'grafana.example.com:*']
const withoutDigest = (policy: object) =>
  JSON.parse(JSON.stringify(policy).replace(/list\/[0-9a-f]{12}"/g, 'list/DIGEST"'))

describe('allowList', () => {
  const request = {
    namespace: 'istio-ingress',
    selector: { istio: 'ingress' },
    addonName: 'grafana',
    host: 'grafana.example.com',
  }

  it('denies one host, with any port in the Host header, to all other addresses', () => {
    const serverNames = ['grafana.example.com', 'kiali.example.com']
    const policy = allowList(authorizationPolicies('v1'), { ...request, serverNames }, ['10.0.0.0/8'])
    assert.deepEqual(withoutDigest(policy), {
      apiVersion: 'security.istio.io/v1',
      kind: 'AuthorizationPolicy',
      metadata: {
        name: 'kubectl-telemetry-grafana',
        namespace: 'istio-ingress',
        labels: {
          'app.kubernetes.io/managed-by': 'kubectl-telemetry',
          'kubectl-telemetry/part': 'exposing',
          'app.kubernetes.io/component': 'grafana',
        },
      },
      spec: {
        selector: { matchLabels: { istio: 'ingress' } },
        action: 'DENY',
        rules: [
          {
            from: [{ source: { notRemoteIpBlocks: ['10.0.0.0/8'] } }],
            to: [{ operation: { hosts: HOSTS, notPaths: ['/.well-known/kubectl-telemetry/login'] } }],
            when: [{ key: 'connection.sni', values: serverNames }],
          },
          {
            to: [{ operation: { hosts: HOSTS, paths: ['/.well-known/kubectl-telemetry/list/DIGEST'] } }],
            when: [{ key: 'connection.sni', values: serverNames }],
          },
        ],
      },
    })
  })

  it('names ports without TLS, where server names cannot identify our connections', () => {
    const { rules } = allowList(authorizationPolicies('v1'), { ...request, ports: [80, 8080] }, ['10.0.0.0/8'])
      .spec as { rules: [{ to: [{ operation: { ports: string[] } }]; when?: object }] }
    assert.deepEqual(rules[0].to[0].operation.ports, ['80', '8080'])
    assert.equal(rules[0].when, undefined)
  })

  it('denies another path to everybody whenever its content changes, and without a list only that path', () => {
    const pathOf = (changes: object, cidrs?: string[]) => {
      const { rules } = allowList(authorizationPolicies('v1'), { ...request, ...changes }, cidrs).spec as {
        rules: { from?: object; to: [{ operation: { paths?: string[] } }] }[]
      }
      assert.equal(rules.length, cidrs === undefined ? 1 : 2)
      assert.equal(rules.at(-1)?.from, undefined)
      return rules.at(-1)?.to[0].operation.paths?.[0]
    }
    const list = ['10.0.0.0/8']
    const paths = [
      pathOf({}, list),
      pathOf({}, ['10.0.0.0/9']),
      pathOf({ host: 'kiali.example.com' }, list),
      pathOf({ ports: [80] }, list),
      pathOf({ selector: { istio: 'other' } }, list),
      pathOf({ serverNames: ['grafana.example.com'] }, list),
      pathOf({}),
    ]
    assert.equal(new Set(paths).size, paths.length)
    assert.equal(pathOf({}, list), paths[0])
  })
})
