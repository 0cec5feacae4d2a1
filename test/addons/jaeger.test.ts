import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { jaegerAddress, jaegerIn } from '../../src/addons/jaeger.ts'
import type { Service } from '../../src/cluster/objects.ts'
import { jaeger, service } from '../fakes/mesh.ts'

const services = (objects: ReturnType<typeof jaeger>) => objects.filter(({ kind }) => kind === 'Service') as Service[]
const query = (ports: object[]) =>
  service('tracing', 'jaeger-query', { app: 'jaeger' }, { selector: { app: 'jaeger' }, ports }) as Service

describe('the Jaeger that Kiali asks', () => {
  it('is the one in its namespace, at its gRPC port', () => {
    const found = jaegerIn('istio-system', services([...jaeger(), ...jaeger('tenant')]))
    assert.deepEqual(found && jaegerAddress(found, '/jaeger'), {
      url: 'http://tracing.istio-system:16685/jaeger',
      grpc: true,
    })
    assert.equal(jaegerIn('monitoring', services(jaeger())), undefined)
  })

  it('is asked by HTTP where the Service has no port for gRPC', () => {
    const found = jaegerIn('tracing', [query([{ name: 'http-query', port: 16686 }])])
    assert.deepEqual(found && jaegerAddress(found, ''), { url: 'http://jaeger-query.tracing:16686', grpc: false })
  })

  it('is none beside another backend, and none that only an annotation names', () => {
    const spec = { selector: { app: 'zipkin' }, ports: [{ port: 9411 }] }
    const zipkin = service('istio-system', 'zipkin-server', { app: 'zipkin' }, spec) as Service
    assert.equal(jaegerIn('istio-system', [...services(jaeger()), zipkin]), undefined)
    const marked = query([{ port: 16686 }])
    marked.spec.selector = { app: 'query' }
    marked.metadata.labels = {}
    marked.metadata.annotations = { 'kubectl-telemetry/addon': 'tracing' }
    assert.equal(jaegerIn('tracing', [marked]), undefined)
  })
})
