import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { isLimitedTo } from '../../src/certificates/limits.ts'
import { opensslMake } from './openssl.ts'

const NO_IP = 'excluded;IP:0.0.0.0/0.0.0.0,excluded;IP:0:0:0:0:0:0:0:0/0:0:0:0:0:0:0:0'

/** A root CA of a stranger that can vouch only for names in one domain. */
const limited = (domain: string) =>
  opensslMake('-x509', '-subj', '/CN=a root', '-addext', `nameConstraints=critical,permitted;DNS:${domain},${NO_IP}`)
    .certificate

describe('a CA that is limited to the domain of an exposure', () => {
  for (const domain of ['example.com', 'mine.github.io', '10.88.0.100.nip.io'])
    it(`is one for ${domain}`, () => assert.ok(isLimitedTo(limited(domain), domain)))

  for (const domain of ['github.io', 'co.uk', 'nip.io', 'com'])
    it(`is none where others have names, too: ${domain}`, () => assert.ok(!isLimitedTo(limited(domain), domain)))

  it('may be limited to a part of it', () => {
    assert.ok(isLimitedTo(limited('a.github.io'), 'github.io'))
  })
})
