import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { requireAddons } from '../../src/addons/catalog.ts'
import { cleanup } from '../../src/cleaning/cleanup.ts'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import type { ServicePort } from '../../src/cluster/objects.ts'
import { expose } from '../../src/exposing/expose.ts'
import type { ExposeRequest } from '../../src/exposing/request.ts'
import { serversIn } from '../../src/gateways/layout.ts'
import type { FakeWorld } from '../fakes/fake-world.ts'
import { grafana, ingressGateway, jaeger, kiali, node, prometheus } from '../fakes/mesh.ts'
import { certificateHosts, DOMAIN, find, fullMesh, refusal, requestFor, world, written } from './exposing.ts'

const ALL: ExposeRequest = { ...requestFor(), addons: requireAddons([]) }
const PORTS: ExposeRequest = { ...ALL, layout: 'ports' }
const CLEAN = { addons: requireAddons([]), yes: true, dryRun: 'none' } as const

const gatewayService = ({ cluster }: FakeWorld) =>
  cluster.objects.find(
    ({ kind, metadata }) => kind === 'Service' && metadata.name === 'istio-ingressgateway',
  ) as KubeObject
const portsOf = (one: FakeWorld) => (gatewayService(one).spec as { ports: ServicePort[] }).ports
const numbersOf = (one: FakeWorld) => portsOf(one).map(({ port }) => port)
const serversOf = ({ cluster }: FakeWorld) =>
  serversIn(find(cluster, 'Gateway')).map(
    ({ port, hosts, tls }) =>
      `${port.protocol} ${port.number} ${hosts.join(' ')}${tls?.httpsRedirect ? ' redirect' : ''}`,
  )
const less = (object: KubeObject, ...fields: string[]) => {
  const metadata = Object.fromEntries(Object.entries(object.metadata).filter(([name]) => !fields.includes(name)))
  return { ...object, metadata }
}
const codes = ({ warnings }: { warnings: { code: string }[] }) => warnings.map(({ code }) => code)

describe('the layout `hosts`', () => {
  it('redirects HTTP to HTTPS if port 80 is free', async () => {
    const one = fullMesh()
    await expose(requestFor('grafana', 'kiali'), one)
    const hosts = `grafana.${DOMAIN} kiali.${DOMAIN}`
    assert.deepEqual(serversOf(one), [`HTTPS 443 ${hosts}`, `HTTP 80 ${hosts} redirect`])
  })

  it('does not redirect, and notes that, if another Gateway serves the same host on port 80', async () => {
    const foreign = {
      apiVersion: 'networking.istio.io/v1',
      kind: 'Gateway',
      metadata: { name: 'foreign', namespace: 'apps' },
      spec: { servers: [{ port: { number: 80, name: 'http', protocol: 'HTTP' }, hosts: [`grafana.${DOMAIN}`] }] },
    }
    const one = world([...grafana(), ...ingressGateway(), foreign])
    const { result } = await expose(requestFor('grafana'), one)
    assert.deepEqual(serversOf(one), [`HTTPS 443 grafana.${DOMAIN}`])
    assert.deepEqual(codes(result), ['REDIRECT_LEFT_OUT'])
  })

  it('does not redirect at node ports, which Envoy does not know', async () => {
    const one = world([
      ...grafana(),
      ...ingressGateway('istio-system', 'istio-ingressgateway', []),
      node('node-1', [{ type: 'InternalIP', address: '192.0.2.10' }]),
    ])
    await expose(requestFor('grafana'), one)
    assert.deepEqual(serversOf(one), [`HTTPS 443 grafana.${DOMAIN}`])
  })

  it('is HTTP on port 80 without a Secret when insecure, and warns about plaintext', async () => {
    const one = fullMesh()
    const { result } = await expose({ ...requestFor('grafana'), insecure: true }, one)
    assert.deepEqual(serversOf(one), [`HTTP 80 grafana.${DOMAIN}`])
    assert.deepEqual(written(one), ['VirtualService/kubectl-telemetry-grafana', 'Gateway/kubectl-telemetry'])
    assert.equal(result.exposures[0]?.url, `http://grafana.${DOMAIN}/`)
    assert.deepEqual(codes(result), ['INSECURE'])
    assert.equal(result.authority, undefined)
    assert.equal(one.prober.probed[0]?.authorityCertificate, undefined)
    assert.equal(one.authorities.kept.size, 0)
  })

  it('moves add-ons that are exposed over HTTP to HTTPS', async () => {
    const one = fullMesh()
    await expose({ ...requestFor('grafana'), insecure: true }, one)
    const { result } = await expose(requestFor('kiali'), one)
    assert.deepEqual(
      result.exposures.map(({ url }) => url),
      [`https://kiali.${DOMAIN}/kiali/`, `https://grafana.${DOMAIN}/`],
    )
    assert.deepEqual(codes(result), ['HOST_MOVED'])
  })

  it('needs the port on the Service', async () => {
    const [service, pod] = ingressGateway() as [KubeObject, KubeObject]
    const { ports } = service.spec as { ports: ServicePort[] }
    const bare = { ...service, spec: { ...(service.spec as object), ports: ports.filter(({ port }) => port !== 80) } }
    const error = await refusal(expose({ ...requestFor('grafana'), insecure: true }, world([...grafana(), bare, pod])))
    assert.equal(error.code, 'GATEWAY_PORT_MISSING')
  })
})

describe('the layout `ports`', () => {
  it('has one host, a server and a port of the Service for each add-on, and one name in the certificate', async () => {
    const one = fullMesh()
    const { result } = await expose(PORTS, one)
    assert.deepEqual(serversOf(one), [
      `HTTPS 15031 telemetry.${DOMAIN}`,
      `HTTPS 15029 telemetry.${DOMAIN}`,
      `HTTPS 15030 telemetry.${DOMAIN}`,
      `HTTPS 15032 telemetry.${DOMAIN}`,
    ])
    assert.deepEqual(numbersOf(one), [15021, 80, 443, 15031, 15029, 15030, 15032])
    assert.deepEqual(certificateHosts(one.cluster), [`telemetry.${DOMAIN}`])
    assert.deepEqual(
      result.exposures.map(({ url }) => url),
      [
        `https://telemetry.${DOMAIN}:15031/`,
        `https://telemetry.${DOMAIN}:15029/kiali/`,
        `https://telemetry.${DOMAIN}:15030/`,
        `https://telemetry.${DOMAIN}:15032/jaeger/`,
      ],
    )
    assert.equal(written(one)[0], 'Service/istio-ingressgateway')
  })

  it('limits every rule of a route to its port', async () => {
    const one = fullMesh()
    await expose(PORTS, one)
    for (const [name, port] of Object.entries({ grafana: 15031, kiali: 15029, prometheus: 15030, tracing: 15032 })) {
      const { http } = find(one.cluster, 'VirtualService', name).spec as { http: { match?: { port?: number }[] }[] }
      assert.ok(http.length > 0)
      for (const { match = [{}] } of http) assert.deepEqual([...new Set(match.map((one) => one.port))], [port])
    }
  })

  it('changes nothing the second time, and stays without the flag', async () => {
    const one = fullMesh()
    await expose(PORTS, one)
    one.cluster.writes.length = 0
    for (const request of [PORTS, ALL]) {
      const { result } = await expose(request, one)
      assert.deepEqual([...new Set(result.objects.map(({ action }) => action))], ['unchanged'])
    }
    assert.deepEqual(written(one), [])
  })

  it('restores the Service', async () => {
    const one = fullMesh()
    const before = structuredClone(gatewayService(one))
    await expose(PORTS, one)
    const result = await cleanup(CLEAN, one)
    assert.deepEqual(result.restored, [
      { kind: 'Service', group: '', namespace: 'istio-system', name: 'istio-ingressgateway' },
    ])
    assert.deepEqual(
      less(gatewayService(one), 'resourceVersion', 'managedFields'),
      less(before, 'resourceVersion', 'managedFields'),
    )
    assert.deepEqual(gatewayService(one).metadata.managedFields, [])
    assert.equal(written(one).at(5 + 1 + 1), 'Service/istio-ingressgateway', 'ports close before anything is deleted')
  })

  it('removes only the port of an add-on that is removed', async () => {
    const one = fullMesh()
    await expose({ ...requestFor('grafana', 'kiali'), layout: 'ports' }, one)
    await cleanup({ ...CLEAN, addons: requireAddons(['grafana']) }, one)
    assert.deepEqual(numbersOf(one), [15021, 80, 443, 15029])
    assert.deepEqual(serversOf(one), [`HTTPS 15029 telemetry.${DOMAIN}`])
    assert.deepEqual(certificateHosts(one.cluster), [`telemetry.${DOMAIN}`])
  })

  it('asks for a removed route only through a port that the Service still has', async () => {
    const one = withPort({ name: 'kiali', port: 15029, targetPort: 15029, nodePort: 32667 })
    const guard = { login: { kind: 'basic', users: undefined } } as const
    await expose({ ...requestFor('grafana', 'kiali'), layout: 'ports', guard }, one)
    await cleanup(CLEAN, one)
    assert.deepEqual(
      one.prober.handshakes.map(({ host, port }) => `${host}:${port}`),
      [`telemetry.${DOMAIN}:15029`],
    )
  })

  it('uses an existing port of the user, and keeps it at cleanup', async () => {
    const one = withPort({ name: 'kiali', port: 15029, targetPort: 15029, nodePort: 32667 })
    await expose({ ...requestFor('kiali'), layout: 'ports' }, one)
    assert.deepEqual(written(one).includes('Service/istio-ingressgateway'), false)
    await cleanup(CLEAN, one)
    assert.deepEqual(numbersOf(one), [15021, 80, 443, 15029])
  })

  it('refuses a port with another target', async () => {
    const one = withPort({ name: 'other', port: 15029, targetPort: 8080, nodePort: 30999 })
    const error = await refusal(expose({ ...requestFor('kiali'), layout: 'ports' }, one))
    assert.equal(error.code, 'SERVICE_PORT_TAKEN')
    assert.deepEqual(written(one), [])
  })

  it('uses another name if its own is in use', async () => {
    const one = withPort({ name: 'telemetry-kiali', port: 9999, nodePort: 30999 })
    await expose({ ...requestFor('kiali'), layout: 'ports' }, one)
    assert.equal(portsOf(one).find(({ port }) => port === 15029)?.name, 'telemetry-kiali-2')
  })

  it('moves everything to the other layout, with its ports, and back', async () => {
    const one = fullMesh()
    await expose(requestFor('grafana'), one)
    const { result } = await expose({ ...requestFor('kiali'), layout: 'ports' }, one)
    assert.deepEqual(codes(result), ['HOST_MOVED'])
    assert.deepEqual(numbersOf(one), [15021, 80, 443, 15031, 15029])
    await expose({ ...requestFor('kiali'), layout: 'hosts' }, one)
    assert.deepEqual(numbersOf(one), [15021, 80, 443])
    assert.deepEqual(certificateHosts(one.cluster), [`grafana.${DOMAIN}`, `kiali.${DOMAIN}`])
  })

  it('is HTTP on the same ports when insecure', async () => {
    const one = fullMesh()
    const { result } = await expose({ ...requestFor('grafana'), layout: 'ports', insecure: true }, one)
    assert.deepEqual(serversOf(one), [`HTTP 15031 telemetry.${DOMAIN}`])
    assert.equal(result.exposures[0]?.url, `http://telemetry.${DOMAIN}:15031/`)
  })

  describe('at a node', () => {
    const atNode = () =>
      world([
        ...grafana(),
        ...kiali(),
        ...jaeger(),
        ...prometheus(),
        ...ingressGateway('istio-system', 'istio-ingressgateway', []),
        node('node-1', [{ type: 'InternalIP', address: '192.0.2.10' }]),
      ])

    it('has the node port in the URL, requested or chosen', async () => {
      const one = atNode()
      const nodePorts = [{ addon: 'grafana', port: 31531 }]
      const { result } = await expose({ ...requestFor('grafana', 'kiali'), layout: 'ports', nodePorts }, one)
      const [first, second] = portsOf(one).slice(3)
      assert.equal(first?.nodePort, 31531)
      assert.deepEqual(
        result.exposures.map(({ url }) => url),
        [`https://telemetry.${DOMAIN}:31531/`, `https://telemetry.${DOMAIN}:${second?.nodePort}/kiali/`],
      )
      one.cluster.writes.length = 0
      await expose({ ...requestFor('grafana', 'kiali'), layout: 'ports' }, one)
      assert.deepEqual(written(one), [])
    })

    it('needs the add-on of a node port', async () => {
      const nodePorts = [{ port: 31531 }]
      const error = await refusal(expose({ ...requestFor('grafana', 'kiali'), layout: 'ports', nodePorts }, atNode()))
      assert.deepEqual([error.code, error.exitCode], ['NODE_PORT_INVALID', 2])
    })

    it('refuses a node port in the other layout', async () => {
      const nodePorts = [{ port: 31531 }]
      const error = await refusal(expose({ ...requestFor('grafana'), nodePorts }, atNode()))
      assert.deepEqual([error.code, error.exitCode], ['NODE_PORT_INVALID', 2])
    })
  })
})

/** A mesh whose gateway's Service has one more port. */
function withPort(more: object): FakeWorld {
  const [service, pod] = ingressGateway() as [KubeObject, KubeObject]
  const { ports, ...spec } = service.spec as { ports: object[] }
  return world([...grafana(), ...kiali(), { ...service, spec: { ...spec, ports: [...ports, more] } }, pod])
}
