import assert from 'node:assert/strict'
import { generateKeyPairSync, type JsonWebKey } from 'node:crypto'
import { describe, it } from 'mocha'
import { requireKeySet, requireKeysUri } from '../../src/access/jwks.ts'

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const publicJwk = { ...publicKey.export({ format: 'jwk' }), kid: 'one' } as JsonWebKey
const set = (...keys: object[]) => JSON.stringify({ keys }, null, 2)

function refusal(act: () => unknown): { code: string; message: string } {
  try {
    act()
  } catch (error) {
    const { code, exitCode, message } = error as { code: string; exitCode: number; message: string }
    assert.equal(exitCode, 2)
    return { code, message }
  }
  return assert.fail('it was not refused')
}

describe('requireKeySet', () => {
  it('reads public keys, in one line', () => {
    assert.equal(requireKeySet(set(publicJwk), 'f'), JSON.stringify({ keys: [publicJwk] }))
  })

  const bad: [string, string, RegExp][] = [
    ['a certificate', '-----BEGIN CERTIFICATE-----', /not a JSON Web Key Set/],
    ['a key alone', JSON.stringify(publicJwk), /not a JSON Web Key Set/],
    ['no key', set(), /has no key/],
    ['a private key', set(publicJwk, privateKey.export({ format: 'jwk' })), /has a secret key \(number 2\)/],
    ['a shared secret', set({ kty: 'oct', k: 'c2VjcmV0' }), /has a secret key/],
    ['a broken key', set({ kty: 'RSA', n: '!' }), /a key that cannot be read \(number 1\)/],
  ]
  for (const [title, text, says] of bad) {
    it(`refuses ${title}`, () => {
      const { code, message } = refusal(() => requireKeySet(text, 'f'))
      assert.equal(code, 'JWKS_INVALID')
      assert.match(message, says)
    })
  }
})

describe('requireKeysUri', () => {
  for (const uri of [
    'https://issuer.example.com/jwks.json',
    'https://issuer.example.com:8443/a?b=c',
    'http://issuer.auth.svc/jwks.json',
    'http://issuer.auth.svc.cluster.local:8080/',
  ]) {
    it(`accepts ${uri}`, () => assert.equal(requireKeysUri(uri), uri))
  }

  const bad: [string, RegExp][] = [
    ['issuer.example.com', /not an http or https URL/],
    ['file:///etc/jwks', /not an http or https URL/],
    ['http://issuer.example.com/jwks.json', /plaintext/],
    ['http://svc.cluster.local.example.com/', /plaintext/],
    ['https://issuer.auth.svc/jwks.json', /is a Service/],
    ['https://me:secret@issuer.example.com/', /contains a password/],
  ]
  for (const [uri, says] of bad) {
    it(`refuses ${uri}`, () => {
      const { code, message } = refusal(() => requireKeysUri(uri))
      assert.equal(code, 'JWKS_URI_INVALID')
      assert.match(message, says)
    })
  }
})
