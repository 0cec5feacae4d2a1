import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { expose } from '../../src/exposing/expose.ts'
import { succeeded } from '../../src/exposing/result.ts'
import type { FakeWorld } from '../fakes/fake-world.ts'
import { certificateHosts, find, fullMesh, gatewayHosts, requestFor, written } from './exposing.ts'

const EXAMPLE = { domain: 'example.com' }
const withoutDns = (warnings: { code: string }[]) => warnings.filter(({ code }) => code !== 'DNS_UNRESOLVED')

/** Gives the ingress gateway another address, as a cloud does when it creates a load balancer again. */
function move({ cluster, prober }: FakeWorld, ip: string): void {
  const gateway = cluster.objects.find(
    ({ kind, metadata }) => kind === 'Service' && metadata.name === 'istio-ingressgateway',
  )
  assert.ok(gateway)
  gateway.status = { loadBalancer: { ingress: [{ ip }] } }
  prober.addresses = [ip]
}

describe('the domain of an exposure', () => {
  it('stays the one in use without --domain', async () => {
    const one = fullMesh()
    await expose({ ...requestFor('grafana'), ...EXAMPLE }, one)
    const { result } = await expose(requestFor('kiali'), one)
    assert.equal(result.exposures[0]?.url, 'https://kiali.example.com/kiali/')
    assert.deepEqual(gatewayHosts(one.cluster), ['grafana.example.com', 'kiali.example.com'])
    assert.equal(result.authority?.domain, 'example.com')
    assert.deepEqual([...one.authorities.kept.keys()], ['example.com'])
  })

  it('stays the one in use for the same add-on', async () => {
    const one = fullMesh()
    await expose({ ...requestFor('grafana'), ...EXAMPLE }, one)
    one.cluster.writes.length = 0
    await expose(requestFor('grafana'), one)
    assert.deepEqual(written(one), [])
  })

  it('is not that of a user’s route, nor of another namespace', async () => {
    const one = fullMesh()
    const spec = { hosts: ['grafana.example.com'] }
    const labels = { 'app.kubernetes.io/component': 'grafana' }
    const owned = { ...labels, 'app.kubernetes.io/managed-by': 'kubectl-telemetry' }
    const route = (namespace: string, carried: Record<string, string>) => ({
      apiVersion: 'networking.istio.io/v1',
      kind: 'VirtualService',
      metadata: { name: 'x', namespace, labels: carried },
      spec,
    })
    one.cluster.objects.push(route('istio-system', labels), route('edge', owned))
    const { result } = await expose(requestFor('kiali'), one)
    assert.equal(result.authority?.domain, '192.0.2.10.nip.io')
  })

  describe('with another --domain', () => {
    it('moves earlier exposures, warns about that and probes them', async () => {
      const one = fullMesh()
      await expose(requestFor('grafana', 'prometheus'), one)
      one.cluster.writes.length = 0
      one.prober.probed.length = 0
      const { result } = await expose({ ...requestFor('kiali'), ...EXAMPLE }, one)
      const hosts = ['grafana.example.com', 'kiali.example.com', 'prometheus.example.com']
      assert.deepEqual(gatewayHosts(one.cluster), hosts)
      assert.deepEqual(certificateHosts(one.cluster), hosts)
      assert.deepEqual(one.prober.probed.map(({ host }) => host).sort(), hosts)
      assert.deepEqual(
        result.exposures.map(({ addon, namespace, url }) => [addon, namespace, url]),
        [
          ['kiali', 'istio-system', 'https://kiali.example.com/kiali/'],
          ['grafana', 'istio-system', 'https://grafana.example.com/'],
          ['prometheus', 'istio-system', 'https://prometheus.example.com/'],
        ],
      )
      assert.deepEqual(
        result.warnings,
        ['grafana', 'prometheus'].map((name) => ({
          code: 'HOST_MOVED',
          severity: 'warns',
          message: `${name} moves from https://${name}.192.0.2.10.nip.io/ to https://${name}.example.com/: add-ons at one gateway share a domain and a layout`,
          remedies: ['leave out --domain and --layout to keep the present URLs'],
        })),
      )
      assert.deepEqual(written(one), [
        'Secret/kubectl-telemetry-tls',
        'VirtualService/kubectl-telemetry-kiali',
        'VirtualService/kubectl-telemetry-grafana',
        'VirtualService/kubectl-telemetry-prometheus',
        'Gateway/kubectl-telemetry',
      ])
    })

    it('moves the requested add-on without a warning, once', async () => {
      const one = fullMesh()
      await expose(requestFor('grafana'), one)
      const { result, manifests } = await expose({ ...requestFor('grafana'), ...EXAMPLE }, one)
      assert.deepEqual(
        result.exposures.map(({ url }) => url),
        ['https://grafana.example.com/'],
      )
      assert.deepEqual(
        manifests.map(({ kind }) => kind),
        ['Secret', 'VirtualService', 'Gateway'],
      )
      assert.deepEqual(result.warnings, [])
    })

    it('changes the host of a moved route and nothing else', async () => {
      const one = fullMesh()
      await expose(requestFor('kiali', 'prometheus'), one)
      const before = ['kiali', 'prometheus'].map((name) => structuredClone(find(one.cluster, 'VirtualService', name)))
      await expose({ ...requestFor('grafana'), ...EXAMPLE }, one)
      for (const { metadata, spec } of before) {
        const after = find(one.cluster, 'VirtualService', metadata.name)
        const addon = metadata.name.replace('kubectl-telemetry-', '')
        assert.deepEqual(after.spec, { ...(spec as object), hosts: [`${addon}.example.com`] })
        assert.deepEqual(after.metadata.labels, metadata.labels)
        assert.equal(after.metadata.uid, metadata.uid)
      }
    })

    it('probes a moved page below its base path', async () => {
      const one = fullMesh()
      await expose(requestFor('kiali'), one)
      one.prober.probed.length = 0
      await expose({ ...requestFor('grafana'), ...EXAMPLE }, one)
      assert.deepEqual(
        one.prober.probed.map(({ host, path }) => host + path),
        ['grafana.example.com/', 'kiali.example.com/kiali/'],
      )
    })

    it('fails when a moved page does not answer', async () => {
      const one = fullMesh()
      await expose(requestFor('kiali'), one)
      const probe = one.prober.probe.bind(one.prober)
      one.prober.probe = async (target) =>
        target.host.startsWith('kiali') ? { ok: false, hop: 'route', milliseconds: 1 } : probe(target)
      const { result } = await expose({ ...requestFor('grafana'), ...EXAMPLE }, one)
      assert.equal(succeeded(result), false)
    })

    it('only shows the move in a dry run', async () => {
      const one = fullMesh()
      await expose(requestFor('grafana'), one)
      one.cluster.writes.length = 0
      const { result, manifests } = await expose({ ...requestFor('kiali'), ...EXAMPLE, dryRun: 'server' }, one)
      assert.deepEqual(
        manifests.map(({ metadata }) => metadata.name),
        ['kubectl-telemetry-tls', 'kubectl-telemetry-kiali', 'kubectl-telemetry-grafana', 'kubectl-telemetry'],
      )
      assert.deepEqual(
        result.warnings.map(({ code }) => code),
        ['CA_NOT_KEPT', 'HOST_MOVED'],
      )
      assert.deepEqual(written(one), [])
    })

    it('shows a manifest of a moved route as it would be applied: without what the API server adds', async () => {
      const one = fullMesh()
      await expose(requestFor('grafana'), one)
      const { manifests } = await expose({ ...requestFor('kiali'), ...EXAMPLE, dryRun: 'client' }, one)
      const route = manifests.find(({ metadata }) => metadata.name === 'kubectl-telemetry-grafana')
      assert.deepEqual(Object.keys(route?.metadata ?? {}).sort(), ['annotations', 'labels', 'name', 'namespace'])
    })
  })

  describe('that was derived from an address', () => {
    it('follows the gateway to its new address', async () => {
      const one = fullMesh()
      await expose(requestFor('grafana'), one)
      move(one, '192.0.2.99')
      const { result } = await expose(requestFor('kiali'), one)
      assert.deepEqual(gatewayHosts(one.cluster), ['grafana.192.0.2.99.nip.io', 'kiali.192.0.2.99.nip.io'])
      assert.deepEqual(
        withoutDns(result.warnings).map(({ code }) => code),
        ['HOST_MOVED'],
      )
    })

    it('stays while the address stays', async () => {
      const one = fullMesh()
      await expose(requestFor('grafana'), one)
      const { result } = await expose(requestFor('kiali'), one)
      assert.equal(result.authority?.domain, '192.0.2.10.nip.io')
      assert.deepEqual(result.warnings, [])
    })
  })

  it('stays the user’s domain when the address changes', async () => {
    const one = fullMesh()
    await expose({ ...requestFor('grafana'), ...EXAMPLE }, one)
    move(one, '192.0.2.99')
    const { result } = await expose(requestFor('kiali'), one)
    assert.equal(result.authority?.domain, 'example.com')
    assert.deepEqual(result.warnings, [])
  })
})
