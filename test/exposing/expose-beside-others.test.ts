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

describe('expose beside Gateways of others', () => {
  const theirs = (namespace: string, name: string, host = 'bookinfo.example.com'): KubeObject => ({
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
    it(`leaves ${namespace}/${name} alone and is not disturbed by it`, async () => {
      const one = world([theirs(namespace, name), ...grafana(), ...ingressGateway()])
      const { result } = await expose(request, one)
      assert.ok(succeeded(result))
      assert.deepEqual(result.warnings, [])
      assert.equal(one.cluster.writes.length, 3)
      assert.deepEqual(one.cluster.objects[0]?.spec, theirs(namespace, name).spec)
    })
  }

  it('refuses a host that one of them has already, and changes nothing (HOST_TAKEN)', async () => {
    const one = world([theirs('apps', 'theirs', HOST), ...grafana(), ...ingressGateway()])
    const { code, message, suggestions } = await refusal(expose(request, one))
    assert.equal(code, 'HOST_TAKEN')
    assert.match(message, /^Gateway apps\/theirs serves grafana\.192\.0\.2\.10\.nip\.io on port 443 already; /)
    assert.deepEqual(suggestions, [
      '--domain other.example.com',
      'kubectl -n apps get gateways.networking.istio.io theirs -o yaml',
    ])
    assert.deepEqual(one.cluster.writes, [])
  })

  it('refuses the host of an add-on that was exposed before too', async () => {
    const one = fullMesh()
    await expose(requestFor('kiali'), one)
    one.cluster.objects.push(theirs('apps', 'theirs', `kiali.${DOMAIN}`))
    assert.equal((await refusal(expose(requestFor('grafana'), one))).code, 'HOST_TAKEN')
  })

  it('warns where a wildcard of theirs served the host until now', async () => {
    const one = world([theirs('apps', 'theirs', '*'), ...grafana(), ...ingressGateway()])
    const { result } = await expose(request, one)
    assert.ok(succeeded(result))
    assert.deepEqual(
      result.warnings.map(({ code, message }) => [code, message]),
      [['HOST_COVERED', `Gateway apps/theirs claims * on port 443; for ${HOST} ours goes first`]],
    )
  })

  it('makes do with its own Gateway when it may not read those of others', async () => {
    const one = world([theirs('apps', 'theirs', HOST), ...grafana(), ...ingressGateway()])
    one.cluster.fail('list', 'gateways', new UserError('FORBIDDEN', 'cannot list resource "gateways"'))
    assert.ok(succeeded((await expose(request, one)).result))
    one.cluster.writes.length = 0
    await expose(request, one)
    assert.deepEqual(one.cluster.writes, [])
  })
})

describe('expose while another run writes too', () => {
  it('looks again at the end, and puts back the host that the other run did not know of', async () => {
    const one = fullMesh()
    await expose(requestFor('grafana'), one)
    one.cluster.meanwhile = () => {
      // What `expose prometheus` of somebody else adds right after our first write: its route, which our Gateway then lacks.
      const route = structuredClone(find(one.cluster, 'VirtualService', 'grafana'))
      const labels = { ...route.metadata.labels, 'app.kubernetes.io/component': 'prometheus' }
      route.metadata = { ...route.metadata, name: 'kubectl-telemetry-prometheus', uid: 'theirs', labels }
      route.spec = { ...(route.spec as object), hosts: [`prometheus.${DOMAIN}`] }
      one.cluster.objects.push(route)
    }
    await expose(requestFor('kiali'), one)
    assert.deepEqual(gatewayHosts(one.cluster), hosts('grafana', 'kiali', 'prometheus'))
    assert.deepEqual(certificateHosts(one.cluster), hosts('grafana', 'kiali', 'prometheus'))
  })

  it('reissues the certificate when another run, whose names ours took off it, has put Gateway and routes right', async () => {
    const one = fullMesh()
    const apply = one.cluster.apply.bind(one.cluster)
    one.cluster.apply = async (resource, manifest, options) => {
      const after = await apply(resource, manifest, options)
      if (resource.kind !== 'Gateway' || options?.dryRun) return after as never
      one.cluster.apply = apply
      // The end of somebody else's `expose grafana`, right after ours: its route, and a Gateway with both hosts.
      const route = structuredClone(find(one.cluster, 'VirtualService', 'kiali'))
      const labels = { ...route.metadata.labels, 'app.kubernetes.io/component': 'grafana' }
      route.metadata = { ...route.metadata, name: 'kubectl-telemetry-grafana', uid: 'theirs', labels }
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
      const gateway = one.cluster.objects.findIndex(({ kind }) => kind === 'Gateway')
      if (gateway >= 0) one.cluster.objects.splice(gateway, 1)
      return after as never
    }
    const error = await refusal(expose(requestFor('grafana'), one))
    assert.ok(error instanceof UserError)
    assert.equal(error.code, 'UNSETTLED')
  })
})
