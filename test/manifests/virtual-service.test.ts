import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { virtualServices } from '../../src/cluster/resources.ts'
import { type VirtualServiceRequest, virtualService } from '../../src/manifests/virtual-service.ts'

const request: VirtualServiceRequest = {
  namespace: 'istio-ingress',
  addonName: 'grafana',
  host: 'grafana.example.com',
  port: 443,
  path: '/',
  destination: { service: 'grafana', namespace: 'monitoring', port: 3000, clusterDomain: 'cluster.local' },
}
const ROUTE = [{ destination: { host: 'grafana.monitoring.svc.cluster.local', port: { number: 3000 } } }]
const HOME = { match: [{ port: 443, uri: { exact: '/' } }], redirect: { uri: '/kiali/', redirectCode: 302 } }
const ALLOWED = [
  { methods: 'GET|HEAD', path: '/(graph)?' },
  { methods: 'POST', path: '/api/v1/query' },
]
const MATCH = [
  { port: 443, method: { regex: 'GET|HEAD' }, uri: { regex: '/(graph)?' } },
  { port: 443, method: { regex: 'POST' }, uri: { regex: '/api/v1/query' } },
]
/** Every other request at the port. */
const REST = { match: [{ port: 443 }] }
const routes = (changes: Partial<VirtualServiceRequest>) =>
  (virtualService(virtualServices('v1'), { ...request, ...changes }).spec as { http: unknown[] }).http

describe('virtualService', () => {
  it('routes one host through our Gateway to one Service, by its full name and port', () => {
    assert.deepEqual(virtualService(virtualServices('v1'), request), {
      apiVersion: 'networking.istio.io/v1',
      kind: 'VirtualService',
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
        hosts: ['grafana.example.com'],
        gateways: ['kubectl-telemetry'],
        exportTo: ['.'],
        http: [{ ...REST, route: ROUTE }],
      },
    })
  })

  it('has the version that the cluster serves', () => {
    assert.equal(virtualService(virtualServices('v1beta1'), request).apiVersion, 'networking.istio.io/v1beta1')
  })

  it('first redirects / to the page, if its path differs', () => {
    assert.deepEqual(routes({ path: '/kiali/' }), [HOME, { ...REST, route: ROUTE }])
  })

  it('passes allowed requests on, and answers all others with 403', () => {
    assert.deepEqual(routes({ allowed: ALLOWED }), [
      { match: MATCH, route: ROUTE },
      { ...REST, directResponse: { status: 403 } },
    ])
  })

  it('does both', () => {
    assert.deepEqual(routes({ path: '/kiali/', allowed: ALLOWED }), [
      HOME,
      { match: MATCH, route: ROUTE },
      { ...REST, directResponse: { status: 403 } },
    ])
  })

  it('matches its port in every rule: the server that redirects leads nowhere', () => {
    const rules = routes({ path: '/kiali/', allowed: ALLOWED, redirectPort: 80 }) as { match: { port: number }[] }[]
    assert.deepEqual(
      rules.flatMap(({ match }) => match.map(({ port }) => port)),
      [443, 443, 443, 443, 80],
    )
    assert.deepEqual(rules.at(-1), { match: [{ port: 80 }], directResponse: { status: 404 } })
  })
})
