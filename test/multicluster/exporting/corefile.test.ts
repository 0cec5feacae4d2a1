import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { freeAddress, isAmong, whyUnusable } from '../../../src/multicluster/exporting/addresses.ts'
import {
  isReloaded,
  namesIn,
  withNames,
  withoutNames,
  zoneFor,
  zonesIn,
} from '../../../src/multicluster/exporting/dns/corefile.ts'
import { partsOfSni, serviceOf, sniOf, subsetName } from '../../../src/multicluster/exporting/names.ts'
import { servedPorts } from '../../../src/multicluster/exporting/ports.ts'
import { COREFILE } from './export-world.ts'

describe('the Corefile', () => {
  const NAMES = { 'httpbin.bar.global': '240.0.0.2', 'web.shop.example': 'fd00::2' }

  for (const text of [COREFILE, '', '.:53 {\n}', '# only a comment\n', `${COREFILE}\n\n`])
    it(`is the same after names came and went: ${JSON.stringify(text.slice(0, 20))}`, () => {
      const added = withNames(text, NAMES)
      assert.deepEqual(namesIn(added), NAMES)
      assert.equal(withNames(added, NAMES), added)
      const rest = withoutNames(added)
      // A text that ended without a line end has one then; the record has the former text.
      assert.equal(rest, text === '' || text.endsWith('\n') ? text : `${text}\n`)
    })

  it('keeps what somebody has written after our block', () => {
    const text = `${withNames(COREFILE, NAMES)}shop:53 {\n    errors\n}\n`
    assert.equal(withoutNames(text), `${COREFILE}shop:53 {\n    errors\n}\n`)
    assert.deepEqual(namesIn(text), NAMES)
  })

  const ZONES: [string, string[] | undefined][] = [
    [COREFILE, ['.']],
    ['global:53 {\n forward . 10.0.0.1\n}\n', ['global']],
    ['dns://Global.:1053 shop.example {\n}\n', ['global', 'shop.example']],
    ['a.b,\nc.d {\n}\n', ['a.b', 'c.d']],
    ['(snippet) {\n errors\n}\nimport x\n.:53 {\n import snippet\n}\n', ['.']],
    ['# global:53 {\n.:53 { # }\n}\n', undefined],
    ['.:53 {\n', undefined],
    ['}\n', undefined],
    ['"quoted.zone" {\n}\n', ['quoted.zone']],
    [':53 {\n}\n', ['.']],
  ]
  for (const [text, zones] of ZONES)
    it(`has zones: ${JSON.stringify(text.slice(0, 40))}`, () => {
      // A comment after an opening brace is none of the words of a line.
      const expected = text.includes('# }') ? ['.'] : zones
      assert.deepEqual(zonesIn(text), expected)
    })

  it('does not count our own zones', () => assert.deepEqual(zonesIn(withNames(COREFILE, NAMES)), ['.']))

  it('knows the zone that answers for a host', () => {
    assert.equal(zoneFor('httpbin.bar.global', ['.', 'global']), 'global')
    assert.equal(zoneFor('httpbin.bar.global', ['.', 'bar.global']), 'bar.global')
    assert.equal(zoneFor('httpbin.bar.global', ['.', 'httpbin.bar.global']), 'httpbin.bar.global')
    assert.equal(zoneFor('httpbin.bar.global', ['.', 'ar.global', 'cluster.local']), undefined)
  })

  it('is reloaded by a plugin', () => {
    assert.equal(isReloaded(COREFILE), true)
    assert.equal(isReloaded('.:53 {\n # reload\n}\n'), false)
  })
})

describe('addresses of exported hosts', () => {
  it('are the lowest free ones', () => {
    assert.equal(freeAddress([]), '240.0.0.2')
    assert.equal(freeAddress(['240.0.0.2', 'no address', '240.0.0.3/33', '240.0.0.4/30']), '240.0.0.3')
    assert.equal(freeAddress(['240.0.0.0/17']), '240.0.128.0')
    assert.equal(freeAddress(['0.0.0.0/0']), undefined)
  })

  for (const [address, why] of [
    ['240.0.0.9', undefined],
    ['fd00::9', undefined],
    ['224.0.0.1', /multicast/],
    ['127.0.0.1', /loopback/],
    ['::1', /loopback/],
    ['240.240.1.1', /Istio/],
    ['0.0.0.0', /no host/],
    ['httpbin', /no IP/],
    ['240.0.0.9/32', /no IP/],
  ] as const)
    it(`${address}: ${why ?? 'fits'}`, () => {
      if (why === undefined) assert.equal(whyUnusable(address), undefined)
      else assert.match(whyUnusable(address) ?? '', why)
    })

  it('are compared with ranges of both families', () => {
    assert.equal(isAmong('fd00::9', ['10.0.0.0/8', 'fd00::/64']), true)
    assert.equal(isAmong('10.1.1.1', ['fd00::/64', '']), false)
  })
})

describe('server names', () => {
  it('are those of Istio', () => {
    const host = 'httpbin.bar.svc.cluster.local'
    assert.equal(sniOf(8000, host), 'outbound_.8000_._.httpbin.bar.svc.cluster.local')
    assert.equal(sniOf(8000, host, 'v2'), 'outbound_.8000_.v2_.httpbin.bar.svc.cluster.local')
    assert.deepEqual(partsOfSni(sniOf(8000, host, 'v2')), { port: 8000, subset: 'v2', host })
    assert.deepEqual(partsOfSni(sniOf(8000, host)), { port: 8000, subset: '', host })
    assert.equal(partsOfSni('httpbin.bar.global'), undefined)
    assert.deepEqual(serviceOf(host), { name: 'httpbin', namespace: 'bar' })
    assert.equal(serviceOf('*.bar.svc.cluster.local'), undefined)
    assert.equal(serviceOf('httpbin.bar.global'), undefined)
  })

  it('have subsets of values that are no names', () => {
    assert.equal(subsetName('v1.2_RC'), 'v1-2-rc')
    assert.equal(subsetName('...'), undefined)
  })
})

describe('ports', () => {
  for (const [port, protocol] of [
    [{ port: 80, name: 'http' }, 'HTTP'],
    [{ port: 80, name: 'http-web' }, 'HTTP'],
    [{ port: 80, name: 'grpc-web-x' }, 'GRPC-WEB'],
    [{ port: 80, name: 'grpc-x' }, 'GRPC'],
    [{ port: 80, name: 'web', appProtocol: 'kubernetes.io/h2c' }, 'HTTP2'],
    [{ port: 80, name: 'http', appProtocol: 'tcp' }, 'TCP'],
    [{ port: 80, name: 'web' }, undefined],
    [{ port: 80 }, undefined],
    [{ port: 80, name: 'constructor' }, undefined],
    [{ port: 3306 }, 'TCP'],
  ] as const)
    it(`${JSON.stringify(port)} speaks ${protocol ?? 'what proxies find out'}`, () =>
      assert.deepEqual(servedPorts([port]), [
        protocol === undefined ? { number: port.port } : { number: port.port, protocol },
      ]))

  it('without TCP are left out', () => assert.deepEqual(servedPorts([{ port: 53, protocol: 'UDP' }]), []))
})
