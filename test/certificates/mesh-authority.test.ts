/** The root of a mesh and the CAs of its clusters, as openssl and istiod judge them. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { before, describe, it } from 'mocha'
import type { IssuanceInputs, KeyPair } from '../../src/certificates/authority.ts'
import { createMeshRoot, issueIntermediate, leadsTo, whyUnusable } from '../../src/certificates/mesh-authority.ts'
import { requireUserRoot } from '../../src/certificates/user-authority.ts'
import type { UserError } from '../../src/errors.ts'

const NOW = new Date()
const DAY = 24 * 60 * 60 * 1000

describe('the CAs of a mesh', () => {
  let root: KeyPair
  let west: KeyPair
  let asked: (number | undefined)[]

  before(async () => {
    asked = []
    let drawn = 1
    const making: IssuanceInputs = {
      now: NOW,
      random: (bytes) => new Uint8Array(bytes).fill(drawn++),
      generateKey: async (bits) => {
        asked.push(bits)
        const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
        return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
      },
    }
    root = await createMeshRoot(making)
    west = await issueIntermediate(root, { cluster: 'west', namespace: 'istio-system' }, making)
  })

  it('are accepted by openssl, strictly', () => {
    const directory = mkdtempSync(join(tmpdir(), 'mesh-authority-'))
    try {
      const files = [root, west].map(({ certificate }, index) => {
        const file = join(directory, `${index}.pem`)
        writeFileSync(file, certificate)
        return file
      })
      const [rootFile = '', westFile = ''] = files
      const answer = execFileSync('openssl', ['verify', '-x509_strict', '-CAfile', rootFile, westFile], {
        encoding: 'utf8',
      })
      assert.match(answer, /OK$/m)
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

  it('have keys of 4096 bits, and the fields that Istio and people look at', () => {
    assert.deepEqual(asked, [4096, 4096])
    const [read, readRoot] = [west, root].map(({ certificate }) => new X509Certificate(certificate))
    assert.match(read?.subject ?? '', /^L=west$/m)
    assert.equal(read?.subjectAltName, 'DNS:istiod.istio-system.svc')
    const days = (one: X509Certificate | undefined) =>
      Math.round(((one?.validToDate.getTime() ?? 0) - NOW.getTime()) / DAY)
    assert.deepEqual([days(read), days(readRoot)], [730, 3650])
  })

  it('are files with which istiod can sign; others are named', async () => {
    const files = { signer: west, chain: [west.certificate], roots: [root.certificate] }
    assert.equal(whyUnusable(files, NOW), undefined)
    const wrong = {
      'the certificate of the CA cannot be read': { ...files, signer: { ...west, certificate: 'none' } },
      'the key does not belong to the certificate of the CA': { ...files, signer: { ...west, key: root.key } },
      'the CA does not lead to any of the roots': { ...files, roots: ['none'] },
    }
    for (const [why, one] of Object.entries(wrong)) assert.equal(whyUnusable(one, NOW), why)
    assert.match(whyUnusable(files, new Date(NOW.getTime() + 800 * DAY)) ?? '', /^the CA is valid from/)
  })

  it('lead to their root by signatures, whatever their names are', () => {
    assert.equal(leadsTo([west.certificate], [root.certificate]), true)
    assert.equal(leadsTo([root.certificate], [west.certificate]), false)
    assert.equal(leadsTo([], [root.certificate]), false)
    assert.equal(leadsTo(['garbage', west.certificate], [root.certificate]), false)
  })

  it('may have a root of the user, if it can sign other CAs', () => {
    const names = { certificateName: 'root.pem', keyName: 'root.key' }
    assert.equal(requireUserRoot({ ...root, ...names }, NOW).certificate, root.certificate)
    const refused = (pair: KeyPair, why: RegExp, now = NOW) =>
      assert.throws(
        () => requireUserRoot({ ...pair, ...names }, now),
        (error: UserError) => error.code === 'CA_INVALID' && error.exitCode === 2 && why.test(error.message),
      )
    refused(west, /another CA signed it/)
    refused({ ...root, key: west.key }, /does not belong/)
    refused({ ...root, key: '' }, /not a private key/)
    refused({ ...root, certificate: 'none' }, /not a certificate/)
    refused(root, /only valid from/, new Date(NOW.getTime() + 4000 * DAY))
  })
})
