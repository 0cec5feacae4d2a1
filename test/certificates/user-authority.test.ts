// Bad input is made by openssl, as users make it.
import assert from 'node:assert/strict'
import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { before, describe, it } from 'mocha'
import { type Authority, issueLeaf } from '../../src/certificates/authority.ts'
import { requireUserAuthority } from '../../src/certificates/user-authority.ts'
import { type Extension, serialNumber, signCertificate } from '../../src/certificates/x509.ts'
import { authorityOf, DAY, issuing, key, read } from './issuing.ts'
import { opensslMake, opensslVerify } from './openssl.ts'

const now = new Date() // openssl uses the real clock
const CA = ['-addext', 'keyUsage=critical,keyCertSign,cRLSign']
const SUBJECT = '/C=DE/ST=Berlin/O=Our Company/OU=IT/CN=Our Root'

describe('requireUserAuthority', () => {
  let corporate: { certificate: string; key: string }
  before(() => {
    corporate = opensslMake('-x509', '-days', '10', '-subj', SUBJECT, ...CA)
  })

  const bring = (pair: { certificate?: string; key?: string }, at = new Date()): Promise<Authority> =>
    requireUserAuthority('example.com', { ...corporate, ...pair, certificateName: 'root.crt', keyName: 'root.key' }, at)

  it('accepts a CA with any name, whose leaves openssl accepts', async () => {
    const authority = await bring({})
    const leaf = await issueLeaf(authority, ['grafana.example.com'], issuing(1, { now }))
    assert.equal(opensslVerify(corporate.certificate, leaf.certificate), 'OK')
    // Go compares the bytes of names.
    assert.equal(read(leaf).issuer, read(corporate).subject)
    assert.ok(read(leaf).raw.includes(subjectBytes(corporate.certificate)))
  })

  it('accepts a key identifier that differs from ours', async () => {
    const identifier = { id: '2.5.29.14', critical: false, value: '\x04\x04\x00\x11\x22\x33' }
    const own = { certificate: await signedBelow(await key(1), undefined, identifier), key: await key(1) }
    const leaf = await issueLeaf(await bring(own), ['grafana.example.com'], issuing(1, { now }))
    assert.equal(opensslVerify(own.certificate, leaf.certificate), 'OK')
  })

  for (const bits of [3072, 4096]) {
    it(`accepts a key of ${bits} bits`, async () => {
      const { privateKey } = generateKeyPairSync('rsa', { modulusLength: bits })
      const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
      const authority = await authorityOf('example.com', 0, { now, generateKey: async () => pem })
      assert.deepEqual(await bring(authority), authority)
    })
  }

  it('accepts a key in the older format (PKCS#1)', async () => {
    const authority = await authorityOf('example.com', 0, { now })
    const old = createPrivateKey(authority.key).export({ type: 'pkcs1', format: 'pem' }).toString()
    assert.match(old, /BEGIN RSA PRIVATE KEY/)
    assert.equal((await bring({ ...authority, key: old })).key, authority.key)
  })

  it('accepts a CA whose name constraints allow a parent domain', async () => {
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
      /^root\.key: it does not belong to root\.crt$/,
    ],
    [
      'that is a request (CSR)',
      async () => opensslMake('-subj', SUBJECT),
      /^root\.crt: it is a certificate signing request \(CSR\)/,
    ],
    [
      'whose certificate is a key',
      async () => ({ certificate: await key(1) }),
      /^root\.crt: it is a key, not a certificate$/,
    ],
    [
      'whose certificate is garbage',
      async () => ({ certificate: 'garbage' }),
      /^root\.crt: it is not a certificate in PEM$/,
    ],
    ['whose key is garbage', async () => ({ key: 'garbage' }), /^root\.key: it is not a private key in PEM$/],
    [
      'whose key is a certificate',
      async () => ({ key: corporate.certificate }),
      /^root\.key: it is not a private key in PEM$/,
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
      /^root\.key: it is an ec key; only RSA keys are supported$/,
    ],
    [
      'that is no authority',
      async () => opensslMake('-x509', '-subj', SUBJECT, '-addext', 'basicConstraints=critical,CA:FALSE'),
      /^root\.crt: it is not allowed to sign certificates/,
    ],
    [
      'whose key usage lets it sign nothing',
      async () => opensslMake('-x509', '-subj', SUBJECT, '-addext', 'keyUsage=critical,digitalSignature'),
      /^root\.crt: it is not allowed to sign certificates/,
    ],
    [
      'that is bound to another domain',
      async () =>
        opensslMake('-x509', '-subj', SUBJECT, ...CA, '-addext', 'nameConstraints=critical,permitted;DNS:example.org'),
      /^root\.crt: it is not allowed to sign names in example\.com \(name constraints\)$/,
    ],
  ]
  for (const [name, pair, message] of refused) {
    it(`refuses a CA ${name}`, async () => {
      await assert.rejects(bring(await pair()), { name: 'UserError', code: 'CA_INVALID', exitCode: 2, message })
    })
  }

  it('refuses a CA after its end and before its beginning', async () => {
    const message = /^root\.crt: it is only valid from .* to .*$/
    for (const days of [11, -1])
      await assert.rejects(bring({}, new Date(now.getTime() + days * DAY)), { code: 'CA_INVALID', message })
  })

  it('refuses an intermediate CA', async () => {
    const below = { certificate: await signedBelow(await key(1), corporate), key: await key(1) }
    await assert.rejects(bring(below), { code: 'CA_INVALID', message: /another CA signed it; only root/ })
  })
})

/** A CA certificate, signed by another CA or by itself. */
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

/** The DER of the last part of the name, written by openssl. */
function subjectBytes(certificate: string): Buffer {
  const { raw } = read({ certificate })
  const at = raw.indexOf('Our Root')
  return raw.subarray(at - 11, at + 8)
}

async function encryptedKey(type: 'pkcs8' | 'pkcs1' = 'pkcs8'): Promise<string> {
  const plain = createPrivateKey(await key(1))
  return plain.export({ type, format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret' } as never).toString()
}
