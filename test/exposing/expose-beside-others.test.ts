import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { UserError } from '../../src/errors.ts'
import { expose } from '../../src/exposing/expose.ts'
import { succeeded } from '../../src/exposing/result.ts'
import { grafana, ingressGateway } from '../fakes/mesh.ts'
import {
  certificateHosts,
  DOMAIN,
  find,
  fullMesh,
  gatewayHosts,
  HOST,
  hosts,
  refusal,
  request,
  requestFor,
  world,
} from './exposing.ts'

describe('expose beside the user’s Gateways', () => {
  const foreign = (namespace: string, name: string, host = 'bookinfo.example.com'): KubeObject => ({
    apiVersion: 'networking.istio.io/v1',
    kind: 'Gateway',
    metadata: { name, namespace },
    spec: {
      selector: { istio: 'ingressgateway' },
      servers: [{ port: { name: 'https', number: 443, protocol: 'HTTPS' }, hosts: [host] }],
    },
  })
  for (const [namespace, name] of [
    ['istio-system', 'bookinfo'],
    ['bookinfo', 'bookinfo'],
    ['bookinfo', 'kubectl-telemetry'],
  ] as const) {
    it(`does not change ${namespace}/${name}, and works next to it`, async () => {
      const one = world([foreign(namespace, name), ...grafana(), ...ingressGateway()])
      const { result } = await expose(request, one)
      assert.ok(succeeded(result))
      assert.deepEqual(result.warnings, [])
      assert.equal(one.cluster.writes.length, 3)
      assert.deepEqual(one.cluster.objects[0]?.spec, foreign(namespace, name).spec)
    })
  }

  it('refuses a host that one of them serves, and changes nothing (HOST_TAKEN)', async () => {
    const one = world([foreign('apps', 'foreign', HOST), ...grafana(), ...ingressGateway()])
    const { code, message, suggestions } = await refusal(expose(request, one))
    assert.equal(code, 'HOST_TAKEN')
    assert.match(message, /^Gateway apps\/foreign already serves grafana\.192\.0\.2\.10\.nip\.io on port 443; /)
    assert.deepEqual(suggestions, [
      '--domain other.example.com',
      'kubectl -n apps get gateways.networking.istio.io foreign -o yaml',
    ])
    assert.deepEqual(one.cluster.writes, [])
  })

  it('refuses the host of an add-on that was exposed before too', async () => {
    const one = fullMesh()
    await expose(requestFor('kiali'), one)
    one.cluster.objects.push(foreign('apps', 'foreign', `kiali.${DOMAIN}`))
    assert.equal((await refusal(expose(requestFor('grafana'), one))).code, 'HOST_TAKEN')
  })

  it('warns when a wildcard of another Gateway covers the host', async () => {
    const one = world([foreign('apps', 'foreign', '*'), ...grafana(), ...ingressGateway()])
    const { result } = await expose(request, one)
    assert.ok(succeeded(result))
    assert.deepEqual(
      result.warnings.map(({ code, message }) => [code, message]),
      [
        [
          'HOST_COVERED',
          `Gateway apps/foreign serves * on port 443; for ${HOST}, the Gateway of kubectl telemetry takes precedence`,
        ],
      ],
    )
  })

  it('reads only its own Gateway without permission to list all', async () => {
    const one = world([foreign('apps', 'foreign', HOST), ...grafana(), ...ingressGateway()])
    one.cluster.fail('list', 'gateways', new UserError('FORBIDDEN', 'cannot list resource "gateways"'))
    assert.ok(succeeded((await expose(request, one)).result))
    one.cluster.writes.length = 0
    await expose(request, one)
    assert.deepEqual(one.cluster.writes, [])
  })
})

describe('expose while another run writes too', () => {
  it('reads again at the end, and adds the host that the other run removed', async () => {
    const one = fullMesh()
    await expose(requestFor('grafana'), one)
    one.cluster.afterNextWrite = () => {
      // Another run of `expose prometheus` adds its route right after the first write of this run, whose Gateway then lacks its host.
      const route = structuredClone(find(one.cluster, 'VirtualService', 'grafana'))
      const labels = { ...route.metadata.labels, 'app.kubernetes.io/component': 'prometheus' }
      route.metadata = { ...route.metadata, name: 'kubectl-telemetry-prometheus', uid: 'foreign', labels }
      route.spec = { ...(route.spec as object), hosts: [`prometheus.${DOMAIN}`] }
      one.cluster.objects.push(route)
    }
    await expose(requestFor('kiali'), one)
    assert.deepEqual(gatewayHosts(one.cluster), hosts('grafana', 'kiali', 'prometheus'))
    assert.deepEqual(certificateHosts(one.cluster), hosts('grafana', 'kiali', 'prometheus'))
  })

  it('reissues the certificate when another run has repaired Gateway and routes, but not the certificate', async () => {
    const one = fullMesh()
    const apply = one.cluster.apply.bind(one.cluster)
    one.cluster.apply = async (resource, manifest, options) => {
      const after = await apply(resource, manifest, options)
      if (resource.kind !== 'Gateway' || options?.dryRun) return after as never
      one.cluster.apply = apply
      // The end of another run, right after this one: its route, and a Gateway with both hosts.
      const route = structuredClone(find(one.cluster, 'VirtualService', 'kiali'))
      const labels = { ...route.metadata.labels, 'app.kubernetes.io/component': 'grafana' }
      route.metadata = { ...route.metadata, name: 'kubectl-telemetry-grafana', uid: 'foreign', labels }
      route.spec = { ...(route.spec as object), hosts: [HOST] }
      one.cluster.objects.push(route)
      gatewayHosts(one.cluster)?.unshift(HOST)
      return after as never
    }
    await expose(requestFor('kiali'), one)
    assert.deepEqual(gatewayHosts(one.cluster), hosts('grafana', 'kiali'))
    assert.deepEqual(certificateHosts(one.cluster), hosts('grafana', 'kiali'))
  })

  it('gives up when it never settles', async () => {
    const one = fullMesh()
    const apply = one.cluster.apply.bind(one.cluster)
    one.cluster.apply = async (resource, manifest, options) => {
      const after = await apply(resource, manifest, options)
      const route = one.cluster.objects.findIndex(({ kind }) => kind === 'VirtualService')
      if (route >= 0) one.cluster.objects.splice(route, 1)
      return after as never
    }
    const error = await refusal(expose(requestFor('grafana'), one))
    assert.ok(error instanceof UserError)
    assert.equal(error.code, 'UNSETTLED')
  })

  it('ignores the gateway of a namespace that is being deleted', async () => {
    const namespace = (name: string, phase: string) => ({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name },
      status: { phase },
    })
    const two = [...grafana(), ...ingressGateway(), ...ingressGateway('edge', 'istio-edge')]
    const one = world([...two, namespace('istio-system', 'Active'), namespace('edge', 'Terminating')])
    await expose(request, one)
    assert.equal(find(one.cluster, 'Gateway').metadata.namespace, 'istio-system')
  })
})
