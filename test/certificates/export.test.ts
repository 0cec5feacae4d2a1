import assert from 'node:assert/strict'
import { createPrivateKey } from 'node:crypto'
import { before, describe, it } from 'mocha'
import { type Authority, issueLeaf, type KeyPair } from '../../src/certificates/authority.ts'
import { exportedAuthorities, exportedChain, exportedPkcs12 } from '../../src/certificates/export.ts'
import { certificatesIn } from '../../src/certificates/facts.ts'
import { authorityOf, issuing } from './issuing.ts'
import { opensslPkcs12 } from './openssl.ts'

describe('certificate export', () => {
  let authority: Authority
  let leaf: KeyPair
  before(async () => {
    authority = await authorityOf('example.com')
    leaf = await issueLeaf(authority, ['grafana.example.com'], issuing(1))
  })
  const material = () => ({ ...leaf, authorities: authority.certificate })

  it('contains only the CA', () => assert.equal(exportedAuthorities(material()), authority.certificate))

  it('contains the leaf and then the CA, each once', () => {
    assert.equal(exportedChain(material()), leaf.certificate + authority.certificate)
    const twice = { certificate: leaf.certificate + authority.certificate, authorities: authority.certificate }
    assert.equal(exportedChain(twice), leaf.certificate + authority.certificate)
  })

  it('is a PKCS#12 file that openssl opens only with the password', () => {
    const data = exportedPkcs12(material(), 'correct horse', 'telemetry add-ons')
    const text = opensslPkcs12(data, 'correct horse')
    assert.deepEqual(certificatesIn(text), [leaf.certificate, authority.certificate])
    assert.ok(createPrivateKey(text).equals(createPrivateKey(leaf.key)))
    assert.throws(() => opensslPkcs12(data, 'wrong'), /invalid password/)
  })
})
