import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { expose } from '../../src/exposing/expose.ts'
import { succeeded } from '../../src/exposing/result.ts'
import { grafana, ingressGateway, node } from '../fakes/mesh.ts'
import { find, HOST, request, world } from './exposing.ts'

describe('expose', () => {
  it('creates the route, the Secret and the Gateway, in this order, in the namespace of the gateway pod', async () => {
    const { cluster, ...rest } = world([...grafana('monitoring'), ...ingressGateway('edge', 'istio-edge')])
    const { result } = await expose(request, { cluster, ...rest })
    assert.equal(result.outcome, 'applied')
    assert.deepEqual(cluster.writes, [
      { verb: 'apply', object: 'VirtualService/kubectl-telemetry-grafana' },
      { verb: 'apply', object: 'Secret/kubectl-telemetry-tls' },
      { verb: 'apply', object: 'Gateway/kubectl-telemetry' },
    ])
    for (const kind of ['Secret', 'VirtualService', 'Gateway']) {
      const { namespace, labels } = find(cluster, kind).metadata
      assert.equal(namespace, 'edge')
      assert.equal(labels?.['app.kubernetes.io/managed-by'], 'kubectl-telemetry')
    }
    assert.deepEqual(find(cluster, 'Gateway').spec, {
      selector: { app: 'istio-edge', istio: 'edge' },
      servers: [
        {
          hosts: [`./${HOST}`],
          port: { name: 'https-telemetry', number: 443, protocol: 'HTTPS' },
          tls: { mode: 'SIMPLE', credentialName: 'kubectl-telemetry-tls' },
        },
        {
          hosts: [`./${HOST}`],
          port: { name: 'http-redirect', number: 80, protocol: 'HTTP' },
          tls: { httpsRedirect: true },
        },
      ],
    })
    assert.deepEqual(find(cluster, 'VirtualService').spec, {
      hosts: [HOST],
      gateways: ['kubectl-telemetry'],
      exportTo: ['.'],
      http: [
        {
          match: [{ port: 443 }],
          route: [
            {
              destination: { host: 'grafana.monitoring.svc.cluster.local', port: { number: 3000 } },
              headers: { request: { remove: ['x-webauth-user'] } },
            },
          ],
        },
        { match: [{ port: 80 }], directResponse: { status: 404 } },
      ],
    })
  })

  it('serves a certificate for exactly the host, and writes no key of the CA to the cluster', async () => {
    const { cluster, authorities, ...rest } = world()
    await expose(request, { cluster, authorities, ...rest })
    const { data } = find(cluster, 'Secret') as KubeObject & { data: Record<string, string> }
    const pem = (name: string) => Buffer.from(data[name] ?? '', 'base64').toString()
    assert.equal(new X509Certificate(pem('tls.crt')).subjectAltName, `DNS:${HOST}`)
    const authority = authorities.kept.get('192.0.2.10.nip.io')
    assert.equal(pem('ca.crt'), authority?.certificate)
    assert.deepEqual(Object.keys(data).sort(), ['ca.crt', 'tls.crt', 'tls.key'])
    assert.notEqual(pem('tls.key'), authority?.key)
  })

  it('changes nothing the second time', async () => {
    const one = world()
    await expose(request, one)
    const before = structuredClone(one.cluster.objects)
    one.cluster.writes.length = 0
    const { result } = await expose(request, one)
    assert.deepEqual(
      result.objects.map(({ action }) => action),
      ['unchanged', 'unchanged', 'unchanged'],
    )
    assert.deepEqual(one.cluster.writes, [])
    assert.deepEqual(one.cluster.objects, before)
  })

  it('creates a new leaf when the old one expires soon', async () => {
    const one = world()
    await expose(request, one)
    const before = find(one.cluster, 'Secret')
    await one.clock.sleep(370 * 24 * 3_600_000)
    const { result } = await expose(request, one)
    assert.deepEqual(
      result.objects.map(({ action }) => action),
      ['configured', 'unchanged', 'unchanged'],
    )
    assert.notDeepEqual(find(one.cluster, 'Secret').data, before.data)
  })

  it('probes the address with the name of the host, and trusts only its CA', async () => {
    const one = world()
    await expose(request, one)
    const [target] = one.prober.probed
    assert.deepEqual(target, {
      host: HOST,
      path: '/',
      address: '192.0.2.10',
      port: 443,
      authorityCertificate: one.authorities.kept.get('192.0.2.10.nip.io')?.certificate,
      header: 'x-kubectl-telemetry',
    })
  })

  it('waits until the page answers', async () => {
    const one = world()
    const answer = one.prober.answers[0]
    assert.ok(answer)
    one.prober.answers = [
      { ok: false, hop: 'tls', milliseconds: 1, message: 'closed' },
      { ok: false, hop: 'route', milliseconds: 1 },
      answer,
    ]
    const { result } = await expose(request, one)
    assert.equal(one.prober.probed.length, 3)
    assert.ok(succeeded(result))
  })

  it('names the failing hop when the time is up, and before that what it waits for', async () => {
    const one = world()
    one.prober.answers = [
      { ok: false, hop: 'upstream', status: 503, milliseconds: 1, message: 'the gateway cannot reach the add-on: 503' },
    ]
    const { result } = await expose(request, one)
    assert.equal(result.exposures[0]?.probe?.hop, 'upstream')
    assert.equal(succeeded(result), false)
    assert.ok(
      one.terminal.notes.includes(
        `waiting for https://${HOST}/ (up to 10 s): the gateway cannot reach the add-on: 503`,
      ),
    )
  })

  it('uses a node and the node port while EXTERNAL-IP is pending', async () => {
    const addresses = [{ type: 'InternalIP', address: '192.0.2.77' }]
    const { result } = await expose(
      request,
      world([...grafana(), ...ingressGateway('istio-system', 'istio-ingressgateway', []), node('node-1', addresses)]),
    )
    assert.equal(result.exposures[0]?.url, 'https://grafana.192.0.2.77.nip.io:31443/')
    assert.equal(result.gateway.via, 'node-port')
  })

  describe('in a dry run', () => {
    it('writes nothing, neither to the cluster nor to this machine', async () => {
      for (const dryRun of ['client', 'server'] as const) {
        const one = world()
        const { result, manifests } = await expose(
          { ...request, dryRun, terms: { allowAnonymous: false }, yes: false },
          one,
        )
        assert.equal(result.outcome, 'planned')
        assert.deepEqual(one.cluster.writes, [])
        assert.equal(one.authorities.kept.size, 0)
        assert.deepEqual(
          manifests.map(({ kind }) => kind),
          ['Secret', 'VirtualService', 'Gateway'],
        )
        assert.deepEqual(
          result.objects.map(({ action }) => action),
          ['created', 'created', 'created'],
        )
        assert.deepEqual(
          result.warnings.map(({ code }) => code),
          ['CA_NOT_KEPT'],
        )
      }
    })

    it('shows the plan that is applied afterwards', async () => {
      const one = world()
      const planned = await expose({ ...request, dryRun: 'server' }, one)
      await expose(request, one)
      for (const kind of ['VirtualService', 'Gateway']) {
        assert.deepEqual(
          find(one.cluster, kind).spec,
          planned.manifests.find((manifest) => manifest.kind === kind)?.spec,
        )
      }
    })
  })

  it('treats a missing setting as a login, as Grafana does', async () => {
    const environment = {}
    const one = world([...grafana('istio-system', environment), ...ingressGateway()])
    const { result } = await expose({ ...request, terms: { allowAnonymous: false } }, one)
    assert.equal(result.access.kind, 'login')
  })

  it('uses v1beta1 on an Istio that does not serve v1', async () => {
    const one = world()
    one.cluster.groups = { 'networking.istio.io': ['v1beta1', 'v1alpha3'] }
    await expose(request, one)
    assert.equal(find(one.cluster, 'Gateway').apiVersion, 'networking.istio.io/v1beta1')
  })
})
