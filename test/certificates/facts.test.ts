import assert from 'node:assert/strict'
import { before, describe, it } from 'mocha'
import { type Authority, issueLeaf, type KeyPair } from '../../src/certificates/authority.ts'
import { certificatesIn, factsOf, isTrusted } from '../../src/certificates/facts.ts'
import { authorityOf, DAY, issuing, NOW, read } from './issuing.ts'

describe('factsOf', () => {
  let authority: Authority
  let other: Authority
  let leaf: KeyPair
  before(async () => {
    authority = await authorityOf('example.com')
    other = await authorityOf('example.com', 2)
    leaf = await issueLeaf(authority, ['grafana.example.com', 'kiali.example.com'], issuing(1))
  })

  it('reads names, issuer, end, days left and fingerprint as openssl shows them', () => {
    assert.deepEqual(factsOf(leaf.certificate, NOW), {
      hosts: ['grafana.example.com', 'kiali.example.com'],
      issuer: read(authority).subject.replace('\n', ', '),
      notAfter: '2027-12-22T10:30:00.000Z',
      daysLeft: 396,
      fingerprint: read(leaf).fingerprint256,
    })
  })

  it('reads the first certificate of a chain', () => {
    assert.equal(factsOf(leaf.certificate + authority.certificate, NOW)?.fingerprint, read(leaf).fingerprint256)
  })

  it('returns nothing for a certificate of a megabyte, nor for one without dates', async () => {
    const names = Array.from({ length: 30_000 }, (_, index) => `host-${index}.example.com`)
    const huge = await issueLeaf(authority, names, issuing(1))
    assert.ok(huge.certificate.length > 900_000)
    assert.equal(factsOf(huge.certificate, NOW), undefined)
    const der = Buffer.from(leaf.certificate.replace(/-----[^-]+-----|\n/g, ''), 'base64')
    // The month 13.
    const at = der.indexOf('261121')
    der.write('271399', at + 15)
    const broken = `-----BEGIN CERTIFICATE-----\n${der.toString('base64')}\n-----END CERTIFICATE-----\n`
    assert.equal(factsOf(broken, NOW), undefined)
  })

  it('judges a chain of 1,000 certificates as fast as one of 32', () => {
    const chain = leaf.certificate + other.certificate.repeat(1_000) + authority.certificate
    assert.equal(isTrusted(chain, [authority.certificate], NOW), true)
    assert.equal(isTrusted(chain, [], NOW), false)
  })

  it('returns nothing for a text that is not a certificate', () => assert.equal(factsOf('garbage', NOW), undefined))

  it('counts the days until the end and after it', () => {
    const end = read(leaf).validToDate.getTime()
    const left = (before: number) => factsOf(leaf.certificate, new Date(end - before))?.daysLeft
    assert.deepEqual(
      [left(30 * DAY), left(14 * DAY), left(14 * DAY - 1), left(1), left(0), left(-1)],
      [30, 14, 13, 0, 0, -1],
    )
  })

  it('finds each certificate in a text, and nothing in other texts', () => {
    const text = `# a comment\n${leaf.certificate}\n${leaf.key}${authority.certificate}`
    assert.deepEqual(certificatesIn(text), [leaf.certificate, authority.certificate])
    assert.deepEqual(certificatesIn('garbage'), [])
  })

  describe('trust', () => {
    const trusted = (chain: string, roots: string[], now = NOW) => isTrusted(chain, roots, now)

    it('accepts a leaf that one of the roots signed', () => {
      assert.equal(trusted(leaf.certificate, [other.certificate, authority.certificate]), true)
      assert.equal(trusted(leaf.certificate, [other.certificate]), false)
      assert.equal(trusted(leaf.certificate, []), false)
    })

    it('does not accept a root from the chain itself', () => {
      assert.equal(trusted(leaf.certificate + authority.certificate, [other.certificate]), false)
      assert.equal(trusted(leaf.certificate + authority.certificate, [authority.certificate]), true)
    })

    it('follows an intermediate certificate', async () => {
      // The leaf's issuer, signed by another CA.
      const between = { ...authority, certificate: (await issueLeaf(other, ['x.example.com'], issuing(0))).certificate }
      const low = await issueLeaf(between, ['grafana.example.com'], issuing(1))
      assert.equal(trusted(low.certificate + between.certificate, [other.certificate]), false, 'it is not a CA')
    })

    it('accepts a leaf that is itself one of the roots', () => {
      assert.equal(trusted(leaf.certificate, [leaf.certificate]), true)
    })

    it('ends when the leaf or the root expires', () => {
      const after = new Date(read(leaf).validToDate.getTime() + 1)
      assert.equal(trusted(leaf.certificate, [authority.certificate], after), false)
      assert.equal(trusted(leaf.certificate, [authority.certificate], new Date(NOW.getTime() - DAY)), false)
    })

    it('does not accept garbage', () => assert.equal(trusted('garbage', [authority.certificate]), false))
  })
})
