/** A public and an internal Service before the same gateway pods: kubernetes/ingress-nginx#7079, istio/istio#19263. */
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { cleanup } from '../../src/cleaning/cleanup.ts'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import type { Service } from '../../src/cluster/objects.ts'
import { expose } from '../../src/exposing/expose.ts'
import { succeeded } from '../../src/exposing/result.ts'
import { reachWords } from '../../src/gateways/balancer.ts'
import { status } from '../../src/status/status.ts'
import type { FakeWorld } from '../fakes/fake-world.ts'
import { grafana, ingressGateway, kiali } from '../fakes/mesh.ts'
import { ACCESS_CHOICES, find, refusal, request, requestFor, world } from './exposing.ts'

const PUBLIC = '203.0.113.1'
const INTERNAL = '10.1.2.3'

/** A second Service before the pods of istio-ingressgateway. */
function second(
  name: string,
  {
    spec = {},
    ingress = [],
    annotations = {},
  }: { spec?: object; ingress?: object[]; annotations?: Record<string, string> },
): KubeObject {
  const [service] = ingressGateway()
  assert.ok(service)
  return {
    ...service,
    metadata: { name, namespace: 'istio-system', annotations },
    spec: { ...(service.spec as object), ...spec },
    status: { loadBalancer: { ingress } },
  }
}

const internal = () => second('internal', { ingress: [{ ip: INTERNAL }] })
const MESH = [...grafana(), ...kiali(), ...ingressGateway('istio-system', 'istio-ingressgateway', [{ ip: PUBLIC }])]
const named = (name: string) => ({ ...request, gateway: { namespace: 'istio-system', name } })

function also(warnings: { code: string; severity: string; message: string }[]): [severity: string, message: string][] {
  return warnings.filter(({ code }) => code === 'GATEWAY_ALSO_AT').map(({ severity, message }) => [severity, message])
}

describe('several Services before the same gateway pods', () => {
  it('are one gateway with several addresses: none is guessed, and each is explained', async () => {
    const { code, message, suggestions } = await refusal(expose(request, world([...MESH, internal()])))
    assert.equal(code, 'GATEWAY_AMBIGUOUS')
    assert.equal(
      message,
      '2 Services lead to the same gateway pods: istio-system/istio-ingressgateway (public, 203.0.113.1), istio-system/internal (internal, 10.1.2.3). They are one gateway with several addresses: pages answer at all of them, and the URLs have that of the chosen one',
    )
    assert.deepEqual(suggestions, [
      '--gateway istio-system/istio-ingressgateway   # public, 203.0.113.1',
      '--gateway istio-system/internal   # internal, 10.1.2.3',
    ])
  })

  it('the internal one was chosen: that the public one answers, too, is said before the first question', async () => {
    const url = `https://grafana.${INTERNAL}.nip.io/`
    const one = world([...MESH, internal()], {
      [`Who may enter ${url}?`]: ACCESS_CHOICES.anyone,
      [`Expose ${url}?`]: true,
    })
    const noted: number[] = []
    const select = one.terminal.select.bind(one.terminal)
    one.terminal.select = async (...words) => {
      noted.push(one.terminal.notes.filter((note) => note.includes('so pages answer at that address, too')).length)
      return select(...words)
    }
    const { result } = await expose({ ...named('internal'), terms: { allowAnonymous: false }, yes: false }, one)
    assert.deepEqual(noted, [1])
    assert.deepEqual(also(result.warnings), [
      [
        'warns',
        'Service istio-system/istio-ingressgateway (public, 203.0.113.1) leads to the same gateway pods as Service istio-system/internal (internal, 10.1.2.3), so pages answer at that address, too, for requests with their host name',
      ],
    ])
    assert.ok(succeeded(result))
  })

  it('the public one was chosen: the internal one is a note', async () => {
    const { result } = await expose(named('istio-ingressgateway'), world([...MESH, internal()]))
    assert.deepEqual(
      also(result.warnings).map(([severity]) => severity),
      ['notes'],
    )
  })

  for (const [what, other, expected] of [
    [
      'by its annotation',
      second('other', {
        ingress: [{ hostname: 'lb.example.net' }],
        annotations: { 'service.beta.kubernetes.io/aws-load-balancer-scheme': 'internal' },
      }),
      ['notes'],
    ],
    ['by node ports', second('other', { spec: { type: 'NodePort' } }), ['notes']],
    ['by another port of it', second('other', { spec: { ports: [{ port: 9443, targetPort: 8443 }] } }), ['notes']],
    ['only inside the cluster', second('other', { spec: { type: 'ClusterIP' } }), []],
    ['but to another port of the pods', second('other', { spec: { ports: [{ port: 15021, targetPort: 15021 }] } }), []],
    ['but to other pods', second('other', { spec: { selector: { app: 'other' } } }), []],
  ] as [string, KubeObject, string[]][])
    it(`another Service is reached ${what}`, async () => {
      const { result } = await expose(named('istio-ingressgateway'), world([...MESH, other]))
      assert.deepEqual(
        also(result.warnings).map(([severity]) => severity),
        expected,
      )
    })

  const service = (one: FakeWorld) => find(one.cluster, 'Gateway').metadata.annotations?.['kubectl-telemetry/service']

  for (const name of ['internal', 'istio-ingressgateway'])
    it(`status shows the chosen one: ${name}, also after cleanup of one add-on`, async () => {
      const one = world([...MESH, internal()])
      await expose({ ...named(name), ...requestFor('grafana', 'kiali'), gateway: named(name).gateway }, one)
      assert.equal(service(one), name)
      await cleanup(
        { addons: { names: ['kiali'], named: true }, yes: true, dryRun: 'none' } as Parameters<typeof cleanup>[0],
        one,
      )
      const { gateway } = await status({ expiresIn: 0 }, one)
      assert.deepEqual([gateway?.service, gateway?.address], [name, name === 'internal' ? INTERNAL : PUBLIC])
    })

  it('a recorded Service that does not lead to the pods is not believed', async () => {
    const one = world([...MESH, internal(), second('far', { spec: { selector: { app: 'other' } } })])
    await expose(named('internal'), one)
    Object.assign(find(one.cluster, 'Gateway').metadata, { annotations: { 'kubectl-telemetry/service': 'far' } })
    assert.equal((await status({ expiresIn: 0 }, one)).gateway?.service, 'istio-ingressgateway')
  })

  it('nothing is recorded where there is no choice', async () => {
    const one = world(MESH)
    await expose(request, one)
    assert.equal(service(one), undefined)
  })
})

describe('who reaches a Service', () => {
  const of = (annotations: Record<string, string>, ...ingress: object[]): Service =>
    second('x', { annotations, ingress }) as Service
  const cases: [string, Service, string][] = [
    ['a public address', of({}, { ip: PUBLIC }), 'public'],
    ['a private address', of({}, { ip: '192.168.7.1' }), 'internal'],
    ['a private IPv6 address', of({}, { ip: 'fd00::7' }), 'internal'],
    ['one of both', of({}, { ip: '10.0.0.1' }, { ip: PUBLIC }), 'public'],
    ['a name', of({}, { hostname: 'lb.example.net' }), 'public'],
    ['AWS, old', of({ 'service.beta.kubernetes.io/aws-load-balancer-internal': '0.0.0.0/0' }), 'internal'],
    ['AWS, not internal', of({ 'service.beta.kubernetes.io/aws-load-balancer-internal': 'false' }), 'public'],
    ['Azure', of({ 'service.beta.kubernetes.io/azure-load-balancer-internal': 'true' }), 'internal'],
    ['Google', of({ 'networking.gke.io/load-balancer-type': 'Internal' }), 'internal'],
    ['Oracle', of({ 'service.beta.kubernetes.io/oci-load-balancer-internal': 'true' }), 'internal'],
    ['Alibaba', of({ 'service.beta.kubernetes.io/alibaba-cloud-loadbalancer-address-type': 'intranet' }), 'internal'],
    ['IBM', of({ 'service.kubernetes.io/ibm-load-balancer-cloud-provider-ip-type': 'private' }), 'internal'],
    [
      'AWS, for the Internet',
      of({ 'service.beta.kubernetes.io/aws-load-balancer-scheme': 'internet-facing' }),
      'public',
    ],
  ]
  for (const [what, service, expected] of cases)
    it(what, () => assert.equal(reachWords(service).split(',')[0], expected))
})
