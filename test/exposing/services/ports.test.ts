import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { cleanup } from '../../../src/cleaning/cleanup.ts'
import type { KubeObject } from '../../../src/cluster/cluster.ts'
import { expose } from '../../../src/exposing/expose.ts'
import { chooseOwnPorts } from '../../../src/exposing/gathering/own-ports.ts'
import type { ExposeRequest } from '../../../src/exposing/request.ts'
import { status } from '../../../src/status/status.ts'
import { ingressGateway, node } from '../../fakes/mesh.ts'
import { DOMAIN, find, refusal, requestFor, world, written } from '../exposing.ts'
import {
  addedPorts,
  bookinfo,
  codesOf,
  gatewayService,
  requestForServices,
  SHOP,
  serversOf,
  shopAtNode,
  shopMesh,
} from './services.ts'

const at = (port: number, changes: Partial<ExposeRequest> = {}) =>
  requestForServices('productpage', { ports: [{ port }], ...changes })
/** A mesh whose gateway's Service has more ports, and whose pod has more. */
function withPorts(ports: object[], container: object = {}) {
  const one = shopMesh()
  const service = gatewayService(one)
  const spec = service.spec as { ports: object[] }
  spec.ports.push(...ports.map((port, index) => ({ ...port, nodePort: 30_900 + index })))
  const pod = one.cluster.objects.find(({ metadata }) => metadata.name === 'istio-ingressgateway-xyz')
  const containers = (pod?.spec as { containers: object[] }).containers
  Object.assign(containers[0] ?? {}, container)
  return one
}
const theirs = (number: number, hosts: string[], protocol = 'HTTP'): KubeObject => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'Gateway',
  metadata: { name: 'theirs', namespace: 'apps' },
  spec: { selector: { istio: 'ingressgateway' }, servers: [{ port: { number, name: 'x', protocol }, hosts }] },
})

describe("the pods' port of a port of its own", () => {
  const cases: [what: string, number: number, ports: object[], added: string[]][] = [
    ['is a high one for a port below 1024', 666, [], ['666 > 10666']],
    ['is the same from 1024 on', 1024, [], ['1024 > 1024']],
    ['is a high one for 1023', 1023, [], ['1023 > 11023']],
    ['is another one where a port of the Service leads there', 8443, [], ['8443 > 18443']],
    [
      'is the next one where that is taken as well',
      8443,
      [{ name: 'a', port: 7000, targetPort: 18443 }],
      ['7000 > 18443', '8443 > 18444'],
    ],
    ['is none on which the proxy listens', 15090, [], ['15090 > 25090']],
    ['is below 65536', 65_535, [{ name: 'a', port: 7000, targetPort: 65_535 }], ['7000 > 65535', '65535 > 55535']],
    ["is the one to which the user's port leads", 8888, [{ name: 'a', port: 8888, targetPort: 9999 }], ['8888 > 9999']],
  ]
  for (const [what, number, ports, added] of cases)
    it(what, async () => {
      const one = withPorts(ports)
      const { result } = await expose(at(number), one)
      assert.deepEqual(
        addedPorts(one).map((port) => port.replace(/ @.*/, '')),
        added,
      )
      assert.deepEqual(codesOf(result), [])
      assert.deepEqual(serversOf(one), [`HTTPS ${number} ${SHOP}`])
      one.cluster.writes.length = 0
      await expose(requestForServices('productpage'), one)
      assert.deepEqual(written(one), [], 'a second run changes nothing')
    })

  it('is none on which a container listens', async () => {
    const one = withPorts([], { ports: [{ containerPort: 10_666 }, { containerPort: 10_667 }] })
    await expose(at(666), one)
    assert.deepEqual(addedPorts(one), ['666 > 10668 @30000'])
  })

  it('is chosen again, with its node port, where the Service has lost the port: the run for another exposure repairs it', async () => {
    const one = shopMesh()
    await expose(at(666), one)
    const service = gatewayService(one)
    const spec = service.spec as { ports: { port: number }[] }
    const fresh = {
      ...service,
      metadata: { ...service.metadata, managedFields: [] },
      spec: { ...spec, ports: spec.ports.filter(({ port }) => port !== 666) },
    }
    one.cluster.objects.splice(one.cluster.objects.indexOf(service), 1, fresh as KubeObject)
    await expose(requestFor('grafana'), one)
    assert.deepEqual(
      addedPorts(one).map((port) => port.replace(/ @.*/, '')),
      ['666 > 10666'],
    )
  })
})

describe('a port of the gateway that is refused', () => {
  const cases: [
    what: string,
    mesh: () => ReturnType<typeof shopMesh>,
    port: number,
    message: string,
    ...next: string[],
  ][] = [
    [
      "is that of somebody's Gateway, whatever its hosts are",
      () => shopMesh([theirs(8080, ['*'])]),
      8080,
      'Gateway apps/theirs already serves * by HTTP on port 8080',
      '--port NUMBER   # another port',
      'kubectl -n apps get gateways.networking.istio.io theirs -o yaml',
    ],
    [
      "is one of the pods that somebody's Gateway has by another number",
      () => {
        const one = withPorts([
          { name: 'a', port: 7000, targetPort: 9999 },
          { name: 'b', port: 7001, targetPort: 9998 },
        ])
        one.cluster.objects.push(theirs(9999, ['a.example.com', 'b.example.com'], 'TCP'))
        return one
      },
      7000,
      'Gateway apps/theirs already serves a.example.com, b.example.com by TCP on port 9999',
      '--port NUMBER   # another port',
      'kubectl -n apps get gateways.networking.istio.io theirs -o yaml',
    ],
    [
      'leads to the proxy itself',
      () => shopMesh(),
      15021,
      'port 15021 of Service istio-system/istio-ingressgateway leads to the proxy itself',
      '--port NUMBER   # another port',
      'kubectl -n istio-system get service istio-ingressgateway -o yaml',
    ],
    [
      'leads where another one does',
      () => withPorts([{ name: 'a', port: 7000, targetPort: 8443 }]),
      7000,
      'port 7000 of Service istio-system/istio-ingressgateway leads to port 8443 of its pods, as port 443 does',
      '--port NUMBER   # another port',
      'kubectl -n istio-system get service istio-ingressgateway -o yaml',
    ],
    [
      'leads below 1024: the documented step',
      () => withPorts([{ name: 'a', port: 666, targetPort: 666 }]),
      666,
      'port 666 of Service istio-system/istio-ingressgateway leads to port 666 of its pods, where only root may listen: istiod leaves it out without a word',
      '--port NUMBER   # another port',
      'kubectl -n istio-system get service istio-ingressgateway -o yaml',
    ],
  ]
  for (const [what, mesh, port, message, ...next] of cases)
    it(what, async () => {
      const one = mesh()
      const error = await refusal(expose(at(port), one))
      assert.deepEqual(
        [error.code, error.exitCode, error.message, error.suggestions],
        ['GATEWAY_PORT_TAKEN', 1, message, next],
      )
      assert.deepEqual(written(one), [])
    })

  it('is every one, if nothing of the pods is free', async () => {
    const taken = Array.from({ length: 60 }, (_, index) => ({ containerPort: 10_666 + index }))
    const error = await refusal(expose(at(666), withPorts([], { ports: taken })))
    assert.deepEqual([error.code, error.message], ['GATEWAY_PORT_TAKEN', 'no port of its pods is free for port 666'])
  })

  it('is that of another exposure, with a port of its own', async () => {
    const one = shopMesh()
    await expose(at(666), one)
    const error = await refusal(expose(requestForServices('reviews', { ports: [{ port: 666 }] }), one))
    assert.deepEqual(
      [error.code, error.exitCode, error.message, error.suggestions],
      [
        'OWN_PORT_INVALID',
        2,
        '--port 666: svc/productpage already has this port at the gateway',
        ['--port 667   # another port for svc/reviews'],
      ],
    )
  })

  it('is that of another exposure of the same run', async () => {
    const ports = [
      { addon: 'svc/productpage', port: 666 },
      { addon: 'svc/reviews', port: 666 },
    ]
    const error = await refusal(expose(requestForServices('productpage reviews', { ports }), shopMesh()))
    assert.equal(error.code, 'OWN_PORT_INVALID')
  })

  it('is that of an add-on in the layout ports, whichever comes first', async () => {
    const one = shopMesh()
    await expose({ ...requestFor('grafana'), layout: 'ports' }, one)
    const error = await refusal(expose(at(15_031), one))
    assert.deepEqual(
      [error.code, error.message],
      ['OWN_PORT_INVALID', '--port 15031: grafana already has this port at the gateway'],
    )
    const other = shopMesh()
    await expose(at(15_031), other)
    other.cluster.writes.length = 0
    const later = await refusal(expose({ ...requestFor('grafana'), layout: 'ports' }, other))
    assert.deepEqual(
      [later.code, later.message],
      ['OWN_PORT_INVALID', '--port 15031: svc/productpage already has this port at the gateway'],
    )
    assert.deepEqual(later.suggestions, [
      'kubectl telemetry expose svc/productpage -n bookinfo --port 15032 …   # another port for it',
    ])
    assert.deepEqual(written(other), [])
  })

  it('is the port of all hosts where the Service has another one than 443', async () => {
    const one = shopMesh()
    const spec = gatewayService(one).spec as { ports: { port: number }[] }
    spec.ports = spec.ports.map((port) => (port.port === 443 ? { ...port, port: 8443 } : port))
    await expose(requestFor('grafana'), one)
    assert.deepEqual(serversOf(one), [`HTTPS 8443 grafana.${DOMAIN}`])
    const error = await refusal(expose(at(8443, { insecure: true }), one))
    assert.deepEqual(
      [error.code, error.message],
      ['OWN_PORT_INVALID', '--port 8443: grafana already has this port at the gateway'],
    )
    await expose(at(8443), one)
    assert.deepEqual(serversOf(one), [`HTTPS 8443 grafana.${DOMAIN} ${SHOP}`], 'it is the shared one')
  })

  it('has two numbers for one exposure, or none that is clear', async () => {
    const twice = await refusal(
      expose(requestForServices('productpage', { ports: [{ port: 1 }, { port: 2 }] }), shopMesh()),
    )
    assert.deepEqual([twice.code, twice.message], ['OWN_PORT_INVALID', '--port 2: svc/productpage already has 1'])
    const unclear = await refusal(
      expose(requestForServices('productpage reviews', { ports: [{ port: 8080 }] }), shopMesh()),
    )
    assert.deepEqual(
      [unclear.message, unclear.suggestions],
      ['--port 8080: say for which one: svc/productpage, svc/reviews', ['--port svc/productpage=8080']],
    )
    const other = await refusal(
      expose(requestForServices('productpage', { ports: [{ addon: 'svc/reviews', port: 8080 }] }), shopMesh()),
    )
    assert.equal(other.message, '--port svc/reviews=8080: svc/reviews is not exposed by this command')
  })

  for (const [port, insecure, next] of [
    [80, false, ['--port 443   # the port of all hosts', '--port 8080']],
    [443, true, ['--port 80   # the port of all hosts', '--port 8443']],
  ] as const)
    it(`is ${port} ${insecure ? 'with' : 'without'} --insecure`, async () => {
      const error = await refusal(expose(at(port, { insecure }), shopMesh()))
      assert.deepEqual(
        [error.code, error.message, error.suggestions],
        [
          'OWN_PORT_INVALID',
          `--port ${port} is shared by all hosts of the gateway and cannot be for one exposure only`,
          next,
        ],
      )
    })
})

describe('the layout ports with Services', () => {
  it('needs a port for each of them', async () => {
    const error = await refusal(expose(requestForServices('productpage', { layout: 'ports' }), shopMesh()))
    assert.deepEqual(
      [error.code, error.exitCode, error.message, error.suggestions],
      [
        'OWN_PORT_NEEDED',
        2,
        'in the layout ports each exposure has a port of the gateway, and svc/productpage has no usual one',
        ['--port 8080', '--layout hosts   # one port for all of them'],
      ],
    )
  })

  it('is refused where a Service is exposed on the shared port: it would have none', async () => {
    const one = shopMesh()
    await expose(requestForServices('productpage'), one)
    one.cluster.writes.length = 0
    const error = await refusal(expose({ ...requestFor('grafana'), layout: 'ports' }, one))
    assert.deepEqual(
      [error.code, error.message, error.suggestions],
      [
        'OWN_PORT_NEEDED',
        'in the layout ports each exposure has a port of the gateway, and svc/productpage has no usual one',
        [
          'kubectl telemetry expose svc/productpage -n bookinfo --port 8080   # before',
          'kubectl telemetry cleanup svc/productpage -n bookinfo   # or this',
          '--layout hosts   # one port for all of them',
        ],
      ],
    )
    assert.deepEqual(written(one), [])
    await expose(at(8080), one)
    await expose({ ...requestFor('grafana'), layout: 'ports' }, one)
    assert.deepEqual(serversOf(one), [`HTTPS 15031 telemetry.${DOMAIN}`, `HTTPS 8080 ${SHOP}`])
  })

  it('refuses 443 for one exposure', async () => {
    const error = await refusal(expose(at(443, { layout: 'ports' }), shopMesh()))
    assert.deepEqual([error.code, error.suggestions], ['OWN_PORT_INVALID', ['--port 8443']])
  })
})

describe('--any-host', () => {
  it('needs a port of its own', async () => {
    const error = await refusal(
      expose(requestForServices('productpage', { anyHost: true, insecure: true }), shopMesh()),
    )
    assert.deepEqual(
      [error.code, error.exitCode, error.message, error.suggestions],
      [
        'ANY_HOST_UNUSABLE',
        2,
        '--any-host would answer for the hosts of others on a shared port, so it needs a port of its own',
        ['--port 8080 --any-host --insecure'],
      ],
    )
  })

  it("needs HTTP or the user's certificate, also in a later run without the flag", async () => {
    const one = shopMesh()
    await expose(at(666, { anyHost: true, insecure: true }), one)
    for (const later of [at(666, { anyHost: true }), requestForServices('productpage')]) {
      const error = await refusal(expose(later, one))
      assert.deepEqual(
        [error.code, error.exitCode, error.message, error.suggestions],
        [
          'ANY_HOST_UNUSABLE',
          2,
          'a CA of kubectl telemetry vouches for names below its domain and for no address, so HTTPS with --any-host needs your own certificate',
          [
            '--any-host --insecure   # HTTP',
            '--any-host --tls-secret NAME   # your certificate, which may name the address',
            '--no-any-host   # HTTPS by the name of the host',
          ],
        ],
      )
    }
    await expose(requestForServices('productpage', { anyHost: false }), one)
    assert.deepEqual(serversOf(one), [`HTTPS 666 ${SHOP}`])
  })
})

describe('the port outside', () => {
  it('is the node port, chosen or named, and stays', async () => {
    const one = shopAtNode()
    const { result } = await expose(
      at(666, { nodePorts: [{ port: 30_666 }], insecure: true, anyHost: true, paths: ['/productpage', '/static/'] }),
      one,
    )
    assert.equal(result.exposures[0]?.url, 'http://192.0.2.10:30666/productpage')
    assert.deepEqual(addedPorts(one), ['666 > 10666 @30666'])
    const { services } = await status({ expiresIn: 0 }, one)
    assert.equal(services[0]?.exposure?.url, 'http://192.0.2.10:30666/productpage')
    one.cluster.writes.length = 0
    await expose(requestForServices('productpage', { insecure: true }), one)
    assert.deepEqual(written(one), [])
  })

  it('is refused as a node port on the shared port', async () => {
    const error = await refusal(
      expose(requestForServices('productpage', { nodePorts: [{ port: 30_666 }] }), shopAtNode()),
    )
    assert.deepEqual(
      [error.code, error.message, error.suggestions],
      [
        'NODE_PORT_INVALID',
        '--node-port needs --port or --layout ports; in the layout hosts, all hosts share one port of the Service',
        ['--port 8080   # a port of its own', '--layout ports   # one for each add-on'],
      ],
    )
  })

  it('cannot be part of --ingress-ip, which leads to the port of all hosts', async () => {
    const error = await refusal(expose(at(666, { ingressAddress: '192.0.2.99:9443' }), shopMesh()))
    assert.deepEqual(
      [error.code, error.exitCode, error.message, error.suggestions],
      [
        'ADDRESS_INVALID',
        2,
        '--ingress-ip "192.0.2.99:9443" has a port, but svc/productpage has a port of its own at the gateway',
        ['--ingress-ip 192.0.2.99   # each exposure at its port of the gateway'],
      ],
    )
  })

  it('is the port of the pods in the network of their nodes', async () => {
    const [service, pod] = ingressGateway('istio-system', 'istio-ingressgateway', []) as [KubeObject, KubeObject]
    const ports = [{ name: 'https', port: 443, targetPort: 8443 }]
    const spec = { ...(service.spec as object), type: 'ClusterIP', ports }
    const address = node('node-1', [{ type: 'InternalIP', address: '192.0.2.10' }])
    const one = world([
      { ...service, spec },
      { ...pod, spec: { ...(pod.spec as object), hostNetwork: true } },
      address,
      ...bookinfo(),
    ])
    const gateway = { namespace: 'istio-system', name: 'istio-ingressgateway' }
    for (const run of ['the first', 'the second']) {
      const { result } = await expose(at(666, { gateway }), one)
      assert.equal(result.exposures[0]?.url, `https://${SHOP}:10666/`, run)
    }
  })
})

describe('cleanup of a port of its own', () => {
  it('removes the server and the port, and nothing of the others', async () => {
    const one = shopMesh()
    const now = () => {
      const { metadata, spec } = find(one.cluster, 'Gateway')
      return structuredClone([gatewayService(one).spec, spec, metadata.annotations])
    }
    await expose(requestFor('grafana'), one)
    const before = now()
    await expose(at(666), one)
    assert.notDeepEqual(now(), before)
    const services = [{ name: 'productpage' }]
    const choice = { addons: { names: [], named: true }, services, namespace: 'bookinfo' }
    await cleanup({ ...choice, yes: true, dryRun: 'none' }, one)
    assert.deepEqual(now(), before)
  })
})

describe('an add-on with a port of its own', () => {
  it('is beside others on the shared port, and moves none of them to HTTP', async () => {
    const one = shopMesh()
    await expose(requestFor('grafana'), one)
    const { result } = await expose(
      { ...requestFor('kiali'), ports: [{ addon: 'kiali', port: 32_667 }], insecure: true },
      one,
    )
    assert.deepEqual(serversOf(one), [
      `HTTPS 443 grafana.${DOMAIN}`,
      `HTTP 80 grafana.${DOMAIN} redirect`,
      `HTTP 32667 kiali.${DOMAIN}`,
    ])
    assert.deepEqual(codesOf(result), ['INSECURE'])
  })

  it('of several is named', async () => {
    const one = shopMesh()
    const { result } = await expose({ ...requestFor('grafana', 'kiali'), ports: [{ addon: 'kiali', port: 666 }] }, one)
    assert.deepEqual(
      result.exposures.map(({ url }) => url),
      [`https://grafana.${DOMAIN}/`, `https://kiali.${DOMAIN}:666/kiali/`],
    )
  })
})

describe('chooseOwnPorts', () => {
  it('keeps what is left out: the port, and any host', () => {
    const gateway = {
      namespace: 'a',
      service: { spec: {}, metadata: { name: 'a' } },
      services: [],
      selector: {},
      pods: [],
      readyPods: 0,
      serviceAccount: '',
    } as never
    const own = { port: 666, secure: false, anyHost: true }
    const route = { name: 'a.b', host: '*', port: 666, own } as never
    const facts = { names: ['a.b'], exposed: [route], inUse: undefined, gateway, present: [] }
    const intent = { ports: [], anyHost: undefined, insecure: true, layout: undefined, tlsSecret: undefined }
    assert.deepEqual(chooseOwnPorts(intent, facts), { 'a.b': { ...own, target: 10_666 } })
    assert.deepEqual(chooseOwnPorts({ ...intent, ports: [{ port: 80 }] }, facts), {}, '80 is the shared one again')
    assert.deepEqual(chooseOwnPorts(intent, { ...facts, names: [] }), { 'a.b': { ...own, target: 10_666 } })
  })
})
