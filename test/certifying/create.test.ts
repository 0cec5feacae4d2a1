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

async function userKeyPair(world: FakeWorld, domain: string) {
  const { certificate, key } = await createAuthority(domain, { ...world, now: world.clock.now() })
  return { certificate, key, certificateName: 'ca.crt', keyName: 'ca.key' }
}

describe('cert create', () => {
  it('creates the CA that signs in the next expose', async () => {
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

  it('keeps an existing CA', async () => {
    const world = fullMesh()
    const first = await certCreate({ domain: DOMAIN }, world)
    assert.deepEqual(await certCreate({ domain: DOMAIN }, world), { ...first, action: 'unchanged' })
  })

  it('uses the domain in use without --domain', async () => {
    assert.equal((await certCreate({}, await exposedWorld())).domain, DOMAIN)
    const { code, exitCode } = await refusal(certCreate({}, fullMesh()))
    assert.deepEqual([code, exitCode], ['DOMAIN_UNCLEAR', 2])
  })

  it('creates a key of the requested length', async () => {
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

  it('imports the CA of another machine, which can rotate here once this machine has exposed with it', async () => {
    const there = await exposedWorld()
    const { certificate, key } = there.authorities.kept.get(DOMAIN) ?? assert.fail()
    const here = { ...there, machine: 'you@desktop', authorities: fullMesh().authorities }
    const pair = { certificate, key, certificateName: 'ca.crt', keyName: 'ca.key' }
    assert.equal((await certCreate({ userAuthority: pair }, here)).action, 'imported')
    const rotating = { ca: false, finish: false, yes: true, dryRun: 'none', timeout: 1 } as const
    const refused = await refusal(certRotate(rotating, here))
    assert.equal(refused.code, 'CA_NOT_FOR_GATEWAY')
    assert.match(
      refused.suggestions[0] ?? '',
      /^kubectl telemetry expose grafana kiali --gateway istio-system\/istio-ingressgateway /,
    )
    await expose({ ...requestFor('grafana'), timeout: 1 }, here)
    const { certificates } = await certRotate(rotating, here)
    assert.deepEqual(certificates[0]?.authority, { here: true, signedOn: 'you@desktop' })
    assert.equal(held(there, 'ca.crt'), certificate)
    assert.equal((await certCreate({ userAuthority: pair }, here)).action, 'unchanged')
  })

  it('does not replace an existing CA', async () => {
    const world = await exposedWorld()
    const pair = await userKeyPair({ ...world, random: (bytes) => Buffer.alloc(bytes, 7) }, DOMAIN)
    const before = world.authorities.kept.get(DOMAIN)
    const { code, suggestions } = await refusal(certCreate({ domain: DOMAIN, userAuthority: pair }, world))
    assert.equal(code, 'CA_EXISTS')
    assert.match(suggestions[0] ?? '', /cert rotate --ca --ca-cert FILE --ca-key FILE/)
    assert.deepEqual(world.authorities.kept.get(DOMAIN), before)
  })

  it('stores nothing of a CA for another domain', async () => {
    const world = fullMesh()
    const pair = await userKeyPair(world, 'example.org')
    assert.equal((await refusal(certCreate({ domain: 'example.com', userAuthority: pair }, world))).code, 'CA_INVALID')
    assert.equal(world.authorities.kept.size, 0)
  })
})
