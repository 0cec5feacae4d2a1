import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { expose } from '../../src/exposing/expose.ts'
import { stillInUse } from '../../src/gateways/exposed-routes.ts'
import type { FakeWorld } from '../fakes/fake-world.ts'
import { grafana, ingressGateway, kiali } from '../fakes/mesh.ts'
import { fullMesh, gatewayHosts, hosts, refusal, request, requestFor, world, written } from './exposing.ts'

const LB = 'a0b1c2.elb.example.net'
const CONTROL = '8-8-8-8.nip.io'
const balanced = (...ingress: object[]): KubeObject[] => [
  ...grafana(),
  ...kiali(),
  ...ingressGateway('istio-system', 'istio-ingressgateway', ingress),
]

/** A gateway on EKS, with only a host name. */
function named(...addresses: string[]): FakeWorld {
  const one = world(balanced({ hostname: LB }))
  one.prober.resolutions[LB] = addresses.length > 0 ? { addresses } : { addresses: [], failure: 'no-such-name' }
  one.prober.addresses = addresses
  return one
}

const codes = (warnings: { code: string }[]) => warnings.map(({ code }) => code)

describe('expose at a load balancer with a host name', () => {
  it('uses the first IPv4 address behind it, and warns that it may change', async () => {
    const one = named('2001:db8::1', '203.0.113.1', '203.0.113.2')
    const { result } = await expose(request, one)
    assert.equal(result.exposures[0]?.url, 'https://grafana.203.0.113.1.nip.io/')
    assert.deepEqual(
      [result.gateway.address, result.gateway.addressKind, result.gateway.via],
      ['203.0.113.1', 'ip', 'load-balancer'],
    )
    assert.equal(one.prober.probed[0]?.address, '203.0.113.1')
    assert.deepEqual(result.warnings, [
      {
        code: 'ADDRESS_MAY_CHANGE',
        severity: 'warns',
        message: `203.0.113.1 is one of the current addresses of ${LB}; a load balancer's addresses change, and then the URLs stop working`,
        remedies: [`--domain example.com   # stays valid, with an alias (CNAME) from *.example.com to ${LB}`],
      },
    ])
  })

  it('uses an IPv6 address when there is no other', async () => {
    const { result } = await expose(request, named('2001:db8::1'))
    assert.equal(result.exposures[0]?.url, 'https://grafana.2001-db8--1.sslip.io/')
  })

  it('keeps the address in use while DNS returns it, in any order', async () => {
    const one = named('203.0.113.1', '203.0.113.2')
    await expose(request, one)
    one.cluster.writes.length = 0
    one.prober.resolutions[LB] = { addresses: ['203.0.113.2', '203.0.113.1'] }
    const { result } = await expose(request, one)
    assert.equal(result.gateway.address, '203.0.113.1')
    assert.deepEqual([written(one), codes(result.warnings)], [[], ['ADDRESS_MAY_CHANGE']])
  })

  it('moves when DNS no longer returns the address in use', async () => {
    const one = named('203.0.113.1')
    await expose(requestFor('kiali'), one)
    one.prober.resolutions[LB] = { addresses: ['203.0.113.9'] }
    one.prober.addresses = ['203.0.113.9']
    const { result } = await expose(request, one)
    assert.deepEqual(gatewayHosts(one.cluster), ['grafana.203.0.113.9.nip.io', 'kiali.203.0.113.9.nip.io'])
    assert.deepEqual(codes(result.warnings), ['ADDRESS_MAY_CHANGE', 'HOST_MOVED'])
  })

  it('keeps the domain in use while the host name does not resolve', async () => {
    const one = named('203.0.113.1')
    await expose(request, one)
    one.prober.resolutions[LB] = { addresses: [], failure: 'no-dns' }
    const { result } = await expose(request, one)
    assert.equal(result.exposures[0]?.host, 'grafana.203.0.113.1.nip.io')
    assert.equal(result.gateway.address, LB)
  })

  it('uses the host name itself with --domain, and looks up only the hosts', async () => {
    const one = named('203.0.113.1')
    const { result } = await expose({ ...request, domain: 'example.com' }, one)
    assert.deepEqual([result.gateway.address, result.gateway.addressKind], [LB, 'hostname'])
    assert.equal(one.prober.probed[0]?.address, LB)
    assert.deepEqual(one.prober.lookups, [['grafana.example.com']])
    assert.deepEqual(result.warnings, [])
  })

  it('reports that its name does not resolve, with what to do', async () => {
    const one = named('203.0.113.1')
    one.prober.answers = [{ ok: false, hop: 'dns', milliseconds: 1, message: `${LB} does not resolve: ENOTFOUND` }]
    const { result } = await expose({ ...request, domain: 'example.com' }, one)
    assert.deepEqual(result.warnings, [
      {
        code: 'PROBE_FAILED',
        severity: 'fails',
        message: `https://grafana.example.com/ does not answer: ${LB} does not resolve: ENOTFOUND`,
        remedies: [
          'check that the load balancer exists and that DNS works here, or name another address with --ingress-ip',
        ],
      },
    ])
  })

  for (const [failure, cause] of [
    ['no-such-name', 'DNS does not know the name yet; for a new load balancer this takes some minutes'],
    ['no-dns', 'no DNS answers'],
  ] as const) {
    it(`requires a domain when the host name does not resolve (${failure})`, async () => {
      const one = named()
      one.prober.resolutions[LB] = { addresses: [], failure }
      const { code, message, suggestions } = await refusal(expose(request, one))
      assert.equal(code, 'DOMAIN_REQUIRED')
      assert.equal(
        message,
        `the gateway has no IP address, only the host name ${LB}, which does not resolve on this machine (${cause}), so there is no default domain`,
      )
      assert.deepEqual(suggestions, [`--domain example.com   # with an alias (CNAME) from *.example.com to ${LB}`])
    })
  }
})

describe('expose at an address', () => {
  it('derives a domain of sslip.io from IPv6', async () => {
    const one = world(balanced({ ip: '2001:db8::9' }))
    one.prober.addresses = ['2001:db8::9']
    const { result } = await expose(request, one)
    assert.equal(result.exposures[0]?.url, 'https://grafana.2001-db8--9.sslip.io/')
    assert.deepEqual(result.warnings, [])
    one.cluster.writes.length = 0
    await expose(request, one)
    assert.deepEqual(written(one), [])
  })

  it('accepts a host that resolves to the other address of a dual stack', async () => {
    const one = world(balanced({ ip: '2001:db8::9' }, { ip: '192.0.2.10' }))
    one.prober.addresses = ['2001:db8::9']
    const { result } = await expose({ ...request, domain: 'example.com' }, one)
    assert.equal(result.gateway.address, '192.0.2.10')
    assert.deepEqual(result.warnings, [])
  })

  const dual = () => balanced({ ip: '192.0.2.10' }, { ip: '2001:db8::9' })

  it('keeps the address in the name of the domain in use, although the gateway has another one now', async () => {
    const one = world(dual())
    await expose({ ...request, domain: '2001-db8--9.sslip.io' }, one)
    one.prober.probed.length = 0
    const { result } = await expose(request, one)
    assert.deepEqual([result.gateway.address, one.prober.probed[0]?.address], ['2001:db8::9', '2001:db8::9'])
    assert.equal(result.exposures[0]?.host, 'grafana.2001-db8--9.sslip.io')
  })

  it('leaves the domain of another address when --ingress-ip names one', async () => {
    const one = world(dual())
    await expose(request, one)
    const { result } = await expose({ ...request, ingressAddress: '2001:db8::9' }, one)
    assert.equal(result.exposures[0]?.host, 'grafana.2001-db8--9.sslip.io')
  })

  it('requires a domain for an address with a zone', async () => {
    const error = await refusal(expose({ ...request, ingressAddress: 'fe80::1%eth0' }, world()))
    assert.equal(error.code, 'DOMAIN_REQUIRED')
    assert.deepEqual(error.suggestions, ['--domain example.com   # with names that resolve to fe80::1%eth0'])
  })
})

describe('the self-test of a default domain', () => {
  it('looks up every host once, with a control, before the first write, and reports nothing when all resolve', async () => {
    const one = fullMesh()
    const before: number[] = []
    const resolve = one.prober.resolve.bind(one.prober)
    one.prober.resolve = (names) => {
      before.push(one.cluster.writes.length)
      return resolve(names)
    }
    const { result } = await expose(requestFor('grafana', 'kiali'), one)
    assert.deepEqual(one.prober.lookups, [[...hosts('grafana', 'kiali'), CONTROL]])
    assert.deepEqual([before, result.warnings], [[0], []])
  })

  it('starts while other reads are in progress', async () => {
    const one = fullMesh()
    const list = one.cluster.list.bind(one.cluster)
    const order: string[] = []
    one.cluster.list = async (resource, scope) => {
      const found = await list(resource, scope)
      await new Promise(setImmediate)
      order.push(resource.plural)
      return found as never
    }
    const resolve = one.prober.resolve.bind(one.prober)
    one.prober.resolve = (names) => {
      order.push('names')
      return resolve(names)
    }
    await expose({ ...request, dryRun: 'server' }, one)
    assert.ok(order.indexOf('names') >= 0 && order.indexOf('names') < order.indexOf('virtualservices'), order.join())
  })

  for (const dryRun of ['none', 'client', 'server'] as const) {
    it(`warns once when the names do not resolve, and continues (--dry-run=${dryRun})`, async () => {
      const one = fullMesh()
      one.prober.addresses = []
      one.prober.resolutions[CONTROL] = { addresses: ['8.8.8.8'] }
      const { result } = await expose({ ...requestFor('grafana', 'kiali'), dryRun }, one)
      const found = result.warnings.filter(({ code }) => code === 'DNS_UNRESOLVED')
      assert.equal(found.length, 1)
      assert.match(found[0]?.message ?? '', /rebinding protection/)
      assert.match(found[0]?.remedies[0] ?? '', /^--domain example\.com/)
      assert.ok(found[0]?.remedies[0]?.endsWith(`: 192.0.2.10 ${hosts('grafana', 'kiali').join(' ')}`))
      assert.equal(one.prober.lookups.length, 1)
    })
  }

  it('checks the shared host in the layout ports', async () => {
    const one = fullMesh()
    await expose({ ...requestFor('grafana', 'kiali'), layout: 'ports' }, one)
    assert.deepEqual(one.prober.lookups, [[...hosts('telemetry'), CONTROL]])
  })

  it('does not happen with --domain, nor for the user’s domain in use', async () => {
    const one = fullMesh()
    one.prober.addresses = []
    const planned = { ...request, dryRun: 'server' } as const
    assert.deepEqual(codes((await expose({ ...planned, domain: 'example.com' }, one)).result.warnings), ['CA_NOT_KEPT'])
    assert.deepEqual(one.prober.lookups, [])
    await expose({ ...request, domain: 'example.com' }, one)
    assert.deepEqual(codes((await expose(planned, one)).result.warnings), [])
  })
})

describe('stillInUse', () => {
  const has = ['192.0.2.10', '2001:db8::9']
  const cases: [string | undefined, boolean][] = [
    ['192.0.2.10.nip.io', true],
    ['192-0-2-10.nip.io', true],
    ['192.0.2.10.sslip.io', true],
    ['192-0-2-10.sslip.io', true],
    ['mesh.192.0.2.10.nip.io', true],
    ['2001-db8--9.sslip.io', true],
    ['2001-0db8-0000-0000-0000-0000-0000-0009.nip.io', true],
    ['192.0.2.99.nip.io', false],
    ['192-0-2-99.nip.io', false],
    ['192.0.2.99.sslip.io', false],
    ['192-0-2-99.sslip.io', false],
    ['2001-db8--8.sslip.io', false],
    ['example.com', true],
    ['192.0.2.99.example.com', true],
    [undefined, false],
  ]
  for (const [domain, stays] of cases) {
    it(`${stays ? 'keeps' : 'gives up'} ${domain}`, () =>
      assert.equal(stillInUse(domain, has), stays ? domain : undefined))
  }
})
