import assert from 'node:assert/strict'
import { isIPv6 } from 'node:net'
import { describe, it } from 'mocha'
import { addressDomain, addressesIn, addressService, canonicalAddress } from '../../src/gateways/address-domain.ts'
import { requireDomain } from '../../src/gateways/names.ts'

describe('addressDomain', () => {
  const cases: [string, string | undefined][] = [
    ['192.0.2.10', '192.0.2.10.nip.io'],
    ['2001:db8::9', '2001-db8--9.sslip.io'],
    ['2001:DB8:0:0::9', '2001-db8--9.sslip.io'],
    ['2a01:4f8:c17:b8f::2', '2a01-4f8-c17-b8f--2.sslip.io'],
    ['2001:db8:a:b:c:d:e:f', '2001-db8-a-b-c-d-e-f.sslip.io'],
    // A label must not end with a hyphen.
    ['::1', '0000-0000-0000-0000-0000-0000-0000-0001.sslip.io'],
    ['::', '0000-0000-0000-0000-0000-0000-0000-0000.sslip.io'],
    ['2001:db8::', '2001-0db8-0000-0000-0000-0000-0000-0000.sslip.io'],
    // Hyphens as third and fourth character mark names in other alphabets.
    ['fd::1', '00fd-0000-0000-0000-0000-0000-0000-0001.sslip.io'],
    // sslip.io would also answer these with 1.2.3.4 and 10.20.30.40.
    ['2001:db8:1:2:3:4:5:6', '2001-0db8-0001-0002-0003-0004-0005-0006.sslip.io'],
    ['2001:db8::10:20:30:40', '2001-0db8-0000-0000-0010-0020-0030-0040.sslip.io'],
    ['::ffff:192.0.2.1', '0000-0000-0000-0000-0000-ffff-c000-0201.sslip.io'],
    ['fe80::1%eth0', undefined],
    ['lb.example.com', undefined],
    ['', undefined],
  ]
  for (const [address, domain] of cases) {
    it(`of ${address || 'nothing'} is ${domain}`, () => assert.equal(addressDomain(address), domain))
  }

  for (const [address, domain] of cases.filter(([, made]) => made !== undefined)) {
    it(`of ${address} is a domain with exactly this address`, () => {
      assert.equal(requireDomain(domain ?? ''), domain)
      assert.deepEqual(addressesIn(domain ?? ''), [canonicalAddress(address)])
      assert.deepEqual(addressesIn(`mesh.${domain}`), [canonicalAddress(address)])
    })
  }

  // The regular expressions of the service: xip.go of sslip.io, 2026.
  const DASHED_IPV4 = /(^|[.-])(((25[0-5]|(2[0-4]|1?\d)?\d)-){3}(25[0-5]|(2[0-4]|1?\d)?\d))($|[.-])/
  for (const [address, domain] of cases.filter(([one]) => isIPv6(one) && !one.includes('%'))) {
    it(`of ${address} does not look like an IPv4 address to sslip.io`, () =>
      assert.doesNotMatch(`grafana.${domain}`, DASHED_IPV4))
  }
})

describe('addressesIn', () => {
  const cases: [string, string[]][] = [
    ['192.0.2.10.nip.io', ['192.0.2.10']],
    ['192-0-2-10.nip.io', ['192.0.2.10']],
    ['192.0.2.10.sslip.io', ['192.0.2.10']],
    ['192-0-2-10.sslip.io', ['192.0.2.10']],
    ['mesh.192.0.2.10.nip.io', ['192.0.2.10']],
    ['mesh-192-0-2-10.nip.io', ['192.0.2.10']],
    ['10.0.0.1.192-0-2-10.nip.io', ['10.0.0.1', '192.0.2.10']],
    ['2001-db8--9.sslip.io', ['2001:db8::9']],
    ['2001-db8--9.nip.io', ['2001:db8::9']],
    ['2001-0db8-0000-0000-0000-0000-0000-0009.sslip.io', ['2001:db8::9']],
    // Mixed, out of range, or none at all.
    ['192.0-2.10.nip.io', []],
    ['300.0.2.10.nip.io', []],
    ['v1.2.3.nip.io', []],
    ['nip.io', []],
    ['mesh.sslip.io', []],
    ['192.0.2.10.example.com', []],
    ['192.0.2.10.notnip.io', []],
  ]
  for (const [domain, addresses] of cases) {
    it(`${domain} are ${addresses.join(', ') || 'none'}`, () => assert.deepEqual(addressesIn(domain), addresses))
  }
})

describe('addressService', () => {
  const cases: [string, string | undefined][] = [
    ['grafana.192.0.2.10.nip.io', 'nip.io'],
    ['grafana.2001-db8--9.sslip.io', 'sslip.io'],
    ['grafana.example.com', undefined],
    ['grafana.snip.io', undefined],
  ]
  for (const [name, service] of cases) {
    it(`of ${name} is ${service}`, () => assert.equal(addressService(name), service))
  }
})

describe('canonicalAddress', () => {
  const cases: [string, string][] = [
    ['2001:DB8:0:0:0:0:0:9', '2001:db8::9'],
    ['192.0.2.10', '192.0.2.10'],
    ['fe80::1%eth0', 'fe80::1%eth0'],
    ['lb.example.com', 'lb.example.com'],
  ]
  for (const [address, canonical] of cases) {
    it(`of ${address} is ${canonical}`, () => assert.equal(canonicalAddress(address), canonical))
  }
})
