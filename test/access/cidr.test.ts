import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { requireCidr } from '../../src/access/cidr.ts'

describe('requireCidr', () => {
  const good: [string, string][] = [
    ['10.0.0.0/8', '10.0.0.0/8'],
    ['192.0.2.7', '192.0.2.7/32'],
    ['192.0.2.128/25', '192.0.2.128/25'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    [' 192.0.2.7/32 ', '192.0.2.7/32'],
    ['2001:DB8::/32', '2001:db8::/32'],
    ['2001:0db8:0000:0000::0001', '2001:db8::1/128'],
    ['2001:db8:0:0:8000::/65', '2001:db8:0:0:8000::/65'],
    ['::/0', '::/0'],
  ]
  for (const [text, cidr] of good) it(`reads ${text} as ${cidr}`, () => assert.equal(requireCidr(text), cidr))

  const bad: [string, RegExp, string?][] = [
    ['10.0.0.0/33', /a prefix longer than 32 bits/],
    ['2001:db8::/129', /a prefix longer than 128 bits/],
    ['10.1.2.3/8', /bits set after its prefix/, '--allow-cidr 10.0.0.0/8'],
    ['2001:db8::1/64', /bits set after its prefix/, '--allow-cidr 2001:db8::/64'],
    ['10.0.0.0/', /no number after the slash/],
    ['10.0.0.0/-1', /no number after the slash/],
    ['10.0.0.0/8/8', /not an IPv4 or IPv6 network/],
    ['10.0.0/8', /not an IPv4 or IPv6 network/],
    ['10.0.0.256', /not an IPv4 or IPv6 network/],
    ['010.0.0.1', /not an IPv4 or IPv6 network/],
    ['fe80::1%eth0', /not an IPv4 or IPv6 network/],
    ['::ffff:192.0.2.1', /an IPv4 address in an IPv6 one/],
    ['office', /not an IPv4 or IPv6 network/],
    ['', /not an IPv4 or IPv6 network/],
  ]
  for (const [text, message, suggestion = '--allow-cidr'] of bad) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(
        () => requireCidr(text),
        (error: { code: string; exitCode: number; message: string; suggestions: string[] }) => {
          assert.deepEqual([error.code, error.exitCode], ['CIDR_INVALID', 2])
          assert.match(error.message, message)
          return error.suggestions[0]?.startsWith(suggestion) ?? false
        },
      )
    })
  }
})
