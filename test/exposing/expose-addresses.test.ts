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

/** A gateway as EKS makes it: a host name alone. */
function named(...addresses: string[]): FakeWorld {
  const one = world(balanced({ hostname: LB }))
  one.prober.resolutions[LB] = addresses.length > 0 ? { addresses } : { addresses: [], failure: 'no-such-name' }
  one.prober.addresses = addresses
  return one
}

const codes = (warnings: { code: string }[]) => warnings.map(({ code }) => code)

describe('expose at a load balancer with a host name', () => {
  it('takes the first IPv4 address behind it, and warns that this does not last', async () => {
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
        message: `203.0.113.1 is an address of ${LB} at the moment; a load balancer's addresses change, and the URLs then lead nowhere`,
        remedy: `--domain example.com   # lasting, with an alias (CNAME) from *.example.com to ${LB}`,
      },
    ])
  })

  it('takes an IPv6 address when there is no other', async () => {
    const { result } = await expose(request, named('2001:db8::1'))
    assert.equal(result.exposures[0]?.url, 'https://grafana.2001-db8--1.sslip.io/')
  })

  it('stays at the address in use as long as that is one of them, in whatever order they come', async () => {
    const one = named('203.0.113.1', '203.0.113.2')
    await expose(request, one)
    one.cluster.writes.length = 0
    one.prober.resolutions[LB] = { addresses: ['203.0.113.2', '203.0.113.1'] }
    const { result } = await expose(request, one)
    assert.equal(result.gateway.address, '203.0.113.1')
    assert.deepEqual([written(one), codes(result.warnings)], [[], ['ADDRESS_MAY_CHANGE']])
  })

  it('moves when the address in use is no longer one of them', async () => {
    const one = named('203.0.113.1')
    await expose(requestFor('kiali'), one)
    one.prober.resolutions[LB] = { addresses: ['203.0.113.9'] }
    one.prober.addresses = ['203.0.113.9']
    const { result } = await expose(request, one)
    assert.deepEqual(gatewayHosts(one.cluster), ['grafana.203.0.113.9.nip.io', 'kiali.203.0.113.9.nip.io'])
    assert.deepEqual(codes(result.warnings), ['ADDRESS_MAY_CHANGE', 'HOST_MOVED'])
  })

  it('stays in the domain in use while the host name does not resolve, which says nothing', async () => {
    const one = named('203.0.113.1')
    await expose(request, one)
    one.prober.resolutions[LB] = { addresses: [], failure: 'no-dns' }
    const { result } = await expose(request, one)
    assert.equal(result.exposures[0]?.host, 'grafana.203.0.113.1.nip.io')
    assert.equal(result.gateway.address, LB)
  })

  it('goes to the host name itself for a domain that was named, and asks DNS for nothing but the hosts', async () => {
    const one = named('203.0.113.1')
    const { result } = await expose({ ...request, domain: 'example.com' }, one)
    assert.deepEqual([result.gateway.address, result.gateway.addressKind], [LB, 'hostname'])
    assert.equal(one.prober.probed[0]?.address, LB)
    assert.deepEqual(one.prober.looked, [['grafana.example.com']])
    assert.deepEqual(result.warnings, [])
  })

  it('says that its name does not resolve when that is what fails, and what may be done', async () => {
    const one = named('203.0.113.1')
    one.prober.answers = [{ ok: false, hop: 'dns', milliseconds: 1, message: `${LB} does not resolve: ENOTFOUND` }]
    const { result } = await expose({ ...request, domain: 'example.com' }, one)
    assert.deepEqual(result.warnings, [
      {
        code: 'PROBE_FAILED',
        message: `https://grafana.example.com/ does not answer: ${LB} does not resolve: ENOTFOUND`,
        remedy: 'has the load balancer been made yet, and is there DNS here? --ingress-ip names another address',
      },
    ])
  })

  for (const [failure, cause] of [
    ['no-such-name', 'its DNS has no such name, as is so for minutes after it was made'],
    ['no-dns', 'no DNS answers'],
  ] as const) {
    it(`wants a domain when the host name does not resolve (${failure})`, async () => {
      const one = named()
      one.prober.resolutions[LB] = { addresses: [], failure }
      const { code, message, suggestions } = await refusal(expose(request, one))
      assert.equal(code, 'DOMAIN_REQUIRED')
      assert.equal(
        message,
        `the gateway has no IP address but the host name ${LB}, which does not resolve on this machine (${cause}), so there is no default domain`,
      )
      assert.deepEqual(suggestions, [`--domain example.com   # with an alias (CNAME) from *.example.com to ${LB}`])
    })
  }
})

describe('expose at an address', () => {
  it('of IPv6 makes a domain of sslip.io', async () => {
    const one = world(balanced({ ip: '2001:db8::9' }))
    one.prober.addresses = ['2001:db8::9']
    const { result } = await expose(request, one)
    assert.equal(result.exposures[0]?.url, 'https://grafana.2001-db8--9.sslip.io/')
    assert.deepEqual(result.warnings, [])
    one.cluster.writes.length = 0
    await expose(request, one)
    assert.deepEqual(written(one), [])
  })

  it('of a dual stack is content with a host that resolves to the other one', async () => {
    const one = world(balanced({ ip: '2001:db8::9' }, { ip: '192.0.2.10' }))
    one.prober.addresses = ['2001:db8::9']
    const { result } = await expose({ ...request, domain: 'example.com' }, one)
    assert.equal(result.gateway.address, '192.0.2.10')
    assert.deepEqual(result.warnings, [])
  })

  const dual = () => balanced({ ip: '192.0.2.10' }, { ip: '2001:db8::9' })

  it('that a domain in use has in its name goes to that, though the gateway has another meanwhile', async () => {
    const one = world(dual())
    await expose({ ...request, domain: '2001-db8--9.sslip.io' }, one)
    one.prober.probed.length = 0
    const { result } = await expose(request, one)
    assert.deepEqual([result.gateway.address, one.prober.probed[0]?.address], ['2001:db8::9', '2001:db8::9'])
    assert.equal(result.exposures[0]?.host, 'grafana.2001-db8--9.sslip.io')
  })

  it('that was named leaves the domain of another one', async () => {
    const one = world(dual())
    await expose(request, one)
    const { result } = await expose({ ...request, ingressAddress: '2001:db8::9' }, one)
    assert.equal(result.exposures[0]?.host, 'grafana.2001-db8--9.sslip.io')
  })

  it('with a zone wants a domain', async () => {
    const error = await refusal(expose({ ...request, ingressAddress: 'fe80::1%eth0' }, world()))
    assert.equal(error.code, 'DOMAIN_REQUIRED')
    assert.deepEqual(error.suggestions, ['--domain example.com   # with names that lead to fe80::1%eth0'])
  })
})

describe('the self-test of a default domain', () => {
  it('looks every host up once, with a control, before anything is written, and is silent when all is well', async () => {
    const one = fullMesh()
    const before: number[] = []
    const resolve = one.prober.resolve.bind(one.prober)
    one.prober.resolve = (names) => {
      before.push(one.cluster.writes.length)
      return resolve(names)
    }
    const { result } = await expose(requestFor('grafana', 'kiali'), one)
    assert.deepEqual(one.prober.looked, [[...hosts('grafana', 'kiali'), CONTROL]])
    assert.deepEqual([before, result.warnings], [[0], []])
  })

  it('begins before the reads that it runs beside are done', async () => {
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
    it(`warns once when the names do not resolve, and goes on (--dry-run=${dryRun})`, async () => {
      const one = fullMesh()
      one.prober.addresses = []
      one.prober.resolutions[CONTROL] = { addresses: ['8.8.8.8'] }
      const { result } = await expose({ ...requestFor('grafana', 'kiali'), dryRun }, one)
      const found = result.warnings.filter(({ code }) => code === 'DNS_UNRESOLVED')
      assert.equal(found.length, 1)
      assert.match(found[0]?.message ?? '', /rebinding protection/)
      assert.match(found[0]?.remedy ?? '', /^--domain example\.com/)
      assert.ok(found[0]?.remedy.endsWith(`: 192.0.2.10 ${hosts('grafana', 'kiali').join(' ')}`))
      assert.equal(one.prober.looked.length, 1)
    })
  }

  it('is of the shared host in the layout with ports', async () => {
    const one = fullMesh()
    await expose({ ...requestFor('grafana', 'kiali'), layout: 'ports' }, one)
    assert.deepEqual(one.prober.looked, [[...hosts('telemetry'), CONTROL]])
  })

  it('is not made of a domain that was named, nor of one of its own that is in use', async () => {
    const one = fullMesh()
    one.prober.addresses = []
    const planned = { ...request, dryRun: 'server' } as const
    assert.deepEqual(codes((await expose({ ...planned, domain: 'example.com' }, one)).result.warnings), [
      'AUTHORITY_NOT_KEPT',
    ])
    assert.deepEqual(one.prober.looked, [])
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
