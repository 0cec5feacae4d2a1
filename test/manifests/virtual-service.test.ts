import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { virtualServices } from '../../src/cluster/resources.ts'
import { type VirtualServiceRequest, virtualService } from '../../src/manifests/virtual-service.ts'

const request: VirtualServiceRequest = {
  namespace: 'istio-ingress',
  addonName: 'grafana',
  host: 'grafana.example.com',
  path: '/',
  destination: { service: 'grafana', namespace: 'monitoring', port: 3000 },
}
const ROUTE = [{ destination: { host: 'grafana.monitoring.svc.cluster.local', port: { number: 3000 } } }]
const HOME = { match: [{ uri: { exact: '/' } }], redirect: { uri: '/kiali/', redirectCode: 302 } }
const ALLOWED = [
  { methods: 'GET|HEAD', path: '/(graph)?' },
  { methods: 'POST', path: '/api/v1/query' },
]
const MATCH = [
  { method: { regex: 'GET|HEAD' }, uri: { regex: '/(graph)?' } },
  { method: { regex: 'POST' }, uri: { regex: '/api/v1/query' } },
]
const routes = (changes: Partial<VirtualServiceRequest>) =>
  (virtualService(virtualServices('v1'), { ...request, ...changes }).spec as { http: unknown[] }).http

describe('virtualService', () => {
  it('leads from one host through our Gateway to one Service, by its full name and port', () => {
    assert.deepEqual(virtualService(virtualServices('v1'), request), {
      apiVersion: 'networking.istio.io/v1',
      kind: 'VirtualService',
      metadata: {
        name: 'kubectl-telemetry-grafana',
        namespace: 'istio-ingress',
        labels: {
          'app.kubernetes.io/managed-by': 'kubectl-telemetry',
          'app.kubernetes.io/component': 'grafana',
        },
      },
      spec: { hosts: ['grafana.example.com'], gateways: ['kubectl-telemetry'], http: [{ route: ROUTE }] },
    })
  })

  it('speaks the version that the cluster serves', () => {
    assert.equal(virtualService(virtualServices('v1beta1'), request).apiVersion, 'networking.istio.io/v1beta1')
  })

  it('sends / to the page, when that is elsewhere, before anything else', () => {
    assert.deepEqual(routes({ path: '/kiali/' }), [HOME, { route: ROUTE }])
  })

  it('lets through what is allowed and answers the rest with 403, last', () => {
    assert.deepEqual(routes({ allowed: ALLOWED }), [
      { match: MATCH, route: ROUTE },
      { directResponse: { status: 403 } },
    ])
  })

  it('does both', () => {
    assert.deepEqual(routes({ path: '/kiali/', allowed: ALLOWED }), [
      HOME,
      { match: MATCH, route: ROUTE },
      { directResponse: { status: 403 } },
    ])
  })
})
