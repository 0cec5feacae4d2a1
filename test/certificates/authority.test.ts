import assert from 'node:assert/strict'
import { generateKeyPairSync, type X509Certificate } from 'node:crypto'
import { before, describe, it } from 'mocha'
import {
  type Authority,
  daysLeft,
  dnsNamesOf,
  isPair,
  issueLeaf,
  type KeyPair,
  keyBits,
  whyReissue,
} from '../../src/certificates/authority.ts'
import { keyIdentifier, serialNumber, signCertificate } from '../../src/certificates/x509.ts'
import { authorityOf, DAY, HOUR, issuing, key, NOW, read } from './issuing.ts'
import { opensslExtension, opensslText } from './openssl.ts'

const HOSTS = ['grafana.example.com', 'kiali.example.com']

describe('createAuthority', () => {
  let authority: Authority
  let certificate: X509Certificate
  before(async () => {
    authority = await authorityOf('example.com', 0, { random: () => Buffer.alloc(16, 0xab) })
    certificate = read(authority)
  })

  it('makes a version 3 certificate that signs itself and belongs to its key', () => {
    assert.ok(opensslText(authority.certificate).includes('Version: 3 (0x2)'))
    assert.ok(certificate.checkIssued(certificate))
    assert.ok(certificate.verify(certificate.publicKey))
    assert.ok(isPair(authority))
    assert.equal(authority.domain, 'example.com')
  })

  it('signs with SHA-256', () => {
    assert.ok(opensslText(authority.certificate).includes('Signature Algorithm: sha256WithRSAEncryption'))
  })

  it('may sign leaves and revocation lists, but no other CA', () => {
    assert.equal(opensslExtension(authority.certificate, 'Basic Constraints'), 'critical CA:TRUE, pathlen:0')
    assert.equal(opensslExtension(authority.certificate, 'Key Usage'), 'critical Certificate Sign, CRL Sign')
  })

  it('allows only names of its domain and no addresses, in a critical extension', () => {
    const lines = opensslText(authority.certificate)
    const at = lines.indexOf('X509v3 Name Constraints: critical')
    assert.deepEqual(lines.slice(at + 1, at + 6), [
      'Permitted:',
      'DNS:example.com',
      'Excluded:',
      'IP:0.0.0.0/0.0.0.0',
      'IP:0:0:0:0:0:0:0:0/0:0:0:0:0:0:0:0',
    ])
  })

  it('is valid from an hour ago, because clocks of clients may be slow, for ten years', () => {
    assert.equal(certificate.validFromDate.getTime(), NOW.getTime() - HOUR)
    assert.equal(certificate.validToDate.getTime(), NOW.getTime() + 3650 * DAY)
  })

  it('has its serial in its name, so that clients can distinguish an old and a new CA of one domain', async () => {
    const other = read(await authorityOf('example.com', 1))
    assert.equal(certificate.subject, 'O=kubectl telemetry\nCN=kubectl telemetry CA 6bababab')
    assert.equal(certificate.issuer, certificate.subject)
    assert.notEqual(other.subject, certificate.subject)
  })
})

describe('issueLeaf', () => {
  let authority: Authority
  let leaf: KeyPair
  let certificate: X509Certificate
  before(async () => {
    authority = await authorityOf('example.com')
    leaf = await issueLeaf(authority, HOSTS, issuing(1))
    certificate = read(leaf)
  })

  it('makes a version 3 certificate, signed by the CA, for the new key', () => {
    assert.ok(opensslText(leaf.certificate).includes('Version: 3 (0x2)'))
    assert.ok(certificate.checkIssued(read(authority)))
    assert.ok(certificate.verify(read(authority).publicKey))
    assert.ok(isPair(leaf))
    assert.ok(!isPair({ certificate: leaf.certificate, key: authority.key }))
  })

  it('contains exactly the hosts, as DNS names and without a wildcard', () => {
    assert.equal(certificate.subjectAltName, 'DNS:grafana.example.com, DNS:kiali.example.com')
    assert.deepEqual(dnsNamesOf(certificate), HOSTS)
  })

  it('allows only TLS servers, and no signing', () => {
    assert.equal(opensslExtension(leaf.certificate, 'Basic Constraints'), 'critical CA:FALSE')
    assert.equal(opensslExtension(leaf.certificate, 'Key Usage'), 'critical Digital Signature, Key Encipherment')
    assert.equal(opensslExtension(leaf.certificate, 'Extended Key Usage'), 'TLS Web Server Authentication')
  })

  it('has the key identifier of its CA', () => {
    const identifier = opensslExtension(authority.certificate, 'Subject Key Identifier')
    assert.match(identifier ?? '', /^([0-9A-F]{2}:){19}[0-9A-F]{2}$/)
    assert.equal(opensslExtension(leaf.certificate, 'Authority Key Identifier'), identifier)
    assert.notEqual(opensslExtension(leaf.certificate, 'Subject Key Identifier'), identifier)
  })

  it('is valid from an hour ago and never longer than browsers allow (398 days in all)', () => {
    assert.equal(certificate.validFromDate.getTime(), NOW.getTime() - HOUR)
    assert.equal(certificate.validToDate.getTime(), NOW.getTime() + 396 * DAY)
    assert.ok(certificate.validToDate.getTime() - certificate.validFromDate.getTime() <= 397 * DAY)
  })

  const ages: [string, number, number][] = [
    ['ends with its CA when that has less time left', 3650 - 100, 100],
    ['ends with its CA on the last day', 3650 - 1, 1],
    ['has its full time when the CA has exactly as much left', 3650 - 396, 396],
    ['has a day less when the CA has', 3650 - 395, 395],
  ]
  for (const [name, age, days] of ages) {
    it(`${name}: a leaf never outlives its CA`, async () => {
      const now = new Date(NOW.getTime() + age * DAY)
      const late = read(await issueLeaf(authority, HOSTS, issuing(1, { now })))
      assert.equal(late.validToDate.getTime(), now.getTime() + days * DAY)
      assert.ok(late.validToDate <= read(authority).validToDate)
    })
  }

  it('has a new serial each time', async () => {
    const again = read(await issueLeaf(authority, HOSTS, issuing(1)))
    assert.notEqual(again.serialNumber, certificate.serialNumber)
    assert.notEqual(certificate.serialNumber, read(authority).serialNumber)
  })
})

describe('key lengths', () => {
  for (const bits of [2048, 3072, 4096]) {
    it(`of ${bits} bits work for CAs and leaves, as openssl reads them`, async () => {
      const { privateKey } = generateKeyPairSync('rsa', { modulusLength: bits })
      const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
      const authority = await authorityOf('example.com', 0, { generateKey: async () => pem })
      const leaf = await issueLeaf(authority, HOSTS, issuing(0, { generateKey: async () => pem }))
      for (const { certificate } of [authority, leaf]) {
        assert.equal(keyBits(certificate), bits)
        assert.ok(opensslText(certificate).includes(`Public-Key: (${bits} bit)`))
      }
      assert.ok(read(leaf).verify(read(authority).publicKey))
    })
  }
})

describe('serial numbers', () => {
  const extremes: [string, Uint8Array, string][] = [
    ['zeros', Buffer.alloc(16, 0), `40${'00'.repeat(15)}`],
    ['ones', Buffer.alloc(16, 0xff), `7f${'ff'.repeat(15)}`],
  ]
  for (const [name, random, serial] of extremes) {
    it(`are encoded in 16 octets, positive and minimal, for random bytes of ${name}`, async () => {
      const { raw, serialNumber } = read(await authorityOf('example.com', 0, { random: () => random }))
      assert.equal(serialNumber, serial.toUpperCase())
      // INTEGER (2), 16 octets: a sign octet or a stripped zero would change the length.
      assert.ok(raw.includes(Buffer.from(`0210${serial}`, 'hex')))
    })
  }

  it('are positive and minimal for any first byte, and keep the other 126 random bits', () => {
    for (let first = 0; first < 256; first++) {
      const random = Buffer.from([first, ...Buffer.alloc(15, first)])
      const serial = Buffer.from(serialNumber(random), 'hex')
      assert.equal(serial.length, 16)
      assert.ok((serial[0] ?? 0) >= 0x40 && (serial[0] ?? 0) <= 0x7f, `first octet ${serial[0]} for ${first}`)
      assert.equal((serial[0] ?? 0) & 0x3f, first & 0x3f)
      assert.deepEqual(serial.subarray(1), random.subarray(1))
    }
  })
})

describe('whyReissue', () => {
  let authority: Authority
  let leaf: KeyPair
  let expires: number
  before(async () => {
    authority = await authorityOf('example.com')
    leaf = await issueLeaf(authority, HOSTS, issuing(1))
    expires = read(leaf).validToDate.getTime()
  })
  const why = (changes: { leaf?: KeyPair; authority?: KeyPair; hosts?: string[]; now?: Date }) =>
    whyReissue(
      changes.leaf ?? leaf,
      changes.authority ?? authority,
      changes.hosts ?? HOSTS,
      changes.now ?? new Date(NOW.getTime() + DAY),
    )

  it('keeps a good leaf', () => assert.equal(why({}), undefined))

  it('keeps a leaf whose hosts have another order', () => {
    assert.equal(why({ hosts: [...HOSTS].reverse() }), undefined)
  })

  const otherHosts: [string, string[]][] = [
    ['one more', [...HOSTS, 'prometheus.example.com']],
    ['one fewer', HOSTS.slice(1)],
    ['another one', ['grafana.example.com', 'jaeger.example.com']],
  ]
  for (const [name, hosts] of otherHosts) {
    it(`renews for other hosts: ${name}`, () => assert.equal(why({ hosts }), 'its hosts differ'))
  }

  const ages: [string, number, string | undefined][] = [
    ['31 days before the end', 31 * DAY, undefined],
    ['exactly 30 days before the end', 30 * DAY, undefined],
    ['a millisecond later', 30 * DAY - 1, 'it has 29 days left'],
    ['on the last day', DAY - 1, 'it has 0 days left'],
    ['after the end', -1, 'it has -1 days left'],
  ]
  for (const [name, before, expected] of ages) {
    it(`${expected === undefined ? 'keeps' : 'renews'} a leaf ${name}`, () => {
      assert.equal(why({ now: new Date(expires - before) }), expected)
    })
  }

  it('renews a leaf that another CA of the same domain signed', async () => {
    assert.equal(why({ authority: await authorityOf('example.com', 2) }), 'another CA signed it')
  })

  it('renews a leaf when only the name of the CA is the same', async () => {
    const sameName = { random: () => Buffer.alloc(16, 1) }
    const [first, second] = [
      await authorityOf('example.com', 0, sameName),
      await authorityOf('example.com', 2, sameName),
    ]
    assert.equal(read(first).subject, read(second).subject)
    const signed = await issueLeaf(first, HOSTS, issuing(1))
    assert.equal(why({ leaf: signed, authority: first }), undefined)
    assert.equal(why({ leaf: signed, authority: second }), 'another CA signed it')
  })

  it('renews a leaf from another key, even with the name and key identifier of the CA', () => {
    const [organization = '', commonName = ''] = read(authority)
      .subject.split('\n')
      .map((part) => part.replace(/^.*?=/, ''))
    const forged = signCertificate({
      publicKey: read(leaf).publicKey.export({ type: 'spki', format: 'pem' }).toString(),
      subject: { organization, commonName: 'forged' },
      issuer: { organization, commonName },
      serial: serialNumber(Buffer.alloc(16, 7)),
      notBefore: NOW,
      notAfter: new Date(NOW.getTime() + 90 * DAY),
      extensions: [
        { name: 'authorityKeyIdentifier', keyIdentifier: keyIdentifier(authority.certificate) },
        { name: 'subjectAltName', altNames: HOSTS.map((value) => ({ type: 2, value })) },
      ],
      signingKey: leaf.key,
    })
    assert.ok(read({ certificate: forged }).checkIssued(read(authority)))
    assert.equal(why({ leaf: { certificate: forged, key: leaf.key } }), 'another CA signed it')
  })

  it('renews a leaf with another key', async () => {
    assert.equal(why({ leaf: { ...leaf, key: await key(2) } }), 'its key does not belong to it')
  })

  it('renews a leaf whose key is garbage', () => {
    assert.equal(why({ leaf: { ...leaf, key: 'garbage' } }), 'its key does not belong to it')
  })

  for (const garbage of ['', 'garbage', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n']) {
    it(`renews a text that is not a certificate: ${JSON.stringify(garbage.slice(0, 30))}`, () => {
      assert.equal(why({ leaf: { ...leaf, certificate: garbage } }), 'it cannot be read')
      assert.equal(why({ authority: { ...authority, certificate: garbage } }), 'it cannot be read')
    })
  }
})

describe('daysLeft', () => {
  it('counts whole days, and -1 for a text that is not a certificate', async () => {
    const { certificate } = await issueLeaf(await authorityOf('example.com'), HOSTS, issuing(1))
    assert.equal(daysLeft(certificate, NOW), 396)
    assert.equal(daysLeft(certificate, new Date(NOW.getTime() + 1)), 395)
    assert.equal(daysLeft('garbage', NOW), -1)
  })
})

describe('the domain of a new CA', () => {
  const wide = [
    'com',
    'local',
    'org',
    'io',
    'localhost',
    'co.uk',
    'com.au',
    'or.jp',
    'nip.io',
    'sslip.io',
    'github.io',
    'duckdns.org',
    'x.kawasaki.jp',
    'x.compute.amazonaws.com',
  ]
  for (const domain of wide) {
    it(`is not ${domain}, below which others have names`, async () => {
      await assert.rejects(authorityOf(domain), { code: 'DOMAIN_TOO_WIDE', exitCode: 2 })
    })
  }

  for (const domain of [
    'example.com',
    'corp.local',
    'x.io',
    'example.co.uk',
    'mine.github.io',
    'home.arpa',
    'cluster.local',
    '10.88.0.100.nip.io',
    'a.10.88.0.100.nip.io',
    '10-88-0-100.sslip.io',
    '192.0.2.10.nip.io',
    '2001-db8--9.sslip.io',
  ]) {
    it(`may be ${domain}`, async () => {
      assert.equal((await authorityOf(domain)).domain, domain)
    })
  }

  it('is only for certificates of servers', async () => {
    const { certificate } = await authorityOf('example.com')
    assert.equal(opensslExtension(certificate, 'Extended Key Usage'), 'TLS Web Server Authentication')
  })
})
