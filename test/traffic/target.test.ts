import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import type { TrafficRequest } from '../../src/traffic/request.ts'
import { held } from '../certifying/certifying.ts'
import { DOMAIN, find } from '../exposing/exposing.ts'
import { SHOP, shopMesh } from '../exposing/services/services.ts'
import type { FakeWorld } from '../fakes/fake-world.ts'
import { ingressGateway, node } from '../fakes/mesh.ts'
import { exposedShop, FakeTraffic, manyExposed, sent, service, url } from './traffic-world.ts'

const NONE = { prometheus: 'none' }

interface Sent {
  to: string
  name: string
  paths: readonly string[]
  destination: string
}

async function target(changes: Partial<TrafficRequest>, world: FakeWorld): Promise<Sent> {
  const fake = new FakeTraffic()
  const { target: found } = await sent({ ...NONE, ...changes }, world, fake)
  const { secure, host, address, port } = fake.opened[0] ?? assert.fail('nothing was opened')
  assert.equal(fake.senders[0]?.asked.length, 100)
  assert.deepEqual(world.cluster.writes, [])
  return {
    to: `${secure ? 'https' : 'http'} ${host} at ${address}:${port}`,
    name: found.name,
    paths: found.paths,
    destination: `${found.service}.${found.namespace}`,
  }
}

/** @returns the error, after which nothing was sent */
async function refused(
  changes: Partial<TrafficRequest>,
  world: FakeWorld,
): Promise<{ code: string; exitCode: number; message: string; suggestions: string[] }> {
  const fake = new FakeTraffic()
  try {
    await sent({ ...NONE, ...changes }, world, fake)
  } catch (error) {
    assert.deepEqual([fake.senders.flatMap(({ asked }) => asked), fake.isSending], [[], false])
    return error as never
  }
  return assert.fail('it was sent')
}

const gatewayOf = (
  name: string,
  namespace: string,
  servers: object[],
  selector: object = { istio: 'ingressgateway' },
): KubeObject => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'Gateway',
  metadata: { name, namespace },
  spec: { selector, servers },
})
const http = (...hosts: string[]) => ({ port: { number: 80, name: 'http', protocol: 'HTTP' }, hosts })
const https = (...hosts: string[]) => ({
  port: { number: 443, name: 'https', protocol: 'HTTPS' },
  hosts,
  tls: { mode: 'SIMPLE', credentialName: 'shop-cert' },
})
const routeOf = (name: string, namespace: string, spec: object): KubeObject => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'VirtualService',
  metadata: { name, namespace },
  spec,
})
const to = (...hosts: string[]) => ({ route: hosts.map((host) => ({ destination: { host, port: { number: 9080 } } })) })
/** Istio's samples/bookinfo/networking/bookinfo-gateway.yaml. */
const SAMPLE = [
  gatewayOf('bookinfo-gateway', 'bookinfo', [http('*')]),
  routeOf('bookinfo', 'bookinfo', {
    hosts: ['*'],
    gateways: ['bookinfo-gateway'],
    http: [{ match: [{ uri: { exact: '/productpage' } }, { uri: { prefix: '/static' } }], ...to('productpage') }],
  }),
]

describe('the target of traffic', () => {
  it('is the only exposure', async () => {
    assert.deepEqual(await target({}, await exposedShop()), {
      to: `https ${SHOP} at 192.0.2.10:443`,
      name: 'svc/productpage',
      paths: ['/'],
      destination: 'productpage.bookinfo',
    })
  })

  it('is verified by the CA of the exposure, and by nothing else', async () => {
    const world = await exposedShop()
    const fake = new FakeTraffic()
    await sent(NONE, world, fake)
    const { trust, userAgent, method, connections } = fake.opened[0] ?? assert.fail()
    assert.deepEqual(trust, { certificates: [held(world, 'ca.crt')], publicToo: false })
    assert.match(userAgent, /^kubectl-telemetry-traffic\/[0-9a-f]{12}$/)
    assert.deepEqual([method, connections], ['GET', 4])
  })

  it('is one of several by its name, its URL, or by a choice on a terminal', async () => {
    const choice = { 'Send requests to which exposure?': `grafana  https://grafana.${DOMAIN}/` }
    const world = await manyExposed([], choice)
    const grafana = `https grafana.${DOMAIN} at 192.0.2.10:443`
    assert.equal((await target({}, world)).to, grafana)
    assert.equal((await target({ target: { by: 'addon', name: 'grafana' } }, world)).to, grafana)
    assert.equal((await target({ target: url(`https://grafana.${DOMAIN}/`), paths: ['/'] }, world)).to, grafana)
    assert.deepEqual((await target({ target: { by: 'addon', name: 'kiali' } }, world)).paths, ['/kiali/'])
    const shop = await target({ target: service('productpage'), namespace: 'bookinfo', paths: ['/a', '/b'] }, world)
    assert.deepEqual([shop.name, shop.paths], ['svc/productpage', ['/a', '/b']])
    assert.equal((await target({ namespace: 'bookinfo' }, world)).name, 'svc/productpage')
  })

  it('is asked for without a terminal: usage, with the commands that choose it', async () => {
    const { code, exitCode, suggestions } = await refused({}, await manyExposed())
    assert.deepEqual([code, exitCode], ['TRAFFIC_TARGET_UNCLEAR', 2])
    assert.deepEqual(suggestions, [
      'kubectl telemetry traffic grafana',
      'kubectl telemetry traffic kiali',
      'kubectl telemetry traffic svc/productpage -n bookinfo',
    ])
  })

  it('has to be exposed: the error has the commands that do that, or that do without', async () => {
    const nothing = await refused({}, shopMesh())
    assert.deepEqual(
      [nothing.code, nothing.exitCode, nothing.message],
      ['TRAFFIC_NOT_EXPOSED', 1, 'nothing is exposed'],
    )
    const reviews = await refused({ target: service('reviews'), namespace: 'bookinfo' }, await exposedShop())
    assert.equal(reviews.code, 'TRAFFIC_NOT_EXPOSED')
    assert.deepEqual(reviews.suggestions, [
      'kubectl telemetry expose svc/reviews -n bookinfo',
      'kubectl telemetry traffic svc/reviews -n bookinfo --via api-server   # without a gateway: the API server asks the pods',
    ])
    assert.equal(
      (await refused({ target: { by: 'addon', name: 'grafana' } }, await exposedShop())).code,
      'TRAFFIC_NOT_EXPOSED',
    )
  })

  it('is no host that no gateway of the context serves: usage', async () => {
    const world = await exposedShop([...SAMPLE.slice(1), gatewayOf('shop', 'shop', [https('shop.example.com')])])
    for (const text of [
      'https://example.org/',
      `https://${SHOP}:8443/`,
      `http://${SHOP}:443/`,
      `https://x.${SHOP}/`,
      'https://shop.example.com.evil.example/',
      'http://shop.example.com/',
      'https://192.0.2.10/',
      'http://[2001:db8::1]/',
      'http://169.254.169.254/latest/meta-data/',
      'http://localhost:6443/',
    ]) {
      const { code, exitCode } = await refused({ target: url(text), paths: ['/'] }, world)
      assert.deepEqual([text, code, exitCode], [text, 'TRAFFIC_HOST_FOREIGN', 2])
    }
  })

  it('is a host of a Gateway of others: the connection goes to the gateway, and their certificate is trusted', async () => {
    const certificate = { 'tls.crt': Buffer.from('LEAF').toString('base64') }
    const secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'shop-cert', namespace: 'istio-system' },
      data: certificate,
    }
    const routed = routeOf('shop', 'shop', {
      hosts: ['shop.example.com'],
      gateways: ['infra/shared'],
      http: [to('cart.shop.svc.cluster.local'), to('cart')],
    })
    const world = shopMesh([secret, gatewayOf('shared', 'infra', [https('shop/*.example.com')]), routed])
    assert.deepEqual(await target({ target: url('https://shop.example.com/cart'), paths: ['/cart'] }, world), {
      to: 'https shop.example.com at 192.0.2.10:443',
      name: 'svc/cart',
      paths: ['/cart'],
      destination: 'cart.shop',
    })
    const fake = new FakeTraffic()
    await sent({ ...NONE, target: url('https://shop.example.com/'), paths: ['/'] }, world, fake)
    assert.deepEqual(fake.opened[0]?.trust, { certificates: ['LEAF'], publicToo: true })
  })

  it("is a Service behind Istio's own sample Gateway, by its name or at the address", async () => {
    const world = shopMesh(SAMPLE)
    const wanted = {
      to: 'http 192.0.2.10 at 192.0.2.10:80',
      name: 'svc/productpage',
      paths: ['/productpage'],
      destination: 'productpage.bookinfo',
    }
    assert.deepEqual(await target({ target: service('productpage'), namespace: 'bookinfo' }, world), wanted)
    assert.deepEqual(
      await target({ target: url('http://192.0.2.10/productpage'), paths: ['/productpage'] }, world),
      wanted,
    )
    // A wildcard is a host that the gateway serves; where the name leads in DNS does not matter.
    const any = await target({ target: url('http://example.org/'), paths: ['/'] }, world)
    assert.equal(any.to, 'http example.org at 192.0.2.10:80')
  })

  it('does not follow Gateways that the gateway does not apply, nor routes that are bound elsewhere', async () => {
    const elsewhere = [
      gatewayOf('other', 'bookinfo', [http('a.example.com')], { istio: 'egressgateway' }),
      gatewayOf('tcp', 'bookinfo', [
        { port: { number: 9000, name: 'tcp', protocol: 'TCP' }, hosts: ['b.example.com'] },
      ]),
      { ...gatewayOf('gone', 'bookinfo', [http('c.example.com')]) },
    ]
    elsewhere[2] = {
      ...gatewayOf('gone', 'bookinfo', [http('c.example.com')]),
      metadata: { name: 'gone', namespace: 'bookinfo', deletionTimestamp: '2026-01-01T00:00:00Z' },
    }
    const unbound = routeOf('unbound', 'other', {
      hosts: ['*'],
      gateways: ['bookinfo-gateway'],
      http: [to('reviews.bookinfo.svc.cluster.local')],
    })
    const mesh = routeOf('mesh', 'bookinfo', { hosts: ['reviews'], http: [to('reviews')] })
    const world = shopMesh([...elsewhere, SAMPLE[0] as KubeObject, unbound, mesh])
    for (const host of ['a', 'b', 'c']) {
      const one = shopMesh(elsewhere)
      const { code } = await refused({ target: url(`http://${host}.example.com/`), paths: ['/'] }, one)
      assert.equal(code, 'TRAFFIC_HOST_FOREIGN')
    }
    assert.equal(
      (await refused({ target: service('reviews'), namespace: 'bookinfo' }, world)).code,
      'TRAFFIC_NOT_EXPOSED',
    )
  })

  it('is chosen where two gateways serve the host: a tenant cannot draw the requests to its own', async () => {
    const tenants = ingressGateway('tenant', 'mine', [{ ip: '198.51.100.66' }])
    const claims = gatewayOf('claim', 'tenant', [http('*', 'shop.example.com')], { istio: 'mine' })
    const world = shopMesh([gatewayOf('shop', 'shop', [http('shop.example.com')]), ...tenants, claims])
    const asked = { target: url('http://shop.example.com/'), paths: ['/'] }
    const { code, suggestions } = await refused(asked, world)
    assert.equal(code, 'TRAFFIC_TARGET_UNCLEAR')
    assert.deepEqual(suggestions, [
      'kubectl telemetry traffic http://shop.example.com/ --gateway istio-system/istio-ingressgateway',
      'kubectl telemetry traffic http://shop.example.com/ --gateway tenant/mine',
    ])
    const gateway = { namespace: 'istio-system', name: 'istio-ingressgateway' }
    assert.equal((await target({ ...asked, gateway }, world)).to, 'http shop.example.com at 192.0.2.10:80')
  })

  describe('the address', () => {
    const external = (world: FakeWorld) => {
      const service = world.cluster.objects.find(
        ({ kind, metadata }) => kind === 'Service' && metadata.name === 'istio-ingressgateway',
      ) as KubeObject
      Object.assign(service, { status: {} })
      Object.assign(service.spec as object, { externalIPs: ['203.0.113.66'] })
      return world
    }

    it('is not believed where only the editors of a Service say it (externalIPs)', async () => {
      const { code, message, suggestions } = await refused({}, external(await exposedShop()))
      assert.equal(code, 'TRAFFIC_ADDRESS_UNPROVEN')
      assert.match(message, /203\.0\.113\.66 only in externalIPs/)
      assert.equal(suggestions[0], "--ingress-ip 203.0.113.66   # if it is the gateway's")
    })

    it('is believed where a node has it, and where the user names it', async () => {
      const atNode = node('node-9', [{ type: 'ExternalIP', address: '203.0.113.66' }])
      const expected = `https ${SHOP} at 203.0.113.66:443`
      assert.equal((await target({}, external(await exposedShop([atNode])))).to, expected)
      assert.equal((await target({ ingressAddress: '203.0.113.66' }, external(await exposedShop()))).to, expected)
    })

    it('is no other one, and has no port, whoever names it', async () => {
      const atNode = node('node-9', [{ type: 'InternalIP', address: '192.0.2.77' }])
      for (const ingressAddress of ['198.51.100.1', 'example.org', '192.0.2.10:22', '192.0.2.77:6443', '127.0.0.1']) {
        const { code } = await refused({ ingressAddress }, await exposedShop([atNode]))
        assert.deepEqual([ingressAddress, code], [ingressAddress, 'TRAFFIC_ADDRESS_UNPROVEN'])
      }
    })
  })

  it('is no route that is closed', async () => {
    const world = await exposedShop()
    const route = find(world.cluster, 'VirtualService')
    const { http } = route.spec as { http: object[] }
    http.unshift({ name: 'closed-for-0123', directResponse: { status: 403 } })
    const named = JSON.stringify(http).includes('closed')
    assert.ok(named)
    const { code } = await refused({}, world)
    assert.equal(code, 'TRAFFIC_CLOSED')
  })

  it('has no destination where the names of the route are none: they would become part of a query', async () => {
    for (const host of [
      'x"}) or vector(1) #.bookinfo.svc',
      'productpage',
      '.bookinfo.svc.cluster.local',
      'X.bookinfo',
      '-a.b',
    ]) {
      const world = await exposedShop()
      const text = JSON.stringify(find(world.cluster, 'VirtualService').spec)
      const spec = text.replaceAll('productpage.bookinfo.svc.cluster.local', JSON.stringify(host).slice(1, -1))
      Object.assign(find(world.cluster, 'VirtualService'), { spec: JSON.parse(spec) })
      const fake = new FakeTraffic()
      const { target: found, warnings } = await sent({}, world, fake)
      assert.deepEqual([found.service, warnings.map(({ code }) => code)], [undefined, ['TRAFFIC_UNCOUNTED']])
    }
  })

  it('has the path that leads to the page, but only if it is a plain one', async () => {
    const world = await exposedShop()
    const route = find(world.cluster, 'VirtualService')
    const { http } = route.spec as { http: object[] }
    http.unshift({ redirect: { uri: '/a?b=http://evil.example/\r\nx: y' } })
    assert.deepEqual((await target({}, world)).paths, ['/'])
    assert.equal((await sent(NONE, world)).target.url, `https://${SHOP}/`)
  })
})
