// Other programs verify our certificates: openssl and Node's TLS.
import assert from 'node:assert/strict'
import { createPublicKey, randomBytes } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { connect, createServer } from 'node:tls'
import { before, describe, it } from 'mocha'
import {
  type Authority,
  type IssuanceInputs,
  issueLeaf as issueAt,
  type KeyPair,
} from '../../src/certificates/authority.ts'
import { keyIdentifier, signCertificate } from '../../src/certificates/x509.ts'
import { authorityOf as authorityAt, countedBytes, DAY, issuing, key, read } from './issuing.ts'
import { opensslVerify } from './openssl.ts'

// openssl and Node use the real clock.
const now = new Date()
const LONG_DOMAIN = `${[63, 63, 63, 44].map((length) => 'x'.repeat(length)).join('.')}.com`

const authorityOf = (domain: string, keyIndex = 0, settings: Partial<IssuanceInputs> = {}) =>
  authorityAt(domain, keyIndex, { now, ...settings })
const issueLeaf = (signer: Authority, hosts: string[], keyIndex = 1, settings: Partial<IssuanceInputs> = {}) =>
  issueAt(signer, hosts, issuing(keyIndex, { now, ...settings }))

describe('certificates, verified by openssl and Node', () => {
  let authority: Authority
  before(async () => {
    authority = await authorityOf('example.com')
  })

  it('are accepted for each of their hosts', async () => {
    const hosts = ['grafana.example.com', 'kiali.example.com']
    const leaf = await issueLeaf(authority, hosts)
    for (const host of hosts) {
      assert.equal(opensslVerify(authority.certificate, leaf.certificate, '-verify_hostname', host), 'OK')
      assert.equal(await tlsVerdict(authority, leaf, host), 'trusted')
    }
  })

  it('are refused for another host of the domain', async () => {
    const leaf = await issueLeaf(authority, ['grafana.example.com'])
    const said = opensslVerify(authority.certificate, leaf.certificate, '-verify_hostname', 'kiali.example.com')
    assert.match(said, /hostname mismatch/)
    assert.equal(await tlsVerdict(authority, leaf, 'kiali.example.com'), 'ERR_TLS_CERT_ALTNAME_INVALID')
  })

  it('are accepted for the domain itself', async () => {
    const leaf = await issueLeaf(authority, ['example.com'])
    assert.equal(opensslVerify(authority.certificate, leaf.certificate, '-verify_hostname', 'example.com'), 'OK')
  })

  for (const host of ['bank.test', 'grafana.notexample.com', 'example.com.bank.test']) {
    it(`are refused for another domain, even from the same CA: ${host}`, async () => {
      const leaf = await issueLeaf(authority, [host])
      assert.match(opensslVerify(authority.certificate, leaf.certificate), /permitted subtree violation/)
      assert.equal(await tlsVerdict(authority, leaf, host), 'permitted subtree violation')
    })
  }

  it('are refused when one of their hosts is of another domain', async () => {
    const leaf = await issueLeaf(authority, ['grafana.example.com', 'bank.test'])
    assert.equal(await tlsVerdict(authority, leaf, 'grafana.example.com'), 'permitted subtree violation')
  })

  for (const [version, ip] of [
    ['IPv4', '127.0.0.1'],
    ['IPv6', '::1'],
  ] as const) {
    it(`are refused for an address (${version}), even from the same CA`, async () => {
      const leaf = await leafWithAddress(authority, ip)
      assert.match(opensslVerify(authority.certificate, leaf.certificate), /excluded subtree violation/)
      assert.equal(await tlsVerdict(authority, leaf, 'grafana.example.com'), 'excluded subtree violation')
    })
  }

  it('are refused when a leaf signed another leaf', async () => {
    const leaf = await issueLeaf(authority, ['grafana.example.com'])
    const forged = await issueLeaf({ domain: 'example.com', ...leaf }, ['kiali.example.com'], 2)
    const chain = { certificate: forged.certificate + leaf.certificate, key: forged.key }
    assert.notEqual(await tlsVerdict(authority, chain, 'kiali.example.com'), 'trusted')
  })

  it('are refused by clients that trust another CA of the same domain', async () => {
    const leaf = await issueLeaf(authority, ['grafana.example.com'])
    const other = await authorityOf('example.com', 2)
    assert.match(opensslVerify(other.certificate, leaf.certificate), /unable to get local issuer certificate/)
    assert.equal(await tlsVerdict(other, leaf, 'grafana.example.com'), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE')
  })

  it('are distinguished by clients that trust an old and a new CA of the same domain', async () => {
    const renewed = await authorityOf('example.com', 2)
    const both = authority.certificate + renewed.certificate
    for (const signer of [authority, renewed]) {
      const leaf = await issueLeaf(signer, ['grafana.example.com'])
      assert.equal(opensslVerify(both, leaf.certificate), 'OK')
      assert.equal(await tlsVerdict({ certificate: both }, leaf, 'grafana.example.com'), 'trusted')
    }
  })

  it('work for domains of 240 characters', async () => {
    assert.equal(LONG_DOMAIN.length, 240)
    const long = await authorityOf(LONG_DOMAIN)
    const hosts = ['grafana', 'prometheus'].map((name) => `${name}.${LONG_DOMAIN}`)
    const leaf = await issueLeaf(long, hosts)
    for (const host of hosts) {
      assert.equal(opensslVerify(long.certificate, leaf.certificate, '-verify_hostname', host), 'OK')
      assert.equal(await tlsVerdict(long, leaf, host), 'trusted')
    }
  })

  it('work with real random serials', async () => {
    const random = (bytes: number) => randomBytes(bytes)
    for (let round = 0; round < 5; round++) {
      const fresh = await authorityOf('example.com', 0, { random })
      const leaf = await issueLeaf(fresh, ['grafana.example.com'], 1, { random })
      assert.equal(opensslVerify(fresh.certificate, leaf.certificate), 'OK')
    }
  })

  it('are invalid for openssl before they begin and after they end', async () => {
    const later = await issueLeaf(authority, ['a.example.com'], 1, { now: new Date(now.getTime() + DAY) })
    assert.match(opensslVerify(authority.certificate, later.certificate), /not yet valid/)
    const earlier = await issueLeaf(authority, ['a.example.com'], 1, { now: new Date(now.getTime() - 397 * DAY) })
    assert.match(opensslVerify(authority.certificate, earlier.certificate), /certificate has expired/)
  })
})

/** A leaf that issueLeaf would never make: for a good host and an address. */
async function leafWithAddress(authority: Authority, ip: string): Promise<KeyPair> {
  const issuer = read(authority)
  const name = issuer.subject.split('\n').map((part) => part.slice(part.indexOf('=') + 1))
  const certificate = signCertificate({
    publicKey: createPublicKey(await key(1))
      .export({ type: 'spki', format: 'pem' })
      .toString(),
    subject: { organization: 'test', commonName: 'test' },
    issuer: { organization: name[0] ?? '', commonName: name[1] ?? '' },
    serial: Buffer.from(countedBytes(16)).toString('hex').replace(/^../, '41'),
    notBefore: new Date(now.getTime() - DAY),
    notAfter: new Date(now.getTime() + DAY),
    extensions: [
      { name: 'basicConstraints', critical: true, cA: false },
      { name: 'subjectKeyIdentifier' },
      { name: 'authorityKeyIdentifier', keyIdentifier: keyIdentifier(authority.certificate) },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'grafana.example.com' },
          { type: 7, ip },
        ],
      },
    ],
    signingKey: authority.key,
  })
  return { certificate, key: await key(1) }
}

/** @returns `trusted`, or the error code (OpenSSL's text if Node has no code) of a Node client that connects to a host */
function tlsVerdict(authority: Pick<KeyPair, 'certificate'>, leaf: KeyPair, host: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const server = createServer({ cert: leaf.certificate, key: leaf.key })
    server.on('tlsClientError', () => {}) // the client reports the reason
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      const client = connect({ host: '127.0.0.1', port, servername: host, ca: authority.certificate })
      const end = (verdict: string) => {
        client.destroy()
        server.close(() => resolve(verdict))
      }
      client.once('secureConnect', () => end('trusted'))
      client.once('error', (error: NodeJS.ErrnoException) =>
        end(error.code === 'UNSPECIFIED' ? error.message : (error.code ?? error.message)),
      )
    })
  })
}
