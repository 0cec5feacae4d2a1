/** Another port outside than 443: k3d's mapped ports (k3d-io/k3d), and k3s, whose Traefik has 443 on each node (k3s-io/k3s). */
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { expose } from '../../src/exposing/expose.ts'
import { succeeded } from '../../src/exposing/result.ts'
import { serversIn } from '../../src/gateways/layout.ts'
import { renderExpose } from '../../src/rendering/expose.ts'
import { status } from '../../src/status/status.ts'
import { grafana, ingressGateway, kiali, node } from '../fakes/mesh.ts'
import { find, fullMesh, refusal, request, requestFor, world } from './exposing.ts'

/** istioctl's gateway with these ports of its Service. */
function gatewayAt(...ports: object[]): KubeObject[] {
  const [service, pod] = ingressGateway()
  assert.ok(service && pod)
  return [{ ...service, spec: { ...(service.spec as object), ports } }, pod]
}

const K3S = [
  { name: 'http2', port: 8080, targetPort: 8080, nodePort: 31080 },
  { name: 'https', port: 8443, targetPort: 8443, nodePort: 31443 },
]

describe('--ingress-ip ADDRESS:PORT', () => {
  for (const [named, address, url, resolve] of [
    [
      '127.0.0.1:9443',
      '127.0.0.1',
      'https://grafana.127.0.0.1.nip.io:9443/',
      'grafana.127.0.0.1.nip.io:9443:127.0.0.1',
    ],
    [
      '[2001:db8::9]:9443',
      '2001:db8::9',
      'https://grafana.2001-db8--9.sslip.io:9443/',
      'grafana.2001-db8--9.sslip.io:9443:[2001:db8::9]',
    ],
    ['192.0.2.7:443', '192.0.2.7', 'https://grafana.192.0.2.7.nip.io/', 'grafana.192.0.2.7.nip.io:443:192.0.2.7'],
  ] as const)
    it(`${named} is in the URL, the check and the command to try`, async () => {
      const one = world()
      const report = await expose({ ...request, ingressAddress: named }, one)
      assert.ok(succeeded(report.result))
      assert.equal(report.result.exposures[0]?.url, url)
      const [probed] = one.prober.probed
      assert.deepEqual([probed?.address, probed?.port], [address, Number(named.split(':').at(-1))])
      assert.ok(renderExpose(report, 'none', undefined).replaceAll("'", '').includes(`--resolve ${resolve} ${url}`))
      const servers = serversIn(find(one.cluster, 'Gateway'))
      assert.deepEqual(
        servers.map(({ port }) => port.number),
        [443],
        'a redirect from port 80 would lead to the port that is not outside',
      )
    })

  it('with a name, and with a domain', async () => {
    const one = world()
    one.prober.resolutions['lb.example.net'] = { addresses: ['203.0.113.4'] }
    const { result } = await expose({ ...request, ingressAddress: 'lb.example.net:9443' }, one)
    assert.equal(result.exposures[0]?.url, 'https://grafana.203.0.113.4.nip.io:9443/')
    const own = await expose({ ...request, ingressAddress: 'lb.example.net:9443', domain: 'example.com' }, world())
    assert.equal(own.result.exposures[0]?.url, 'https://grafana.example.com:9443/')
  })

  it('leads to no node port, although it is the address of a node', async () => {
    const one = world([
      ...grafana(),
      ...ingressGateway(),
      node('node-1', [{ type: 'InternalIP', address: '10.0.0.7' }]),
    ])
    const { result } = await expose({ ...request, ingressAddress: '10.0.0.7:9443' }, one)
    assert.equal(result.exposures[0]?.url, 'https://grafana.10.0.0.7.nip.io:9443/')
  })

  it('works with --insecure', async () => {
    const { result } = await expose({ ...request, insecure: true, ingressAddress: '127.0.0.1:9080' }, world())
    assert.equal(result.exposures[0]?.url, 'http://grafana.127.0.0.1.nip.io:9080/')
  })

  it('is used by status and by the check of the certificate', async () => {
    const one = world()
    await expose({ ...request, ingressAddress: '127.0.0.1:9443' }, one)
    one.prober.probed.length = 0
    const { addons } = await status({ expiresIn: 0, ingressAddress: '127.0.0.1:9443' }, one)
    assert.equal(addons.find(({ name }) => name === 'grafana')?.exposure?.url, 'https://grafana.127.0.0.1.nip.io:9443/')
    assert.deepEqual(
      one.prober.probed.map(({ port }) => port),
      [9443],
    )
  })

  it('is refused with the layout `ports`, which has a port for each add-on', async () => {
    const one = fullMesh()
    const { code, exitCode, suggestions } = await refusal(
      expose({ ...request, layout: 'ports', ingressAddress: '127.0.0.1:9443' }, one),
    )
    assert.deepEqual([code, exitCode], ['ADDRESS_INVALID', 2])
    assert.match(suggestions[0] ?? '', /^--layout hosts/)
    assert.deepEqual(one.cluster.writes, [])
  })
})

describe('a gateway whose Service has no port 443', () => {
  const one = (ports: object[] = K3S) => world([...grafana(), ...kiali(), ...gatewayAt(...ports)])

  it('is found, and the port that leads to 8443 is used', async () => {
    const k3s = one()
    const { result } = await expose(request, k3s)
    assert.ok(succeeded(result))
    assert.equal(result.exposures[0]?.url, 'https://grafana.192.0.2.10.nip.io:8443/')
    assert.deepEqual(
      serversIn(find(k3s.cluster, 'Gateway')).map(({ port }) => port.number),
      [8443],
    )
    assert.equal(k3s.prober.probed[0]?.port, 8443)
  })

  it('keeps its layout: a second run changes nothing, another add-on joins, status has its port', async () => {
    const k3s = one()
    await expose(request, k3s)
    k3s.cluster.writes.length = 0
    const { result } = await expose(request, k3s)
    assert.deepEqual([k3s.cluster.writes, result.layout.name, result.warnings], [[], 'hosts', []])
    await expose(requestFor('kiali'), k3s)
    assert.deepEqual(
      serversIn(find(k3s.cluster, 'Gateway')).map(({ hosts }) => hosts.length),
      [2],
    )
    const { addons, gateway } = await status({ expiresIn: 0 }, k3s)
    assert.equal(gateway?.service, 'istio-ingressgateway')
    assert.equal(
      addons.find(({ name }) => name === 'kiali')?.exposure?.url,
      'https://kiali.192.0.2.10.nip.io:8443/kiali/',
    )
  })

  it('moves to 443, and says so, when its Service has that port again', async () => {
    const k3s = one()
    await expose(request, k3s)
    const service = k3s.cluster.objects.find(
      ({ kind, metadata }) => kind === 'Service' && metadata.name.startsWith('istio'),
    )
    Object.assign(service?.spec ?? {}, { ports: [...K3S, { port: 443, targetPort: 8443 }] })
    const { result } = await expose(requestFor('kiali'), k3s)
    assert.deepEqual(
      result.warnings.map(({ code, message }) => [code, message.split(':8443')[0]]),
      [['HOST_MOVED', 'grafana moves from https://grafana.192.0.2.10.nip.io']],
    )
    assert.deepEqual(
      serversIn(find(k3s.cluster, 'Gateway')).map(({ port }) => port.number),
      [443],
    )
  })

  it('guards its own port', async () => {
    const k3s = one()
    k3s.prober.answers = [{ ok: true, hop: 'access', status: 403, protocol: 'HTTP/2', milliseconds: 1 }]
    const { result } = await expose({ ...request, insecure: true, guard: { cidrs: ['203.0.113.0/24'] } }, k3s)
    assert.equal(result.exposures[0]?.url, 'http://grafana.192.0.2.10.nip.io:8080/')
    assert.match(JSON.stringify(find(k3s.cluster, 'AuthorizationPolicy').spec), /"8080"/)
  })

  it('and none that leads to 8443 either: the remedies name the ways', async () => {
    const { code, suggestions } = await refusal(expose(request, one([{ name: 'http2', port: 80, targetPort: 8080 }])))
    assert.equal(code, 'GATEWAY_PORT_MISSING')
    assert.deepEqual(suggestions, [
      `kubectl -n istio-system patch service istio-ingressgateway --type=json -p '[{"op":"add","path":"/spec/ports/-","value":{"name":"https","port":443,"targetPort":8443}}]'   # or choose another Service with --gateway`,
      '--layout ports   # adds new ports to the Service',
      '--insecure   # HTTP, for which it has a port',
    ])
  })

  it('has the layout `ports` as before', async () => {
    const k3s = one()
    const { result } = await expose({ ...request, layout: 'ports' }, k3s)
    assert.deepEqual(
      result.exposures.map(({ url }) => url),
      ['https://telemetry.192.0.2.10.nip.io:15031/'],
    )
    assert.equal((await expose(request, k3s)).result.layout.name, 'ports')
  })
})
