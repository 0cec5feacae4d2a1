import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { describe, it } from 'mocha'
import { type Authority, createAuthority } from '../../src/certificates/authority.ts'
import { certificatesIn, isTrusted } from '../../src/certificates/facts.ts'
import { succeeded } from '../../src/certifying/change.ts'
import { certRotate } from '../../src/certifying/rotate.ts'
import { certStatus } from '../../src/certifying/status.ts'
import { expose } from '../../src/exposing/expose.ts'
import { certificateHosts, DOMAIN, find, hosts, refusal, requestFor, written } from '../exposing/exposing.ts'
import type { FakeWorld } from '../fakes/fake-world.ts'
import { exposedWorld, fingerprintOf, held } from './certifying.ts'

const request = { ca: false, finish: false, yes: true, dryRun: 'none', timeout: 1000 } as const
const begin = (world: FakeWorld) => certRotate({ ...request, ca: true }, world)
const finish = (world: FakeWorld) => certRotate({ ...request, finish: true }, world)

function authorityIn({ authorities }: FakeWorld): Authority {
  return authorities.kept.get(DOMAIN) ?? assert.fail('no authority is kept')
}

/** Whether a client that trusts these would accept the served certificate. */
const accepted = (world: FakeWorld, roots: string) =>
  isTrusted(held(world, 'tls.crt'), certificatesIn(roots), world.clock.now())

async function another(world: FakeWorld) {
  const issuing = { ...world, now: world.clock.now(), random: (bytes: number) => Buffer.alloc(bytes, 7) }
  const { certificate, key } = await createAuthority(DOMAIN, issuing)
  return { certificate, key, certificateName: 'ca.crt', keyName: 'ca.key' }
}

describe('cert rotate --ca', () => {
  it('distributes the new CA together with the old one, which still signs', async () => {
    const world = await exposedWorld()
    const [leaf, key, { uid }] = [
      held(world, 'tls.crt'),
      held(world, 'tls.key'),
      find(world.cluster, 'Secret').metadata,
    ]
    const old = authorityIn(world)
    const result = await begin(world)
    const { next } = authorityIn(world)
    assert.ok(next)
    assert.equal(held(world, 'ca.crt'), old.certificate + next.certificate)
    assert.deepEqual([held(world, 'tls.crt'), held(world, 'tls.key')], [leaf, key])
    assert.equal(find(world.cluster, 'Secret').metadata.uid, uid)
    assert.deepEqual(written(world), ['Secret/kubectl-telemetry-tls'])
    assert.ok(accepted(world, old.certificate), 'clients that know nothing of it yet')
    assert.deepEqual(result.rotations, [
      {
        domain: DOMAIN,
        stage: 'overlap',
        certificate: world.authorities.certificatePath(DOMAIN),
        old: { fingerprint: fingerprintOf(old.certificate), notAfter: '2036-11-18T12:00:00.000Z' },
        new: { fingerprint: fingerprintOf(next.certificate), notAfter: '2036-11-18T12:00:00.000Z' },
      },
    ])
    assert.equal(succeeded(result), true)
  })

  it('writes no key of a CA to the cluster', async () => {
    const world = await exposedWorld()
    await begin(world)
    const { key, next } = authorityIn(world)
    const everything = JSON.stringify(world.cluster.objects)
    for (const secret of [key, next?.key ?? '']) assert.ok(!everything.includes(Buffer.from(secret).toString('base64')))
  })

  it('changes nothing the second time', async () => {
    const world = await exposedWorld()
    const first = await begin(world)
    world.cluster.writes.length = 0
    assert.deepEqual((await begin(world)).rotations, first.rotations)
    assert.deepEqual(written(world), [])
  })

  it('is seen by status', async () => {
    const world = await exposedWorld()
    await begin(world)
    const [certificate] = (await certStatus({ expiresIn: 0 }, world)).certificates
    const next = fingerprintOf(authorityIn(world).next?.certificate ?? '')
    assert.deepEqual(certificate?.authority, { here: true, signedOn: 'me@laptop', next })
  })

  it('continues after expose and new leaves in between', async () => {
    const world = await exposedWorld()
    await begin(world)
    const both = held(world, 'ca.crt')
    await expose({ ...requestFor('prometheus'), timeout: 1 }, world)
    assert.equal(certificateHosts(world.cluster).length, 3)
    assert.equal(held(world, 'ca.crt'), both)
    await certRotate(request, world)
    assert.equal(held(world, 'ca.crt'), both)
    assert.ok(accepted(world, authorityIn(world).certificate))
  })

  it('rotates to the user’s own CA', async () => {
    const world = await exposedWorld()
    const userAuthority = await another(world)
    await certRotate({ ...request, ca: true, userAuthority }, world)
    assert.equal(authorityIn(world).next?.certificate, userAuthority.certificate)
    await finish(world)
    assert.equal(authorityIn(world).certificate, userAuthority.certificate)
    assert.ok(accepted(world, userAuthority.certificate))
  })

  it('does not start another rotation before the first is finished', async () => {
    const world = await exposedWorld()
    await begin(world)
    const userAuthority = await another(world)
    assert.equal((await refusal(certRotate({ ...request, ca: true, userAuthority }, world))).code, 'ROTATION_OPEN')
  })

  it('stores and changes nothing in a dry run, nor when the answer is no', async () => {
    const question = `Distribute a new CA together with the old one in istio-system/kubectl-telemetry-tls (${hosts('grafana', 'kiali').join(', ')})?`
    const declined = await exposedWorld({ [question]: false })
    assert.equal((await certRotate({ ...request, ca: true, yes: false }, declined)).outcome, 'declined')
    const planned = await exposedWorld()
    assert.equal((await certRotate({ ...request, ca: true, dryRun: 'server' }, planned)).outcome, 'planned')
    for (const world of [declined, planned]) {
      assert.equal(authorityIn(world).next, undefined)
      assert.deepEqual(written(world), [])
    }
  })

  it('stores the new CA on this machine before the cluster refers to it', async () => {
    const world = await exposedWorld()
    world.cluster.failOnce('apply', 'secrets', new Error('the API server is gone'))
    await assert.rejects(begin(world), /the API server is gone/)
    assert.ok(authorityIn(world).next)
    await begin(world)
    assert.equal(held(world, 'ca.crt'), authorityIn(world).certificate + authorityIn(world).next?.certificate)
  })
})

describe('cert rotate --finish', () => {
  it('signs with the new CA, for clients that trust both, and removes the old one', async () => {
    const world = await exposedWorld()
    const old = authorityIn(world)
    await begin(world)
    const both = held(world, 'ca.crt')
    const { next } = authorityIn(world)
    const result = await finish(world)
    assert.deepEqual(authorityIn(world), { domain: DOMAIN, ...next })
    assert.equal(held(world, 'ca.crt'), next?.certificate)
    assert.deepEqual(certificateHosts(world.cluster), hosts('grafana', 'kiali'))
    assert.deepEqual(
      [both, next?.certificate ?? '', old.certificate].map((roots) => accepted(world, roots)),
      [true, true, false],
    )
    assert.deepEqual(
      result.rotations.map(({ stage }) => stage),
      ['finished'],
    )
    assert.equal(result.certificates[0]?.fingerprint, new X509Certificate(held(world, 'tls.crt')).fingerprint256)
    assert.deepEqual(result.certificates[0]?.authority, { here: true, signedOn: 'me@laptop' })
    assert.equal(succeeded(result), true)
  })

  it('leaves nothing for the next expose to change', async () => {
    const world = await exposedWorld()
    await begin(world)
    await finish(world)
    world.cluster.writes.length = 0
    await expose({ ...requestFor('grafana'), timeout: 1 }, world)
    assert.deepEqual(written(world), [])
  })

  it('removes nothing when the API server refuses, and can be run again', async () => {
    const world = await exposedWorld()
    await begin(world)
    const before = authorityIn(world)
    world.cluster.failOnce('apply', 'secrets', new Error('the API server is gone'))
    await assert.rejects(finish(world), /the API server is gone/)
    assert.deepEqual(authorityIn(world), before)
    await finish(world)
    assert.equal(authorityIn(world).certificate, before.next?.certificate)
  })

  it('refuses when no rotation is in progress', async () => {
    const world = await exposedWorld()
    assert.equal((await refusal(finish(world))).code, 'NO_ROTATION')
    await begin(world)
    await finish(world)
    assert.equal((await refusal(finish(world))).code, 'NO_ROTATION')
  })

  it('accepts no CA: only the first step does', async () => {
    const world = await exposedWorld()
    const userAuthority = await another(world)
    for (const steps of [{}, { finish: true }, { ca: true, finish: true }]) {
      const { code, exitCode } = await refusal(certRotate({ ...request, ...steps, userAuthority }, world))
      assert.deepEqual([code, exitCode], ['ROTATION_FLAGS', 2])
    }
  })
})
