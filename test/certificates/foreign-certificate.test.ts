import assert from 'node:assert/strict'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { describe, it } from 'mocha'
import { foreignCertificate } from '../../src/certificates/foreign-certificate.ts'
import { issuing } from './issuing.ts'

const IDENTITY = 'spiffe://cluster.local/ns/istio-system/sa/prometheus'

describe('foreignCertificate', () => {
  it('claims an identity of the mesh, for clients, and is self-signed', async () => {
    const now = new Date('2026-11-21T12:00:00Z')
    const { certificate, key } = await foreignCertificate(IDENTITY, issuing(0, { now }))
    const read = new X509Certificate(certificate)
    assert.equal(read.subjectAltName, `URI:${IDENTITY}`)
    assert.ok(read.keyUsage?.includes('1.3.6.1.5.5.7.3.2'))
    assert.equal(read.ca, false)
    assert.ok(read.verify(read.publicKey) && read.checkPrivateKey(createPrivateKey(key)))
    assert.ok(read.validToDate.getTime() - now.getTime() <= 3_600_000)
  })
})
