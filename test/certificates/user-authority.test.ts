// Bad input is made by openssl, as people make it.
import assert from 'node:assert/strict'
import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { before, describe, it } from 'mocha'
import { type Authority, issueLeaf } from '../../src/certificates/authority.ts'
import { requireBroughtAuthority } from '../../src/certificates/user-authority.ts'
import { type Extension, serialNumber, signCertificate } from '../../src/certificates/x509.ts'
import { authorityOf, DAY, issuing, key, read } from './issuing.ts'
import { opensslMake, opensslVerify } from './openssl.ts'

const now = new Date() // openssl goes by the real clock
const CA = ['-addext', 'keyUsage=critical,keyCertSign,cRLSign']
const SUBJECT = '/C=DE/ST=Berlin/O=Our Company/OU=IT/CN=Our Root'

describe('an authority that people bring', () => {
  let corporate: { certificate: string; key: string }
  before(() => {
    corporate = opensslMake('-x509', '-days', '10', '-subj', SUBJECT, ...CA)
  })

  const bring = (pair: { certificate?: string; key?: string }, at = new Date()): Promise<Authority> =>
    requireBroughtAuthority(
      'example.com',
      { ...corporate, ...pair, certificateName: 'root.crt', keyName: 'root.key' },
      at,
    )

  it('signs leaves that openssl accepts, whatever is in its name', async () => {
    const authority = await bring({})
    const leaf = await issueLeaf(authority, ['grafana.example.com'], issuing(1, { now }))
    assert.equal(opensslVerify(corporate.certificate, leaf.certificate), 'OK')
    // To the byte, as Go compares them.
    assert.equal(read(leaf).issuer, read(corporate).subject)
    assert.ok(read(leaf).raw.includes(subjectBytes(corporate.certificate)))
  })

  it('may have another key identifier than we would have made', async () => {
    const identifier = { id: '2.5.29.14', critical: false, value: '\x04\x04\x00\x11\x22\x33' }
    const own = { certificate: await signedBelow(await key(1), undefined, identifier), key: await key(1) }
    const leaf = await issueLeaf(await bring(own), ['grafana.example.com'], issuing(1, { now }))
    assert.equal(opensslVerify(own.certificate, leaf.certificate), 'OK')
  })

  for (const bits of [3072, 4096]) {
    it(`may have a key of ${bits} bits`, async () => {
      const { privateKey } = generateKeyPairSync('rsa', { modulusLength: bits })
      const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
      const authority = await authorityOf('example.com', 0, { now, generateKey: async () => pem })
      assert.deepEqual(await bring(authority), authority)
    })
  }

  it('may have its key in the older form (PKCS#1)', async () => {
    const authority = await authorityOf('example.com', 0, { now })
    const old = createPrivateKey(authority.key).export({ type: 'pkcs1', format: 'pem' }).toString()
    assert.match(old, /BEGIN RSA PRIVATE KEY/)
    assert.equal((await bring({ ...authority, key: old })).key, authority.key)
  })

  it('may be bound to a domain above', async () => {
    const bound = opensslMake(
      '-x509',
      '-days',
      '10',
      '-subj',
      SUBJECT,
      ...CA,
      '-addext',
      'nameConstraints=critical,permitted;DNS:com',
    )
    assert.equal((await bring(bound)).certificate, read(bound).toString())
  })

  const refused: [name: string, pair: () => Promise<{ certificate?: string; key?: string }>, message: RegExp][] = [
    [
      'whose key is that of another',
      async () => ({ key: await key(2) }),
      /^root\.key: it is not the key of root\.crt$/,
    ],
    [
      'that is a request (CSR)',
      async () => opensslMake('-subj', SUBJECT),
      /^root\.crt: it is a request for a certificate \(CSR\)/,
    ],
    [
      'whose certificate is a key',
      async () => ({ certificate: await key(1) }),
      /^root\.crt: it is a key, not a certificate$/,
    ],
    [
      'whose certificate is garbage',
      async () => ({ certificate: 'garbage' }),
      /^root\.crt: it is no certificate in PEM$/,
    ],
    ['whose key is garbage', async () => ({ key: 'garbage' }), /^root\.key: it is no private key in PEM$/],
    [
      'whose key is a certificate',
      async () => ({ key: corporate.certificate }),
      /^root\.key: it is no private key in PEM$/,
    ],
    ['whose key is encrypted', async () => ({ key: await encryptedKey() }), /^root\.key: the key is encrypted$/],
    [
      'whose key is encrypted in the older form',
      async () => ({ key: await encryptedKey('pkcs1') }),
      /^root\.key: the key is encrypted$/,
    ],
    [
      'with an elliptic curve',
      async () => opensslMake('-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-subj', SUBJECT),
      /^root\.key: it is an ec key; only RSA is signed with$/,
    ],
    [
      'that is no authority',
      async () => opensslMake('-x509', '-subj', SUBJECT, '-addext', 'basicConstraints=critical,CA:FALSE'),
      /^root\.crt: it may not sign certificates/,
    ],
    [
      'whose key usage lets it sign nothing',
      async () => opensslMake('-x509', '-subj', SUBJECT, '-addext', 'keyUsage=critical,digitalSignature'),
      /^root\.crt: it may not sign certificates/,
    ],
    [
      'that is bound to another domain',
      async () =>
        opensslMake('-x509', '-subj', SUBJECT, ...CA, '-addext', 'nameConstraints=critical,permitted;DNS:example.org'),
      /^root\.crt: it may not vouch for names in example\.com \(its name constraints\)$/,
    ],
  ]
  for (const [name, pair, message] of refused) {
    it(`is refused: one ${name}`, async () => {
      await assert.rejects(bring(await pair()), { name: 'UserError', code: 'CA_INVALID', exitCode: 2, message })
    })
  }

  it('is refused after its end, and before its beginning', async () => {
    const message = /^root\.crt: it is valid from .* to .* only$/
    for (const days of [11, -1])
      await assert.rejects(bring({}, new Date(now.getTime() + days * DAY)), { code: 'CA_INVALID', message })
  })

  it('is refused when another authority signed it', async () => {
    const below = { certificate: await signedBelow(await key(1), corporate), key: await key(1) }
    await assert.rejects(bring(below), { code: 'CA_INVALID', message: /another authority signed it; only a root/ })
  })
})

/** An authority's certificate, signed by another, or by itself. */
async function signedBelow(
  own: string,
  above?: { certificate: string; key: string },
  ...more: Extension[]
): Promise<string> {
  const name = { organization: 'ours', commonName: 'an authority' }
  return signCertificate({
    publicKey: createPublicKey(own).export({ type: 'spki', format: 'pem' }).toString(),
    subject: name,
    issuer: above?.certificate ?? name,
    serial: serialNumber(Buffer.alloc(16, 1)),
    notBefore: new Date(now.getTime() - DAY),
    notAfter: new Date(now.getTime() + DAY),
    extensions: [
      { name: 'basicConstraints', critical: true, cA: true },
      { name: 'keyUsage', critical: true, keyCertSign: true },
      ...more,
    ],
    signingKey: above?.key ?? own,
  })
}

/** The DER of the last part of the name, as openssl wrote it. */
function subjectBytes(certificate: string): Buffer {
  const { raw } = read({ certificate })
  const at = raw.indexOf('Our Root')
  return raw.subarray(at - 11, at + 8)
}

async function encryptedKey(type: 'pkcs8' | 'pkcs1' = 'pkcs8'): Promise<string> {
  const plain = createPrivateKey(await key(1))
  return plain.export({ type, format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret' } as never).toString()
}
