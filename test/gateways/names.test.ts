import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { hostOf, requireAddress, requireDomain, urlOf } from '../../src/gateways/names.ts'

const label63 = 'x'.repeat(63)
const domain242 = `${[label63, label63, label63].join('.')}.${'y'.repeat(46)}.com`

describe('requireDomain', () => {
  const good: [string, string][] = [
    ['example.com', 'example.com'],
    ['Example.COM', 'example.com'],
    ['example.com.', 'example.com'],
    ['EXAMPLE.com.', 'example.com'],
    ['telemetry.team-a.example.com', 'telemetry.team-a.example.com'],
    ['192.0.2.10.nip.io', '192.0.2.10.nip.io'],
    ['localhost', 'localhost'],
    ['3com.com', '3com.com'],
    ['example.1a', 'example.1a'],
    ['example.x0', 'example.x0'],
    ['1.example', '1.example'],
    ['xn--mller-kva.de', 'xn--mller-kva.de'],
    [`${label63}.com`, `${label63}.com`],
    [domain242, domain242],
  ]
  for (const [text, domain] of good) {
    it(`takes ${cut(text)} as ${cut(domain)}`, () => assert.equal(requireDomain(text), domain))
  }

  it('leaves room for the longest host: 242 characters, and no more', () => {
    assert.equal(domain242.length, 242)
    assert.equal(hostOf('prometheus', domain242).length, 253)
    refuses(() => requireDomain(`y${domain242}`), 'DOMAIN_INVALID', /is 243 characters long; at most 242 fit$/)
  })

  const bad: [string, RegExp][] = [
    ['', / "" is empty$/],
    ['  ', / is empty$/],
    ['.', / is empty$/],
    ['https://example.com', / has a scheme; give only the domain$/],
    ['exam ple.com', / has spaces$/],
    [' example.com', / has spaces$/],
    ['example.com\n', / has spaces$/],
    ['*.example.com', / is a wildcard/],
    ['a'.repeat(300), / is 300 characters long; at most 242 fit$/],
    ['192.0.2.10', / is an address, not a domain; use --ingress-ip for addresses$/],
    ['192.0.2.10.', / is an address, not a domain/],
    ['2001:db8::1', / is an address, not a domain/],
    ['::ffff:192.0.2.10', / is an address, not a domain/],
    ['999.1.1.1', / is an address, not a domain/],
    ['example.1', / is an address, not a domain/],
    ['10', / is an address, not a domain/],
    ['example.0x7f', / is an address, not a domain/],
    ['0x', / is an address, not a domain/],
    ['example.com:443', / has a port or a path; give only the domain$/],
    ['example.com/grafana', / has a port or a path; give only the domain$/],
    ['[2001:db8::1]', / has a port or a path/],
    ['exam_ple.com', / "exam_ple" is not a valid label \(RFC 1123\)$/],
    ['-example.com', / "-example" is not a valid label/],
    ['example-.com', / "example-" is not a valid label/],
    ['.example.com', / "" is not a valid label/],
    ['example..com', / "" is not a valid label/],
    ['example.com..', / "" is not a valid label/],
    [`${label63}x.com`, /x\.\.\." is not a valid label/],
    ['müller.de', / "müller" is not a valid label/],
    ['example.com;rm', / "com;rm" is not a valid label/],
  ]
  for (const [text, complaint] of bad) {
    it(`refuses ${cut(text)}`, () => refuses(() => requireDomain(text), 'DOMAIN_INVALID', complaint))
  }

  it('names the flag, quotes the value and suggests an example', () => {
    assert.throws(() => requireDomain('Exam_ple.com'), {
      message: '--domain "Exam_ple.com" is not a DNS name: "exam_ple" is not a valid label (RFC 1123)',
      suggestions: ['--domain example.com   # Grafana is then at grafana.example.com'],
    })
  })

  it('quotes the first 57 characters of a long mistake', () => {
    refuses(() => requireDomain('a'.repeat(300)), 'DOMAIN_INVALID', /^--domain "a{57}\.\.\." is/)
    refuses(() => requireDomain(`_${'a'.repeat(59)}`), 'DOMAIN_INVALID', /^--domain "_a{59}" is/)
  })
})

describe('requireAddress', () => {
  const good: [string, string][] = [
    ['192.0.2.10', '192.0.2.10'],
    [' 192.0.2.10\n', '192.0.2.10'],
    ['2001:db8::1', '2001:db8::1'],
    ['2001:DB8::1', '2001:db8::1'],
    ['LB-1.Example.com', 'lb-1.example.com'],
    ['a0123.elb.eu-central-1.amazonaws.com', 'a0123.elb.eu-central-1.amazonaws.com'],
    ['localhost', 'localhost'],
    ['lb.example.com.', 'lb.example.com'],
    ['192.0.2.10.', '192.0.2.10'],
    ['127.0.0.1:9443', '127.0.0.1:9443'],
    ['[2001:DB8::1]:9443', '[2001:db8::1]:9443'],
    ['[2001:db8::1]', '2001:db8::1'],
    ['LB.example.com:9443', 'lb.example.com:9443'],
    ['localhost:65535', 'localhost:65535'],
    [
      `${[label63, label63, label63].join('.')}.${'y'.repeat(61)}`,
      `${[label63, label63, label63].join('.')}.${'y'.repeat(61)}`,
    ],
  ]
  for (const [text, address] of good) {
    it(`takes ${cut(text)} as ${cut(address)}`, () => assert.equal(requireAddress(text), address))
  }

  const bad: [string, RegExp][] = [
    ['', / is empty$/],
    ['  ', / is empty$/],
    ['999.1.1.1', / is not an IP address$/],
    ['192.0.2', / is not an IP address$/],
    ['1', / is not an IP address$/],
    ['010.0.0.1', / is not an IP address$/],
    ['lb.example.7', / is not an IP address$/],
    ['0x7f.0.0.0x1', / is not an IP address$/],
    ['999.1.1.1.', / is not an IP address$/],
    ['lb.example.com..', / "" is not a valid label/],
    [
      `${[label63, label63, label63].join('.')}.${'y'.repeat(62)}`,
      / is 254 characters long; a DNS name has at most 253$/,
    ],
    ['192.0.2.10:0', / has port 0; a port is at most 65535$/],
    ['192.0.2.10:65536', / has port 65536; a port is at most 65535$/],
    ['192.0.2.10:', / "10:" is not a valid label/],
    ['192.0.2.10:https', / "10:https" is not a valid label/],
    [':9443', / is empty$/],
    ['[2001:db8::1', / "\[2001:db8::1" is not a valid label/],
    ['[lb.example.com]:9443', / is not an IPv6 address$/],
    ['192.0.2.0/24', / "0\/24" is not a valid label/],
    ['https://lb.example.com', / "https:\/\/lb" is not a valid label/],
    ['lb.example.com/', / "com\/" is not a valid label/],
    ['*.example.com', / "\*" is not a valid label/],
    ['lb_1.example.com', / "lb_1" is not a valid label/],
    ['-lb.example.com', / "-lb" is not a valid label/],
    ['lb 1', / "lb 1" is not a valid label/],
    ['2001:db8:::1', / "2001:db8:::1" is not a valid label/],
  ]
  for (const [text, complaint] of bad) {
    it(`refuses ${cut(text)}`, () => refuses(() => requireAddress(text), 'ADDRESS_INVALID', complaint))
  }

  it('names the flag and suggests an example', () => {
    assert.throws(() => requireAddress('999.1.1.1'), {
      message: '--ingress-ip "999.1.1.1" is not an IP address',
      suggestions: ['--ingress-ip 192.0.2.10'],
    })
  })
})

describe('urlOf', () => {
  it('leaves out the default port of HTTPS', () => {
    assert.equal(
      urlOf({ host: 'grafana.example.com', port: 443, path: '/', secure: true }),
      'https://grafana.example.com/',
    )
  })

  it('has any other port, and the path', () => {
    assert.equal(
      urlOf({ host: 'kiali.example.com', port: 31443, path: '/kiali/', secure: true }),
      'https://kiali.example.com:31443/kiali/',
    )
  })
})

function refuses(act: () => unknown, code: string, message: RegExp): void {
  assert.throws(act, { name: 'UserError', code, message, exitCode: 2 })
}

function cut(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 20)}… (${text.length} characters)` : text)
}
