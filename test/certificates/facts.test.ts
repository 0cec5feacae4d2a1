import assert from 'node:assert/strict'
import { before, describe, it } from 'mocha'
import { type Authority, issueLeaf, type KeyPair } from '../../src/certificates/authority.ts'
import { certificatesIn, factsOf, isTrusted } from '../../src/certificates/facts.ts'
import { authorityOf, DAY, issuing, NOW, read } from './issuing.ts'

describe('facts of a certificate', () => {
  let authority: Authority
  let other: Authority
  let leaf: KeyPair
  before(async () => {
    authority = await authorityOf('example.com')
    other = await authorityOf('example.com', 2)
    leaf = await issueLeaf(authority, ['grafana.example.com', 'kiali.example.com'], issuing(1))
  })

  it('are names, issuer, end, days left and fingerprint, as openssl shows them', () => {
    assert.deepEqual(factsOf(leaf.certificate, NOW), {
      hosts: ['grafana.example.com', 'kiali.example.com'],
      issuer: read(authority).subject.replace('\n', ', '),
      notAfter: '2027-12-22T10:30:00.000Z',
      daysLeft: 396,
      fingerprint: read(leaf).fingerprint256,
    })
  })

  it('are those of the first certificate of a chain', () => {
    assert.equal(factsOf(leaf.certificate + authority.certificate, NOW)?.fingerprint, read(leaf).fingerprint256)
  })

  it('are none of what is no certificate', () => assert.equal(factsOf('garbage', NOW), undefined))

  it('count days down to the end and on', () => {
    const end = read(leaf).validToDate.getTime()
    const left = (before: number) => factsOf(leaf.certificate, new Date(end - before))?.daysLeft
    assert.deepEqual(
      [left(30 * DAY), left(14 * DAY), left(14 * DAY - 1), left(1), left(0), left(-1)],
      [30, 14, 13, 0, 0, -1],
    )
  })

  it('finds each certificate of a text, and nothing in other texts', () => {
    const text = `# a comment\n${leaf.certificate}\n${leaf.key}${authority.certificate}`
    assert.deepEqual(certificatesIn(text), [leaf.certificate, authority.certificate])
    assert.deepEqual(certificatesIn('garbage'), [])
  })

  describe('trust', () => {
    const trusted = (chain: string, roots: string[], now = NOW) => isTrusted(chain, roots, now)

    it('comes from a root that signed the leaf, among others', () => {
      assert.equal(trusted(leaf.certificate, [other.certificate, authority.certificate]), true)
      assert.equal(trusted(leaf.certificate, [other.certificate]), false)
      assert.equal(trusted(leaf.certificate, []), false)
    })

    it('does not come from the chain itself', () => {
      assert.equal(trusted(leaf.certificate + authority.certificate, [other.certificate]), false)
      assert.equal(trusted(leaf.certificate + authority.certificate, [authority.certificate]), true)
    })

    it('comes by way of a certificate in between', async () => {
      // The leaf's signer, vouched for by another.
      const between = { ...authority, certificate: (await issueLeaf(other, ['x.example.com'], issuing(0))).certificate }
      const low = await issueLeaf(between, ['grafana.example.com'], issuing(1))
      assert.equal(trusted(low.certificate + between.certificate, [other.certificate]), false, 'it is no authority')
    })

    it('is given to a leaf that is itself among the roots', () => {
      assert.equal(trusted(leaf.certificate, [leaf.certificate]), true)
    })

    it('ends with the leaf, and with the root', () => {
      const after = new Date(read(leaf).validToDate.getTime() + 1)
      assert.equal(trusted(leaf.certificate, [authority.certificate], after), false)
      assert.equal(trusted(leaf.certificate, [authority.certificate], new Date(NOW.getTime() - DAY)), false)
    })

    it('is not given to garbage', () => assert.equal(trusted('garbage', [authority.certificate]), false))
  })
})
