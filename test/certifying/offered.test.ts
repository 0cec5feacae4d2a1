// CAs that others put into the cluster are not trusted, nor handed out.
import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'mocha'
import { requireFingerprint } from '../../src/certificates/fingerprint.ts'
import { certExport } from '../../src/certifying/export.ts'
import { certTrust } from '../../src/certifying/trust.ts'
import { UserError } from '../../src/errors.ts'
import { opensslMake } from '../certificates/openssl.ts'
import { DOMAIN, refusal } from '../exposing/exposing.ts'
import type { FakeWorld } from '../fakes/fake-world.ts'
import { exposedWorld, fingerprintOf, held, hold } from './certifying.ts'

const request = { remove: false, yes: true, dryRun: 'client' } as const
const CRITICAL = 'critical,permitted;DNS:'
const NO_IP = ',excluded;IP:0.0.0.0/0.0.0.0,excluded;IP:0:0:0:0:0:0:0:0/0:0:0:0:0:0:0:0'

/** A root CA as openssl makes it. */
function root(subject: string, ...extensions: string[]): string {
  return opensslMake('-x509', '-days', '30', '-subj', subject, ...extensions.flatMap((one) => ['-addext', one]))
    .certificate
}

describe('a CA that the cluster offers', () => {
  let world: FakeWorld
  beforeEach(async () => {
    world = await exposedWorld()
    // Another machine made it.
    world.authorities.kept.clear()
  })

  it('is trusted when it is limited to the domain, whose names lead to a certificate of it', async () => {
    const { authorities, details } = await certTrust(request, world)
    assert.deepEqual(authorities, [fingerprintOf(held(world, 'ca.crt'))])
    assert.equal(details[0]?.limits, `only names in ${DOMAIN}`)
  })

  const constrained = `nameConstraints=${CRITICAL}${DOMAIN}${NO_IP}`
  for (const [title, make] of [
    ['without limits', () => root('/CN=Evil root')],
    ['limited to another domain', () => root('/CN=Evil root', `nameConstraints=${CRITICAL}bank.test${NO_IP}`)],
    ['limited to this and another domain', () => root('/CN=Evil root', `${constrained},permitted;DNS:bank.test`)],
    ['limited, but not for addresses', () => root('/CN=Evil root', `nameConstraints=${CRITICAL}${DOMAIN}`)],
    ['with limits that clients may ignore', () => root('/CN=Evil root', constrained.replace('critical,', ''))],
    [
      'limited, but itself the certificate of a site',
      () => root('/CN=Evil root', constrained, 'subjectAltName=DNS:bank.test'),
    ],
    ['limited, but named like a site', () => root('/CN=bank.test', constrained)],
    ['that is no CA', () => root('/CN=Evil root', constrained, 'basicConstraints=critical,CA:FALSE')],
  ] as const) {
    it(`wants a fingerprint: ${title}`, async () => {
      const pem = make()
      hold(world, 'ca.crt', pem)
      const { code, message } = await refusal(certTrust(request, world))
      assert.equal(code, 'CA_FINGERPRINT_REQUIRED')
      assert.ok(message.includes(fingerprintOf(pem)) && message.includes('Secret istio-system/kubectl-telemetry-tls'))
      assert.equal((await refusal(certExport({ what: 'ca' }, world))).code, 'CA_FINGERPRINT_REQUIRED')
      const given = { ...request, fingerprints: [fingerprintOf(pem)] }
      assert.deepEqual((await certTrust(given, world)).authorities, [fingerprintOf(pem)])
      assert.equal((await certExport({ what: 'ca', fingerprints: given.fingerprints }, world)).pem, pem)
    })
  }

  it('does not come with one that may be trusted', async () => {
    const evil = root('/CN=Evil root')
    hold(world, 'ca.crt', held(world, 'ca.crt') + evil)
    const { authorities, warnings } = await certTrust(request, world)
    assert.equal(authorities.length, 1)
    assert.ok(!authorities.includes(fingerprintOf(evil)))
    assert.deepEqual(
      warnings.map(({ code }) => code),
      ['CA_FINGERPRINT_REQUIRED', 'NO_TRUST_STORE'],
    )
  })

  it('wants a fingerprint where its exposure is not seen: another certificate answers, or the names lead elsewhere', async () => {
    const serving = world.prober.serving
    world.prober.serving = () => undefined
    assert.equal((await refusal(certTrust(request, world))).code, 'CA_FINGERPRINT_REQUIRED')
    world.prober.serving = serving
    const service = world.cluster.objects.find(({ metadata }) => metadata.name === 'istio-ingressgateway')
    Object.assign(service ?? {}, { status: { loadBalancer: { ingress: [{ ip: '203.0.113.9' }] } } })
    assert.equal((await refusal(certTrust(request, world))).code, 'CA_FINGERPRINT_REQUIRED')
  })

  it('is refused when it has another fingerprint than the given one', async () => {
    const fingerprints = [requireFingerprint('00'.repeat(32))]
    const { code, message } = await refusal(certTrust({ ...request, fingerprints }, world))
    assert.equal(code, 'FINGERPRINT_MISMATCH')
    assert.ok(message.includes(fingerprintOf(held(world, 'ca.crt'))))
  })

  it('in a namespace without an ingress gateway is not offered, even with its fingerprint', async () => {
    const pem = held(world, 'ca.crt')
    const isGateway = ({ kind, metadata }: { kind: string; metadata: { name: string } }) =>
      ['Pod', 'Service'].includes(kind) && metadata.name.startsWith('istio-ingressgateway')
    const left = world.cluster.objects.filter((object) => !isGateway(object))
    world.cluster.objects.splice(0, world.cluster.objects.length, ...left)
    const refused = await refusal(certTrust({ ...request, fingerprints: [fingerprintOf(pem)] }, world))
    assert.match(refused.code, /^(NO_CA_IN_USE|FINGERPRINT_MISMATCH)$/)
    assert.deepEqual(world.trustStores.ran, [])
  })
})

describe('--fingerprint', () => {
  const wanted = Array(32).fill('AB').join(':')
  for (const text of [
    wanted,
    wanted.toLowerCase(),
    'ab'.repeat(32),
    `SHA256 Fingerprint=${wanted}`,
    `sha256:${'ab'.repeat(32)}`,
  ]) {
    it(`takes ${text.slice(0, 30)}`, () => assert.equal(requireFingerprint(text), wanted))
  }
  for (const text of ['', 'ab', 'zz'.repeat(32), 'ab'.repeat(33), 'ab'.repeat(20)]) {
    it(`refuses ${JSON.stringify(text.slice(0, 30))}`, () =>
      assert.throws(
        () => requireFingerprint(text),
        (error) => error instanceof UserError && error.code === 'FINGERPRINT_INVALID',
      ))
  }
})
