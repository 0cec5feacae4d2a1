import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { describe, it } from 'mocha'
import { ADDONS } from '../../src/addons/catalog.ts'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { interrupted, UserError } from '../../src/errors.ts'
import { type ExposeRequest, expose, succeeded } from '../../src/operations/expose.ts'
import { FakeCluster } from '../fakes/fake-cluster.ts'
import { FakeTerminal } from '../fakes/fake-terminal.ts'
import { type FakeWorld, fakeWorld } from '../fakes/fake-world.ts'
import { grafana, ingressGateway, node, service } from '../fakes/mesh.ts'

const HOST = 'grafana.192.0.2.10.nip.io'
const ANONYMOUS = `Grafana in namespace istio-system lets anyone in as Admin, without a login. Put it on https://${HOST}/ all the same?`
const CONFIRM = `Expose https://${HOST}/?`

const request: ExposeRequest = { addons: ADDONS, allowAnonymous: true, yes: true, dryRun: 'none', timeout: 10_000 }

function world(
  objects: KubeObject[] = [...grafana(), ...ingressGateway()],
  answers?: Record<string, unknown>,
): FakeWorld {
  return fakeWorld(new FakeCluster(objects), new FakeTerminal(answers))
}

function find(cluster: FakeCluster, kind: string): KubeObject {
  const object = cluster.objects.find((one) => one.kind === kind && one.metadata.name.startsWith('kubectl-telemetry'))
  assert.ok(object, `no ${kind} of ours`)
  return object
}

async function refusal(trying: Promise<unknown>): Promise<UserError> {
  return trying.then(
    () => assert.fail('it was not refused'),
    (error: unknown) => (error instanceof UserError ? error : Promise.reject(error)),
  )
}

describe('expose', () => {
  it('creates the Secret, the route and the Gateway, in this order, beside the gateway pod', async () => {
    const { cluster, ...rest } = world([...grafana('monitoring'), ...ingressGateway('edge', 'istio-edge')])
    const { result } = await expose(request, { cluster, ...rest })
    assert.equal(result.outcome, 'applied')
    assert.deepEqual(cluster.writes, [
      { verb: 'apply', object: 'Secret/kubectl-telemetry-tls' },
      { verb: 'apply', object: 'VirtualService/kubectl-telemetry-grafana' },
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
          hosts: [HOST],
          port: { name: 'https-telemetry', number: 443, protocol: 'HTTPS' },
          tls: { mode: 'SIMPLE', credentialName: 'kubectl-telemetry-tls' },
        },
      ],
    })
    assert.deepEqual(find(cluster, 'VirtualService').spec, {
      hosts: [HOST],
      gateways: ['kubectl-telemetry'],
      http: [{ route: [{ destination: { host: 'grafana.monitoring.svc.cluster.local', port: { number: 3000 } } }] }],
    })
  })

  it('serves a certificate for exactly the host, and puts no key of the authority into the cluster', async () => {
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

  it('makes a new leaf when the old one has few days left', async () => {
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

  it('probes at the address, with the host as name, and trusts only our authority', async () => {
    const one = world()
    await expose(request, one)
    const [target] = one.prober.probed
    assert.deepEqual(target, {
      host: HOST,
      path: '/',
      address: '192.0.2.10',
      port: 443,
      authorityCertificate: one.authorities.kept.get('192.0.2.10.nip.io')?.certificate,
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

  it('names the hop that fails when the time is up, and says while waiting what it waits for', async () => {
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

  it('warns when the name does not lead to the address here', async () => {
    const one = world()
    one.prober.addresses = []
    const { result } = await expose(request, one)
    assert.deepEqual(
      result.warnings.map(({ code, remedy }) => ({ code, remedy })),
      [{ code: 'DNS_UNRESOLVED', remedy: `add this line to /etc/hosts: 192.0.2.10 ${HOST}` }],
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
        const { result, manifests } = await expose({ ...request, dryRun, allowAnonymous: false, yes: false }, one)
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
          ['AUTHORITY_NOT_KEPT'],
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

  describe('asks', () => {
    it('nothing of somebody who said it all', async () => {
      const one = world(undefined, {})
      await expose(request, one)
      assert.deepEqual(one.terminal.asked, [])
    })

    it('whether an add-on that lets anyone in may be exposed, then for leave', async () => {
      const one = world(undefined, { [ANONYMOUS]: true, [CONFIRM]: true })
      const { result } = await expose({ ...request, allowAnonymous: false, yes: false }, one)
      assert.equal(result.outcome, 'applied')
      assert.deepEqual(one.terminal.asked, [ANONYMOUS, CONFIRM])
    })

    it('and takes no for an answer', async () => {
      const declined = world(undefined, { [CONFIRM]: false })
      const { result } = await expose({ ...request, yes: false }, declined)
      assert.equal(result.outcome, 'declined')
      assert.equal(succeeded(result), false)
      assert.deepEqual(declined.cluster.writes, [])
      assert.equal(declined.authorities.kept.size, 0)
      const refused = world(undefined, { [ANONYMOUS]: false })
      assert.equal((await refusal(expose({ ...request, allowAnonymous: false }, refused))).code, 'DECLINED')
      assert.deepEqual(refused.cluster.writes, [])
    })

    it('and ends with 130 on Ctrl-C', async () => {
      const one = world(undefined, { [CONFIRM]: interrupted() })
      assert.equal((await refusal(expose({ ...request, yes: false }, one))).exitCode, 130)
      assert.deepEqual(one.cluster.writes, [])
    })

    it('for the gateway, the add-on, the address and the domain when there is a choice or nothing to choose from', async () => {
      const hostname = [{ hostname: 'lb.example.net' }]
      const objects = [
        ...grafana(),
        ...grafana('other'),
        ...ingressGateway(),
        ...ingressGateway('edge', 'istio-edge', hostname),
      ]
      const one = world(objects, {
        'Which Grafana?': 'other/grafana',
        'Which ingress gateway?': 'edge/istio-edge',
        'Domain whose names lead to lb.example.net:': 'Example.COM',
      })
      const { result } = await expose(request, one)
      assert.equal(result.exposures[0]?.url, 'https://grafana.example.com/')
      assert.equal(result.exposures[0]?.namespace, 'other')

      const pending = [...grafana(), ...ingressGateway('istio-system', 'istio-ingressgateway', [])]
      const question =
        "Service istio-system/istio-ingressgateway has no external address, and no node's address and node port lead to it. Address of the ingress gateway:"
      const two = await expose(request, world(pending, { [question]: '192.0.2.99' }))
      assert.equal(two.result.gateway.address, '192.0.2.99')
    })
  })

  describe('without a terminal refuses', () => {
    const cases: {
      title: string
      objects?: KubeObject[]
      request?: Partial<ExposeRequest>
      prepare?: (one: FakeWorld) => void
      code: string
      flag?: string
    }[] = [
      {
        title: 'an add-on that lets anyone in',
        request: { allowAnonymous: false },
        code: 'ANONYMOUS_ACCESS',
        flag: '--allow-anonymous',
      },
      {
        title: 'an add-on whose access cannot be read',
        objects: [...grafana().slice(0, 1), ...ingressGateway()],
        request: { allowAnonymous: false },
        code: 'ANONYMOUS_ACCESS',
        flag: '--allow-anonymous',
      },
      { title: 'without leave', request: { yes: false }, code: 'CONSENT_REQUIRED', flag: '-y' },
      { title: 'when Grafana is absent', objects: ingressGateway(), code: 'ADDON_NOT_FOUND' },
      {
        title: 'when Grafana is in another namespace than the named one',
        request: { namespace: 'default' },
        code: 'ADDON_NOT_FOUND',
        flag: '-n istio-system',
      },
      {
        title: 'two Grafanas',
        objects: [...grafana(), ...grafana('other'), ...ingressGateway()],
        code: 'ADDON_AMBIGUOUS',
        flag: '-n other',
      },
      { title: 'without a gateway', objects: grafana(), code: 'GATEWAY_NOT_FOUND', flag: '--gateway' },
      {
        title: 'two gateways',
        objects: [...grafana(), ...ingressGateway(), ...ingressGateway('edge', 'istio-edge')],
        code: 'GATEWAY_AMBIGUOUS',
        flag: '--gateway edge/istio-edge',
      },
      {
        title: 'a named gateway that is not there',
        request: { gateway: { namespace: 'x', name: 'y' } },
        code: 'GATEWAY_NOT_FOUND',
      },
      {
        title: 'a named Service that is no gateway',
        request: { gateway: { namespace: 'istio-system', name: 'grafana' } },
        code: 'GATEWAY_NOT_FOUND',
      },
      {
        title: 'a gateway that nothing leads to',
        objects: [...grafana(), ...ingressGateway('istio-system', 'istio-ingressgateway', [])],
        code: 'ADDRESS_NOT_FOUND',
        flag: '--ingress-ip',
      },
      {
        title: 'a host name without a domain',
        objects: [
          ...grafana(),
          ...ingressGateway('istio-system', 'istio-ingressgateway', [{ hostname: 'lb.example.net' }]),
        ],
        code: 'DOMAIN_REQUIRED',
        flag: '--domain',
      },
      {
        title: 'a gateway that may not list Secrets',
        prepare: ({ cluster }) => Object.assign(cluster, { secretsReadable: false }),
        code: 'GATEWAY_CANNOT_READ_SECRETS',
      },
      {
        title: 'a cluster without Istio',
        prepare: ({ cluster }) => Object.assign(cluster, { groups: {} }),
        code: 'ISTIO_NOT_FOUND',
      },
      {
        title: "an object of our name that is somebody else's",
        objects: [
          ...grafana(),
          ...ingressGateway(),
          { ...service('istio-system', 'kubectl-telemetry-tls', {}, {}), kind: 'Secret' },
        ],
        code: 'NOT_OURS',
      },
    ]
    for (const { title, objects, request: changes = {}, prepare, code, flag } of cases) {
      it(`${title} (${code}), and changes nothing`, async () => {
        const one = world(objects)
        prepare?.(one)
        const error = await refusal(expose({ ...request, ...changes }, one))
        assert.equal(error.code, code)
        assert.equal(error.exitCode, 1)
        if (flag !== undefined)
          assert.ok(
            error.suggestions.some((text) => text.startsWith(flag)),
            error.suggestions.join('\n'),
          )
        assert.deepEqual(one.cluster.writes, [])
        assert.equal(one.authorities.kept.size, 0)
      })
    }
  })

  describe('when the API server refuses', () => {
    it('finds it in the rehearsal, before the first write', async () => {
      const one = world()
      one.cluster.fail('apply', 'gateways', new UserError('FORBIDDEN', 'cannot patch resource "gateways"'), true)
      assert.equal((await refusal(expose(request, one))).code, 'FORBIDDEN')
      assert.deepEqual(one.cluster.writes, [])
      assert.equal(one.authorities.kept.size, 0)
    })

    it('says what was changed before, if it happens in the middle', async () => {
      const one = world()
      one.cluster.fail('apply', 'gateways', new UserError('SERVER_FAILED', 'etcd is away'), false)
      const { code, message, suggestions } = await refusal(expose(request, one))
      assert.equal(code, 'SERVER_FAILED')
      assert.equal(
        message,
        'etcd is away; changed before that: secret/kubectl-telemetry-tls, virtualservice.networking.istio.io/kubectl-telemetry-grafana',
      )
      assert.ok(suggestions.includes('kubectl telemetry cleanup   # to undo it'))
    })
  })

  it('takes no setting at all for a login, as Grafana does', async () => {
    const environment = {}
    const one = world([...grafana('istio-system', environment), ...ingressGateway()])
    const { result } = await expose({ ...request, allowAnonymous: false }, one)
    assert.equal(result.access.kind, 'login')
  })

  it('uses v1beta1 on an Istio that does not serve v1', async () => {
    const one = world()
    one.cluster.groups = { 'networking.istio.io': ['v1beta1', 'v1alpha3'] }
    await expose(request, one)
    assert.equal(find(one.cluster, 'Gateway').apiVersion, 'networking.istio.io/v1beta1')
  })
})
