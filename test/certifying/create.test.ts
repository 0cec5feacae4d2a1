import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { describe, it } from 'mocha'
import { createAuthority } from '../../src/certificates/authority.ts'
import { certCreate } from '../../src/certifying/create.ts'
import { certRotate } from '../../src/certifying/rotate.ts'
import { expose } from '../../src/exposing/expose.ts'
import { DOMAIN, fullMesh, refusal, requestFor } from '../exposing/exposing.ts'
import type { FakeWorld } from '../fakes/fake-world.ts'
import { exposedWorld, held } from './certifying.ts'

async function brought(world: FakeWorld, domain: string) {
  const { certificate, key } = await createAuthority(domain, { ...world, now: world.clock.now() })
  return { certificate, key, certificateName: 'ca.crt', keyName: 'ca.key' }
}

describe('cert create', () => {
  it('makes the authority that the next expose signs with', async () => {
    const world = fullMesh()
    const result = await certCreate({ domain: DOMAIN }, world)
    const { certificate = '' } = world.authorities.kept.get(DOMAIN) ?? {}
    const { fingerprint256, subject } = new X509Certificate(certificate)
    assert.deepEqual(result, {
      domain: DOMAIN,
      certificate: world.authorities.certificatePath(DOMAIN),
      action: 'created',
      issuer: subject.replace('\n', ', '),
      notAfter: '2036-11-18T12:00:00.000Z',
      daysLeft: 3650,
      fingerprint: fingerprint256,
    })
    await expose({ ...requestFor('grafana'), timeout: 1 }, world)
    assert.equal(held(world, 'ca.crt'), certificate)
  })

  it('leaves the one alone that is there', async () => {
    const world = fullMesh()
    const first = await certCreate({ domain: DOMAIN }, world)
    assert.deepEqual(await certCreate({ domain: DOMAIN }, world), { ...first, action: 'unchanged' })
  })

  it('takes the domain in use when none is named', async () => {
    assert.equal((await certCreate({}, await exposedWorld())).domain, DOMAIN)
    const { code, exitCode } = await refusal(certCreate({}, fullMesh()))
    assert.deepEqual([code, exitCode], ['DOMAIN_REQUIRED', 2])
  })

  it('makes a key of the length that was asked for', async () => {
    const world = fullMesh()
    const asked: (number | undefined)[] = []
    const { generateKey } = world
    world.generateKey = (bits) => {
      asked.push(bits)
      return generateKey(bits)
    }
    await certCreate({ domain: DOMAIN, bits: 3072 }, world)
    assert.deepEqual(asked, [3072])
  })

  it("takes over another machine's authority, which can then rotate here", async () => {
    const there = await exposedWorld()
    const { certificate, key } = there.authorities.kept.get(DOMAIN) ?? assert.fail()
    const here = { ...there, machine: 'you@desktop', authorities: fullMesh().authorities }
    const pair = { certificate, key, certificateName: 'ca.crt', keyName: 'ca.key' }
    assert.equal((await certCreate({ brought: pair }, here)).action, 'imported')
    const { certificates } = await certRotate({ ca: false, finish: false, yes: true, dryRun: 'none', timeout: 1 }, here)
    assert.deepEqual(certificates[0]?.authority, { here: true, signedOn: 'you@desktop' })
    assert.equal(held(there, 'ca.crt'), certificate)
    assert.equal((await certCreate({ brought: pair }, here)).action, 'unchanged')
  })

  it('does not put another in the place of the one that is there', async () => {
    const world = await exposedWorld()
    const pair = await brought({ ...world, random: (bytes) => Buffer.alloc(bytes, 7) }, DOMAIN)
    const before = world.authorities.kept.get(DOMAIN)
    const { code, suggestions } = await refusal(certCreate({ domain: DOMAIN, brought: pair }, world))
    assert.equal(code, 'AUTHORITY_EXISTS')
    assert.match(suggestions[0] ?? '', /cert rotate --ca --ca-cert FILE --ca-key FILE/)
    assert.deepEqual(world.authorities.kept.get(DOMAIN), before)
  })

  it('keeps nothing of an authority for another domain', async () => {
    const world = fullMesh()
    const pair = await brought(world, 'example.org')
    assert.equal((await refusal(certCreate({ domain: 'example.com', brought: pair }, world))).code, 'CA_INVALID')
    assert.equal(world.authorities.kept.size, 0)
  })
})
