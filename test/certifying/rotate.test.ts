import assert from 'node:assert/strict'
import { createPublicKey, X509Certificate } from 'node:crypto'
import { describe, it } from 'mocha'
import { isPair, keyBits } from '../../src/certificates/authority.ts'
import { serialNumber, signCertificate } from '../../src/certificates/x509.ts'
import { succeeded } from '../../src/certifying/change.ts'
import { certRotate } from '../../src/certifying/rotate.ts'
import { expose } from '../../src/exposing/expose.ts'
import { key, NOW } from '../certificates/issuing.ts'
import { DOMAIN, find, fullMesh, hosts, refusal, requestFor, written } from '../exposing/exposing.ts'
import type { FakeWorld } from '../fakes/fake-world.ts'
import { exposedWorld, fingerprintOf, held, hold } from './certifying.ts'

const request = { ca: false, finish: false, yes: true, dryRun: 'none', timeout: 1000 } as const
const QUESTION = `Create a new certificate in istio-system/kubectl-telemetry-tls (${hosts('grafana', 'kiali').join(', ')})?`

/** The lengths of the keys that are created from now on; undefined for the usual one. */
function keysOf(world: FakeWorld): (number | undefined)[] {
  const asked: (number | undefined)[] = []
  const { generateKey } = world
  world.generateKey = (bits) => {
    asked.push(bits)
    return generateKey(bits)
  }
  return asked
}

/** A certificate of anybody, for a key of this length that nobody has. */
async function certificateOf(bits: number): Promise<string> {
  const n = Buffer.alloc(bits / 8, 0xff).toString('base64url')
  const publicKey = createPublicKey({ format: 'jwk', key: { kty: 'RSA', n, e: 'AQAB' } })
  const name = { organization: 'somebody', commonName: 'old' }
  const certificate = signCertificate({
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    ...{ subject: name, issuer: name, serial: serialNumber(Buffer.alloc(16, 7)) },
    ...{ notBefore: NOW, notAfter: NOW, extensions: [], signingKey: await key(0) },
  })
  assert.equal(keyBits(certificate), bits)
  return certificate
}

const pairOf = (world: FakeWorld) => ({ certificate: held(world, 'tls.crt'), key: held(world, 'tls.key') })

describe('cert rotate', () => {
  it('replaces key and certificate in the Secret, from the same CA for the same hosts', async () => {
    const world = await exposedWorld()
    const [before, { uid }] = [pairOf(world), find(world.cluster, 'Secret').metadata]
    const result = await certRotate(request, world)
    const after = pairOf(world)
    assert.ok(isPair(after))
    assert.notEqual(after.key, before.key)
    const [old, made] = [before, after].map(({ certificate }) => new X509Certificate(certificate))
    assert.equal(made?.subjectAltName, old?.subjectAltName)
    assert.equal(made?.issuer, old?.issuer)
    assert.notEqual(made?.serialNumber, old?.serialNumber)
    assert.deepEqual(written(world), ['Secret/kubectl-telemetry-tls'])
    assert.equal(find(world.cluster, 'Secret').metadata.uid, uid)
    assert.deepEqual(
      [result.outcome, result.certificates[0]?.fingerprint, result.certificates[0]?.served?.matches],
      ['applied', made?.fingerprint256, true],
    )
    assert.equal(succeeded(result), true)
  })

  it('leaves nothing for the next expose to change', async () => {
    const world = await exposedWorld()
    await certRotate(request, world)
    world.cluster.writes.length = 0
    await expose({ ...requestFor('grafana'), timeout: 1 }, world)
    assert.deepEqual(written(world), [])
  })

  it('waits until the gateway serves the new one', async () => {
    const world = await exposedWorld()
    const [serves, old] = [world.prober.serving, held(world, 'tls.crt')]
    const from = world.clock.now().getTime()
    world.prober.serving = (host) => (world.clock.now().getTime() - from < 500 ? old : serves(host))
    const result = await certRotate(request, world)
    assert.equal(result.certificates[0]?.served?.matches, true)
    assert.equal(world.clock.now().getTime() - from, 500)
  })

  it('fails when the gateway keeps serving the old one', async () => {
    const world = await exposedWorld()
    const old = held(world, 'tls.crt')
    world.prober.serving = () => old
    const result = await certRotate(request, world)
    assert.deepEqual(result.certificates[0]?.served, { fingerprint: fingerprintOf(old), matches: false })
    assert.deepEqual(
      result.warnings.map(({ code }) => code),
      ['SERVED_DIFFERS'],
    )
    assert.equal(succeeded(result), false)
  })

  it('creates a key of the requested length, and keeps the length the next time', async () => {
    const world = await exposedWorld()
    const asked = keysOf(world)
    await certRotate({ ...request, bits: 4096 }, world)
    await certRotate(request, world)
    assert.deepEqual(asked, [4096, 2048])
  })

  for (const bits of [512, 32_768]) {
    it(`does not keep the length of a key in the Secret that is ${bits < 2048 ? 'unsafe' : 'slow to create'}`, async () => {
      const world = await exposedWorld()
      const asked = keysOf(world)
      hold(world, 'tls.crt', await certificateOf(bits))
      await certRotate(request, world)
      assert.deepEqual(asked, [undefined])
    })
  }

  it('repairs a Secret that is missing or contains garbage', async () => {
    const world = await exposedWorld()
    const secret = find(world.cluster, 'Secret')
    world.cluster.objects.splice(world.cluster.objects.indexOf(secret), 1)
    assert.equal(succeeded(await certRotate(request, world)), true)
    assert.deepEqual(written(world), ['Secret/kubectl-telemetry-tls'])
  })

  it('has nothing to do when nothing is exposed', async () => {
    const result = await certRotate(request, fullMesh())
    assert.deepEqual([result.outcome, result.certificates, succeeded(result)], ['applied', [], true])
  })

  it('changes nothing in a dry run', async () => {
    for (const dryRun of ['client', 'server'] as const) {
      const world = await exposedWorld()
      const result = await certRotate({ ...request, dryRun }, world)
      assert.deepEqual([result.outcome, world.cluster.writes], ['planned', []])
      assert.equal(result.objects[0]?.action, 'configured')
    }
  })

  it('asks on a terminal, and does nothing when the answer is no', async () => {
    for (const answer of [true, false]) {
      const world = await exposedWorld({ [QUESTION]: answer })
      const result = await certRotate({ ...request, yes: false }, world)
      assert.equal(result.outcome, answer ? 'applied' : 'declined')
      assert.equal(world.cluster.writes.length, answer ? 1 : 0)
      assert.equal(succeeded(result), answer)
    }
  })

  it('refuses without a terminal and -y', async () => {
    const world = await exposedWorld()
    assert.equal((await refusal(certRotate({ ...request, yes: false }, world))).code, 'CONSENT_REQUIRED')
    assert.deepEqual(world.cluster.writes, [])
  })

  it('names the machine of the CA on another machine, and how to import it', async () => {
    const world = await exposedWorld()
    world.authorities.kept.clear()
    const { code, message, suggestions } = await refusal(certRotate(request, world))
    assert.equal(code, 'CA_ELSEWHERE')
    assert.equal(message, `the CA of ${DOMAIN} is not on this machine: its key is on me@laptop`)
    assert.match(
      suggestions[1] ?? '',
      /cert create --domain 192\.0\.2\.10\.nip\.io --ca-cert ca\.crt --ca-key ca\.key$/,
    )
    assert.deepEqual(world.cluster.writes, [])
  })

  it('refuses a Secret that kubectl telemetry did not create', async () => {
    const world = await exposedWorld()
    find(world.cluster, 'Secret').metadata.labels = {}
    assert.equal((await refusal(certRotate(request, world))).code, 'NOT_OURS')
    assert.deepEqual(world.cluster.writes, [])
  })
})
