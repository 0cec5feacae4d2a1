import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { resolutionWarnings } from '../../src/exposing/resolution.ts'
import type { IngressAddress } from '../../src/gateways/address.ts'
import type { Resolution } from '../../src/probing/prober.ts'
import { FakeProber } from '../fakes/fake-world.ts'

const IP: IngressAddress = {
  address: '10.0.0.1',
  kind: 'ip',
  via: 'load-balancer',
  onNode: false,
  others: ['2001:db8::1'],
}
const NAME: IngressAddress = { ...IP, address: 'lb.example.net', kind: 'hostname', others: [] }
const SIX: IngressAddress = { ...IP, address: '2001:db8::1', others: [] }

const NIP = 'grafana.10.0.0.1.nip.io'
const SSLIP = 'grafana.2001-db8--1.sslip.io'
const OWN = 'grafana.example.com'
const CONTROL = '8-8-8-8.nip.io'

const at = (...addresses: string[]): Resolution => ({ addresses })
const ABSENT: Resolution = { addresses: [], failure: 'no-such-name' }
const SILENT: Resolution = { addresses: [], failure: 'no-dns' }
const PUBLIC = at('8.8.8.8')

const OFFLINE = /^[^:]+: not resolved on this machine: no DNS answers for (nip\.io|them) here/
const FILTERED = /^[^:]+: not resolved on this machine: its DNS resolves other names of \S+, but filters out \S+/
const UNKNOWN = /^[^:]+: not resolved on this machine: its DNS has no such name$/
const elsewhere = (found: string, wanted: string) =>
  new RegExp(`: resolved to ${found} on this machine, not to ${wanted}$`.replaceAll('.', '\\.'))

describe('resolutionWarnings', () => {
  const cases: [string, IngressAddress, Record<string, Resolution>, RegExp | undefined][] = [
    ['leads to the address', IP, { [NIP]: at('10.0.0.1'), [CONTROL]: PUBLIC }, undefined],
    [
      'leads to the address by the hosts file, without DNS',
      IP,
      { [NIP]: at('10.0.0.1'), [CONTROL]: SILENT },
      undefined,
    ],
    ['leads to another address of the gateway', IP, { [OWN]: at('2001:db8::1') }, undefined],
    ['leads to the address in another spelling', SIX, { [OWN]: at('2001:DB8:0::1') }, undefined],
    ['leads to the address among others', IP, { [OWN]: at('192.0.2.1', '10.0.0.1') }, undefined],
    ['leads elsewhere', IP, { [OWN]: at('192.0.2.1') }, elsewhere('192.0.2.1', '10.0.0.1')],
    [
      'is answered with an address that leads nowhere',
      IP,
      { [NIP]: at('0.0.0.0'), [CONTROL]: PUBLIC },
      elsewhere('0.0.0.0', '10.0.0.1'),
    ],
    ['is filtered: there is a public name of that service', IP, { [NIP]: ABSENT, [CONTROL]: PUBLIC }, FILTERED],
    ['is filtered (IPv6)', SIX, { [SSLIP]: ABSENT, '8-8-8-8.sslip.io': PUBLIC }, FILTERED],
    ['is absent like every name of that service', IP, { [NIP]: ABSENT, [CONTROL]: ABSENT }, OFFLINE],
    ['is absent, and then DNS is silent', IP, { [NIP]: ABSENT, [CONTROL]: SILENT }, OFFLINE],
    ['gets no answer', IP, { [NIP]: SILENT, [CONTROL]: SILENT }, OFFLINE],
    ['is filtered by saying nothing', IP, { [NIP]: SILENT, [CONTROL]: PUBLIC }, FILTERED],
    ['is not in DNS, and is of a domain of its own', IP, { [OWN]: ABSENT }, UNKNOWN],
    ['is of a domain of its own, without DNS', IP, { [OWN]: SILENT }, OFFLINE],
    ['leads anywhere, behind a host name', NAME, { [OWN]: at('203.0.113.1') }, undefined],
    ['leads nowhere, behind a host name', NAME, { [OWN]: ABSENT }, UNKNOWN],
  ]
  for (const [title, ingress, resolutions, expected] of cases) {
    it(`${expected ? 'warns of' : 'is silent about'} a name that ${title}`, async () => {
      const prober = Object.assign(new FakeProber(), { addresses: [], resolutions })
      const [host = ''] = Object.keys(resolutions)
      const warnings = await resolutionWarnings([host], ingress, prober)
      assert.deepEqual(
        warnings.map(({ code }) => code),
        expected ? ['DNS_UNRESOLVED'] : [],
      )
      if (expected) assert.match(warnings[0]?.message ?? '', expected)
      assert.deepEqual(prober.lookups, [Object.keys(resolutions)], 'all is asked at once')
    })
  }

  it('names all unresolved hosts in one warning, with the line for the hosts file, or another domain', async () => {
    const resolutions = { 'grafana.10.0.0.1.nip.io': at('10.0.0.1'), [CONTROL]: PUBLIC }
    const prober = Object.assign(new FakeProber(), { addresses: [], resolutions })
    const hosts = ['grafana', 'kiali', 'tracing'].map((name) => `${name}.10.0.0.1.nip.io`)
    assert.deepEqual(await resolutionWarnings(hosts, IP, prober), [
      {
        code: 'DNS_UNRESOLVED',
        severity: 'warns',
        message:
          'kiali.10.0.0.1.nip.io, tracing.10.0.0.1.nip.io: not resolved on this machine: its DNS resolves other names of nip.io, but filters out 10.0.0.1 (rebinding protection)',
        remedies: [
          '--domain example.com, with names that resolve to 10.0.0.1; or add this line to /etc/hosts: 10.0.0.1 kiali.10.0.0.1.nip.io tracing.10.0.0.1.nip.io',
        ],
      },
    ])
  })

  it('prefers a wrong answer to a missing one in the message', async () => {
    const resolutions = { 'grafana.example.com': SILENT, 'kiali.example.com': at('192.0.2.1') }
    const prober = Object.assign(new FakeProber(), { resolutions })
    const [warning] = await resolutionWarnings(Object.keys(resolutions), IP, prober)
    assert.match(warning?.message ?? '', elsewhere('192.0.2.1', '10.0.0.1'))
  })

  const remedies: [string, IngressAddress, string][] = [
    ['an address', IP, `let DNS resolve them to 10.0.0.1, or add this line to /etc/hosts: 10.0.0.1 ${OWN}`],
    ['a host name', NAME, 'make them aliases (CNAME) of lb.example.net'],
  ]
  for (const [what, ingress, remedy] of remedies) {
    it(`suggests what to do for the user’s domain at ${what}`, async () => {
      const prober = Object.assign(new FakeProber(), { addresses: [] })
      assert.deepEqual((await resolutionWarnings([OWN], ingress, prober))[0]?.remedies, [remedy])
    })
  }
})
