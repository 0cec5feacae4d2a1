import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { describe, it } from 'mocha'
import { generateCredentials, requireUsers } from '../../src/access/htpasswd.ts'

const SHA = 'me:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ='

describe('requireUsers', () => {
  it('reads users with SHA-1 hashes, and leaves out comments and empty lines', () => {
    const other = SHA.replace('me:', 'you:')
    assert.deepEqual(requireUsers(`# ours\n${SHA}\r\n\n${other}`, 'f'), [SHA, other])
  })

  const bad: [string, string, RegExp][] = [
    ['no user', '# nobody\n', /f has no user/],
    ['bcrypt', `${SHA}\nyou:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC`, /line 2 has a bcrypt hash/],
    ['MD5', 'me:$apr1$dHjB0/..$mkTTbqwpK/0h/rz4ZeN8M0', /line 1 has an MD5 hash \(apr1\)/],
    ['SHA-256 of crypt', 'me:$5$abc$def', /has a crypt hash/],
    ['a cut hash', SHA.slice(0, -2), /a cut or broken SHA-1 hash/],
    ['a password', 'me:secret', /no hash of a known kind/],
    ['a line without a colon', 'secret', /has no USER:HASH/],
    ['a nameless user', SHA.slice(2), /has no USER:HASH/],
    ['the same user twice', `${SHA}\n${SHA}`, /has the user "me" twice/],
  ]
  for (const [title, text, says] of bad) {
    it(`refuses ${title}, without printing the password`, () => {
      assert.throws(
        () => requireUsers(text, 'f'),
        (error: { code: string; exitCode: number; message: string }) => {
          assert.deepEqual([error.code, error.exitCode], ['HTPASSWD_INVALID', 2])
          assert.match(error.message, says)
          return !error.message.includes('secret')
        },
      )
    })
  }
})

describe('generateCredentials', () => {
  it('makes a new password each time, with the same hash as openssl', () => {
    const [one, other] = [generateCredentials(randomBytes), generateCredentials(randomBytes)]
    assert.notEqual(one.password, other.password)
    assert.match(one.password, /^[\w-]{24}$/)
    const { stdout } = spawnSync('openssl', ['dgst', '-sha1', '-binary'], { input: one.password })
    assert.equal(one.line, `telemetry:{SHA}${stdout.toString('base64')}`)
    assert.deepEqual(requireUsers(one.line, 'f'), [one.line])
  })
})
