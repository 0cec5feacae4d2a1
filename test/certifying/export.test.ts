import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { certExport } from '../../src/certifying/export.ts'
import { opensslPkcs12 } from '../certificates/openssl.ts'
import { DOMAIN, fullMesh, refusal } from '../exposing/exposing.ts'
import { exposedWorld, fingerprintOf, held, hold } from './certifying.ts'

const SECRET = 'istio-system/kubectl-telemetry-tls'

describe('cert export', () => {
  it('exports the CA and the chain, also on machines without the CA, and never a key', async () => {
    const world = await exposedWorld()
    world.authorities.kept.clear()
    const [leaf, ca] = [held(world, 'tls.crt'), held(world, 'ca.crt')]
    const { authorities, warnings, ...exported } = await certExport({ what: 'ca' }, world)
    assert.deepEqual(exported, { what: 'ca', secret: SECRET, pem: ca })
    assert.deepEqual(warnings, [])
    assert.deepEqual(
      authorities.map(({ limits, fingerprint, source }) => [limits, fingerprint, source]),
      [[`only names in ${DOMAIN}`, fingerprintOf(ca), `Secret ${SECRET}`]],
    )
    assert.equal((await certExport({ what: 'fullchain' }, world)).pem, leaf + ca)
    assert.deepEqual(world.cluster.writes, [])
  })

  it('writes a file that others may read, and overwrites none', async () => {
    const world = await exposedWorld()
    const request = { what: 'ca', file: 'ca.crt' } as const
    assert.equal((await certExport(request, world)).file, 'ca.crt')
    assert.deepEqual(world.files.get('ca.crt'), { data: held(world, 'ca.crt'), mode: 0o644 })
    assert.equal((await refusal(certExport(request, world))).code, 'FILE_EXISTS')
  })

  it('writes PKCS#12 that only its owner may read, with a generated or given password', async () => {
    const world = await exposedWorld()
    const made = await certExport({ what: 'pkcs12', file: 'a.p12' }, world)
    assert.match(made.password ?? '', /^[\w-]{24}$/)
    const given = await certExport({ what: 'pkcs12', file: 'b.p12', password: 'correct horse' }, world)
    assert.equal(given.password, undefined)
    for (const [name, password] of [
      ['a.p12', made.password ?? ''],
      ['b.p12', 'correct horse'],
    ] as const) {
      const file = world.files.get(name)
      assert.equal(file?.mode, 0o600)
      assert.ok(opensslPkcs12(file?.data as Uint8Array, password).includes(held(world, 'tls.crt').trim()))
    }
  })

  it('needs a file and a password for PKCS#12', async () => {
    const world = await exposedWorld()
    const none = await refusal(certExport({ what: 'pkcs12' }, world))
    assert.deepEqual([none.code, none.exitCode], ['FILE_REQUIRED', 2])
    const empty = await refusal(certExport({ what: 'pkcs12', file: 'a.p12', password: '' }, world))
    assert.deepEqual([empty.code, empty.exitCode], ['PASSWORD_INVALID', 2])
    assert.equal(world.files.size, 0)
  })

  it('refuses when nothing is exposed, and when the Secret is empty', async () => {
    assert.equal((await refusal(certExport({ what: 'ca' }, fullMesh()))).code, 'NOTHING_EXPOSED')
    const world = await exposedWorld()
    hold(world, 'ca.crt', '')
    assert.equal((await refusal(certExport({ what: 'ca' }, world))).code, 'CA_NOT_IN_SECRET')
  })
})
