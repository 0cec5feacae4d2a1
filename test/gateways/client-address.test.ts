import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { Pod, Service } from '../../src/cluster/objects.ts'
import { hiddenAddress } from '../../src/gateways/client-address.ts'
import { gatewayOf, type IngressGateway, listenerPorts } from '../../src/gateways/find.ts'
import { meshConfigMap, trustedProxies } from '../../src/gateways/mesh.ts'
import { ingressGateway } from '../fakes/mesh.ts'

function gateway(spec: Partial<Service['spec']> = {}, ingress: object[] = [{ ip: '192.0.2.10' }]): IngressGateway {
  const [service, pod] = structuredClone(ingressGateway('edge', 'istio-edge', ingress)) as [Service, Pod]
  Object.assign(service.spec, spec)
  const found = gatewayOf(service, [pod])
  assert.ok(found)
  return found
}

const podOf = ({ pods }: IngressGateway) => pods[0] as Pod & { metadata: { annotations?: Record<string, string> } }
const mesh = (text: string) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'istio', namespace: 'istio-system' },
  data: { mesh: text },
})

describe('hiddenAddress', () => {
  it('says what to set where nodes put their address in place of the client’s', () => {
    for (const externalTrafficPolicy of ['Cluster', undefined]) {
      const hidden = hiddenAddress(gateway(externalTrafficPolicy === undefined ? {} : { externalTrafficPolicy }), 0)
      assert.match(hidden?.message ?? '', /edge\/istio-edge has externalTrafficPolicy: Cluster/)
      assert.match(hidden?.remedy ?? '', /^kubectl -n edge patch service istio-edge .*"Local"/)
    }
  })

  it('knows a proxy by its ipMode, and suspects one behind a host name', () => {
    const local = { externalTrafficPolicy: 'Local' }
    assert.match(hiddenAddress(gateway(local, [{ ip: '192.0.2.1', ipMode: 'Proxy' }]), 0)?.message ?? '', /is a proxy/)
    const hidden = hiddenAddress(gateway(local, [{ hostname: 'lb.example.net' }]), 0)
    assert.match(hidden?.message ?? '', /may be a proxy/)
    assert.match(hidden?.remedy ?? '', /numTrustedProxies/)
  })

  it('is silent where the gateway sees the client, or is told of it by a proxy that it trusts', () => {
    assert.equal(hiddenAddress(gateway({ externalTrafficPolicy: 'Local' }), 0), undefined)
    assert.equal(hiddenAddress(gateway({}, [{ hostname: 'lb.example.net' }]), 1), undefined)
  })
})

describe('the mesh configuration', () => {
  it('is that of the istiod which the gateway’s pods talk to', () => {
    const at = (value: string) => {
      const one = gateway()
      podOf(one).spec.containers[0] = { name: 'istio-proxy', env: [{ name: 'CA_ADDR', value }] }
      return meshConfigMap(one)
    }
    assert.deepEqual(at('istiod.istio-system.svc:15012'), { name: 'istio', namespace: 'istio-system' })
    assert.deepEqual(at('istiod-1-31.mesh.svc:15012'), { name: 'istio-1-31', namespace: 'mesh' })
    assert.deepEqual(meshConfigMap(gateway()), { name: 'istio', namespace: 'istio-system' })
  })

  it('tells how many proxies are trusted; a pod’s annotation wins', () => {
    const one = gateway()
    const config = mesh('defaultConfig:\n  gatewayTopology:\n    numTrustedProxies: 2\n')
    assert.equal(trustedProxies(one, undefined), 0)
    assert.equal(trustedProxies(one, mesh(': no : yaml')), 0)
    assert.equal(trustedProxies(one, config), 2)
    podOf(one).metadata.annotations = { 'proxy.istio.io/config': '{"gatewayTopology": {"numTrustedProxies": 0}}' }
    assert.equal(trustedProxies(one, config), 0)
  })
})

describe('listenerPorts', () => {
  it('are the Service’s port and where it leads, by number or by name', () => {
    const one = gateway()
    assert.deepEqual(listenerPorts(one, 80), [80, 8080])
    assert.deepEqual(listenerPorts(one, 15031), [15031])
    const named = gateway({ ports: [{ port: 80, targetPort: 'http' }] })
    podOf(named).spec.containers[0] = { name: 'istio-proxy', ports: [{ name: 'http', containerPort: 8888 }] }
    assert.deepEqual(listenerPorts({ ...named, pods: [podOf(named)] }, 80), [80, 8888])
  })
})
