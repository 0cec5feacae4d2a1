import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { interrupted, UserError } from '../../src/errors.ts'
import { expose } from '../../src/exposing/expose.ts'
import { refusal, requestFor } from '../exposing/exposing.ts'
import { InTurn } from '../fakes/fake-terminal.ts'
import { grafana, ingressGateway, kiali, node } from '../fakes/mesh.ts'
import {
  ADDONS,
  ADDRESS,
  ANYONE,
  BY_NETWORK,
  conversation,
  DOMAIN,
  ENTER,
  EXPOSE,
  GATEWAY,
  MESH,
  NAMESPACE,
  NETWORKS,
  PASSWORD,
  PORT_FORWARD,
  WAY,
  WHO,
} from './wizarding.ts'

const LOGIN = { GF_AUTH_ANONYMOUS_ENABLED: 'false' }
const EXPOSING = { [ADDONS]: ['grafana'], [WAY]: EXPOSE, [ADDRESS]: ENTER, [DOMAIN]: ENTER }
const OPEN = WHO('grafana')

describe('the wizard', () => {
  const paths: [string, Record<string, unknown>, string][] = [
    ['a password', { ...EXPOSING, [OPEN]: PASSWORD }, 'expose grafana --auth basic'],
    ['anyone', { ...EXPOSING, [OPEN]: ANYONE }, 'expose grafana --allow-anonymous'],
    [
      'networks',
      { ...EXPOSING, [OPEN]: BY_NETWORK, [NETWORKS]: '203.0.113.0/24, 2001:DB8::/32  203.0.113.0/24' },
      'expose grafana --allow-cidr 2001:db8::/32 --allow-cidr 203.0.113.0/24',
    ],
    [
      'another domain and address',
      { ...EXPOSING, [ADDRESS]: '198.51.100.7', [DOMAIN]: 'Example.com', [OPEN]: PASSWORD },
      'expose grafana --ingress-ip 198.51.100.7 --domain example.com --auth basic',
    ],
    [
      'the found domain and address, typed',
      { ...EXPOSING, [ADDRESS]: '192.0.2.10', [DOMAIN]: '192.0.2.10.nip.io', [OPEN]: PASSWORD },
      'expose grafana --auth basic',
    ],
    [
      'several add-ons',
      {
        ...EXPOSING,
        [ADDONS]: ['kiali', 'prometheus', 'tracing (Jaeger)'],
        [WHO('kiali', 'prometheus', 'tracing')]: PASSWORD,
      },
      'expose kiali prometheus tracing --auth basic',
    ],
    ['port-forward', { [ADDONS]: ['grafana', 'kiali'], [WAY]: PORT_FORWARD }, 'port-forward grafana kiali'],
  ]
  for (const [title, answers, command] of paths) {
    it(`makes a command from its answers: ${title}`, async () => {
      const { commands, complaints, terminal, cluster } = await conversation(answers).hold()
      assert.deepEqual(commands, [command])
      assert.deepEqual(terminal.asked, Object.keys(answers), 'every question once, in this order')
      assert.deepEqual([complaints, cluster.writes], [[], []])
    })
  }

  it('offers the found values', async () => {
    const { terminal, survey } = await conversation({ ...EXPOSING, [OPEN]: PASSWORD }).hold()
    const { [ADDONS]: addons, [ADDRESS]: address, [DOMAIN]: domain } = terminal.offered
    assert.deepEqual(addons, [['grafana', 'kiali', 'prometheus', 'tracing (Jaeger)']])
    assert.deepEqual([address, domain], [['192.0.2.10'], ['192.0.2.10.nip.io']])
    assert.deepEqual(
      survey?.gateways.map(({ address }) => address?.address),
      ['192.0.2.10'],
    )
  })

  it('offers the domain of a typed address', async () => {
    const { terminal, commands } = await conversation({
      ...EXPOSING,
      [ADDRESS]: '198.51.100.7',
      [OPEN]: PASSWORD,
    }).hold()
    assert.deepEqual(terminal.offered[DOMAIN], ['198.51.100.7.nip.io'])
    assert.deepEqual(commands, ['expose grafana --ingress-ip 198.51.100.7 --auth basic'])
  })

  it('does not ask who may enter when every add-on requires a login', async () => {
    const { commands } = await conversation(EXPOSING, [...grafana('istio-system', LOGIN), ...ingressGateway()]).hold()
    assert.deepEqual(commands, ['expose grafana'])
  })

  it('does not ask who may enter when there is a password or consent already', async () => {
    for (const said of [{ guard: { login: { kind: 'basic', users: undefined } as const } }, {}]) {
      const one = conversation(EXPOSING)
      const terms = { allowAnonymous: said.guard === undefined }
      await expose({ ...requestFor('grafana'), ...said, terms }, one)
      assert.deepEqual((await one.hold()).commands, ['expose grafana'])
    }
  })

  it('searches the named namespace', async () => {
    const objects = [...MESH, ...grafana('observability', LOGIN)]
    const { commands, survey } = await conversation(EXPOSING, objects).hold('observability')
    assert.deepEqual(
      survey?.addons.map(({ found }) => found.namespace),
      ['observability'],
    )
    assert.deepEqual(commands, ['expose grafana'], 'the flag is the wizard’s own, and is repeated by its command')
  })

  it('asks for the namespace when an add-on is in several, and adds it to the command', async () => {
    const objects = [...MESH, ...grafana('observability', LOGIN)]
    const { commands } = await conversation({ ...EXPOSING, [NAMESPACE]: 'observability' }, objects).hold()
    assert.deepEqual(commands, ['expose grafana -n observability'])
    const both = { [ADDONS]: ['grafana'], [NAMESPACE]: 'istio-system', [WAY]: PORT_FORWARD }
    assert.deepEqual((await conversation(both, objects).hold()).commands, ['port-forward grafana -n istio-system'])
    const forward = { [ADDONS]: ['kiali'], [WAY]: PORT_FORWARD }
    assert.deepEqual((await conversation(forward, objects).hold()).commands, ['port-forward kiali'])
  })

  it('goes back when no namespace has all chosen add-ons', async () => {
    const objects = [...grafana('a'), ...grafana('b'), ...kiali('c'), ...ingressGateway()]
    const answers = { [ADDONS]: new InTurn(['grafana', 'kiali'], ['kiali']), [WAY]: PORT_FORWARD }
    const { commands, complaints } = await conversation(answers, objects).hold()
    assert.deepEqual([complaints, commands], [['ADDONS_APART'], ['port-forward kiali']])
  })

  it('asks which gateway, and adds it to the command', async () => {
    const objects = [...MESH, ...ingressGateway('edge', 'istio-edge', [{ ip: '198.51.100.9' }])]
    const answers = { ...EXPOSING, [GATEWAY]: 'edge/istio-edge', [OPEN]: PASSWORD }
    const { commands, terminal } = await conversation(answers, objects).hold()
    assert.deepEqual(commands, ['expose grafana --gateway edge/istio-edge --auth basic'])
    assert.deepEqual(terminal.offered[ADDRESS], ['198.51.100.9'])
  })

  it('has no default domain when the gateway has no address, or none that makes a domain', async () => {
    const objects = [...grafana('istio-system', LOGIN), ...ingressGateway('istio-system', 'istio-ingressgateway', [])]
    const answers = { ...EXPOSING, [ADDRESS]: 'fe80::1%eth0', [DOMAIN]: 'example.com' }
    const { commands, terminal, complaints } = await conversation(answers, objects).hold()
    assert.deepEqual(commands, ['expose grafana --ingress-ip fe80::1%eth0 --domain example.com'])
    assert.deepEqual([terminal.offered[ADDRESS], terminal.offered[DOMAIN]], [[undefined], [undefined]])
    assert.deepEqual(complaints, ['DOMAIN_REQUIRED'])
  })

  it('offers a node’s address', async () => {
    const objects = [
      ...grafana('istio-system', LOGIN),
      ...ingressGateway('istio-system', 'istio-ingressgateway', []),
      node('node-1', [{ type: 'InternalIP', address: '10.0.0.5' }]),
    ]
    const { terminal, commands } = await conversation(EXPOSING, objects).hold()
    assert.deepEqual([terminal.offered[ADDRESS], commands], [['10.0.0.5'], ['expose grafana']])
  })

  it('asks for another domain when the host is taken', async () => {
    const taken = {
      apiVersion: 'networking.istio.io/v1',
      kind: 'Gateway',
      metadata: { name: 'theirs', namespace: 'istio-system' },
      spec: {
        selector: { istio: 'ingressgateway' },
        servers: [{ port: { number: 443, name: 'https', protocol: 'HTTPS' }, hosts: ['grafana.example.com'] }],
      },
    }
    const answers = { ...EXPOSING, [DOMAIN]: new InTurn('example.com', 'example.org'), [OPEN]: PASSWORD }
    const { commands, complaints } = await conversation(answers, [...MESH, taken]).hold()
    assert.deepEqual(complaints, ['HOST_TAKEN'])
    assert.deepEqual(commands, ['expose grafana --domain example.org --auth basic'])
  })

  it('offers only port-forward when nothing can be exposed, and reports why', async () => {
    const { commands, survey } = await conversation({ [ADDONS]: ['grafana'] }, grafana()).hold()
    assert.equal(survey?.obstacle?.code, 'GATEWAY_NOT_FOUND')
    assert.deepEqual(commands, ['port-forward grafana'])
  })

  it('leaves out an add-on that exists twice in a namespace, and reports what to do', async () => {
    const [service, pod] = grafana()
    assert.ok(service && pod)
    const second = {
      ...service,
      metadata: { ...service.metadata, name: 'grafana-2' },
      spec: { ...(service.spec as object), selector: { app: 'other' } },
    }
    const { terminal, survey } = await conversation({ [ADDONS]: ['kiali'], [WAY]: PORT_FORWARD }, [
      ...MESH,
      second,
    ]).hold()
    assert.deepEqual(terminal.offered[ADDONS], [['kiali', 'prometheus', 'tracing (Jaeger)']])
    assert.deepEqual(
      survey?.warnings.map(({ code, remedies }) => [code, remedies[0]?.includes(' annotate service NAME ')]),
      [['ADDON_AMBIGUOUS', true]],
    )
    const alone = await refusal(conversation({}, [service, pod, second]).hold())
    assert.equal(alone.code, 'ADDON_AMBIGUOUS')
  })

  it('fails without a terminal, and without add-ons', async () => {
    assert.equal((await refusal(conversation().hold())).code, 'TERMINAL_REQUIRED')
    assert.equal((await refusal(conversation({}, ingressGateway()).hold())).code, 'ADDON_NOT_FOUND')
    assert.equal((await refusal(conversation({}).hold('nowhere'))).code, 'ADDON_NOT_FOUND')
  })

  const questions = { ...EXPOSING, [OPEN]: BY_NETWORK, [NETWORKS]: '203.0.113.0/24' }
  for (const question of Object.keys(questions)) {
    it(`ends on Ctrl-C without running a command: ${question}`, async () => {
      const one = conversation({ ...questions, [question]: interrupted() })
      const { code, exitCode } = await refusal(one.hold())
      assert.deepEqual([code, exitCode, one.commands, one.cluster.writes], ['INTERRUPTED', 130, [], []])
    })
  }

  it('ends with an error that no other answer can fix', async () => {
    const one = conversation(EXPOSING)
    one.cluster.fail('list', 'virtualservices', new UserError('FORBIDDEN', 'you may not'))
    assert.equal((await refusal(one.hold())).code, 'FORBIDDEN')
    assert.deepEqual(one.complaints, [])
  })
})
