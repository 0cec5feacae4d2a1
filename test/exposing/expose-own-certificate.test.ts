/** The user's own certificates: a TLS Secret, or a CA. */
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { requireAddons } from '../../src/addons/catalog.ts'
import { createAuthority, issueLeaf, type KeyPair } from '../../src/certificates/authority.ts'
import { certificatesIn } from '../../src/certificates/facts.ts'
import { certRotate } from '../../src/certifying/rotate.ts'
import { certStatus } from '../../src/certifying/status.ts'
import { cleanup } from '../../src/cleaning/cleanup.ts'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { UserError } from '../../src/errors.ts'
import { expose } from '../../src/exposing/expose.ts'
import { DAY, held } from '../certifying/certifying.ts'
import type { FakeWorld } from '../fakes/fake-world.ts'
import { DOMAIN, find, fullMesh, HOST, hosts, refusal, requestFor, written } from './exposing.ts'

const NAME = 'our-tls'
const request = { ...requestFor('grafana'), timeout: 1 }
const asking = { ...request, tlsSecret: { name: NAME } }

async function pair(world: FakeWorld, names: string[], daysAgo = 0): Promise<KeyPair> {
  const issuing = { ...world, now: new Date(world.clock.now().getTime() - daysAgo * DAY) }
  return issueLeaf(await createAuthority(DOMAIN, issuing), names, issuing)
}

function secret({ certificate, key }: KeyPair, namespace = 'istio-system'): KubeObject {
  const base64 = (text: string) => Buffer.from(text).toString('base64')
  const data = { 'tls.crt': base64(certificate), 'tls.key': base64(key) }
  return { apiVersion: 'v1', kind: 'Secret', type: 'kubernetes.io/tls', metadata: { name: NAME, namespace }, data }
}

/** A mesh with a user's Secret for these names. */
async function worldWith(names = [HOST], daysAgo = 0): Promise<FakeWorld> {
  const world = fullMesh()
  world.cluster.objects.push(secret(await pair(world, names, daysAgo)))
  return world
}

const credential = ({ cluster }: FakeWorld) =>
  (find(cluster, 'Gateway').spec as { servers: { tls?: { credentialName?: string } }[] }).servers[0]?.tls
    ?.credentialName
const codes = ({ warnings }: { warnings: { code: string }[] }) => warnings.map(({ code }) => code)
const foreign = ({ cluster }: FakeWorld) => cluster.objects.find(({ metadata }) => metadata.name === NAME)

describe('expose --tls-secret', () => {
  it('uses the Secret, creates none, stores no CA, and probes with the content of the Secret', async () => {
    const world = await worldWith()
    const before = structuredClone(foreign(world))
    const { result } = await expose(asking, world)
    assert.deepEqual(written(world), ['VirtualService/kubectl-telemetry-grafana', 'Gateway/kubectl-telemetry'])
    assert.equal(credential(world), NAME)
    assert.deepEqual(foreign(world), before)
    assert.equal(world.authorities.kept.size, 0)
    assert.equal(result.authority, undefined)
    assert.deepEqual(result.warnings, [])
    const [probed] = world.prober.probed
    const data = before?.data as Record<string, string>
    assert.equal(probed?.authorityCertificate, Buffer.from(data['tls.crt'] ?? '', 'base64').toString())
    assert.equal(probed?.trustPartialChain, true)
  })

  it('keeps it the next time, and uses a generated one again when the flag names that', async () => {
    const world = await worldWith(hosts('grafana', 'kiali'))
    await expose(asking, world)
    await expose({ ...requestFor('kiali'), timeout: 1 }, world)
    assert.equal(credential(world), NAME)
    await expose({ ...request, tlsSecret: { name: 'kubectl-telemetry-tls' } }, world)
    assert.equal(credential(world), 'kubectl-telemetry-tls')
    assert.ok(held(world, 'tls.crt'))
  })

  it('changes nothing the second time', async () => {
    const world = await worldWith()
    await expose(asking, world)
    world.cluster.writes.length = 0
    await expose(asking, world)
    assert.deepEqual(written(world), [])
  })

  it('is seen by status, and not rotated', async () => {
    const world = await worldWith()
    await expose(asking, world)
    const { certificates } = await certStatus({ expiresIn: 0 }, world)
    assert.deepEqual(
      certificates.map(({ secret, authority, served }) => [secret, authority.here, served?.matches]),
      [[`istio-system/${NAME}`, false, true]],
    )
    const rotating = { ca: false, finish: false, yes: true, dryRun: 'none', timeout: 1 } as const
    assert.equal((await refusal(certRotate(rotating, world))).code, 'NOT_OURS')
  })

  it('warns about a wildcard, and about a certificate that expires soon', async () => {
    const wild = await worldWith([`*.${DOMAIN}`])
    assert.deepEqual(codes((await expose(asking, wild)).result), ['WILDCARD'])
    const old = await worldWith([HOST], 390)
    assert.deepEqual(codes((await expose(asking, old)).result), ['OWN_CERTIFICATE_EXPIRES_SOON'])
  })

  const refused: [name: string, world: () => Promise<FakeWorld>, code: string, message: RegExp][] = [
    ['is not there', async () => fullMesh(), 'SECRET_NOT_FOUND', /Secret istio-system\/our-tls does not exist/],
    [
      'is for other hosts',
      () => worldWith(hosts('kiali')),
      'CERTIFICATE_INVALID',
      /is not for grafana\.192\.0\.2\.10\.nip\.io, but for kiali\.192/,
    ],
    [
      'has expired',
      () => worldWith([HOST], 397),
      'CERTIFICATE_INVALID',
      /its certificate expired on 2026-11-20T12:00:00.000Z/,
    ],
    [
      'has the key of another',
      async () => {
        const world = fullMesh()
        const [one, other] = [await pair(world, [HOST]), await pair(world, [HOST])]
        world.cluster.objects.push(secret({ ...one, key: other.key }))
        return world
      },
      'CERTIFICATE_INVALID',
      /tls\.key is not the key of tls\.crt/,
    ],
    [
      'holds garbage',
      async () => {
        const world = fullMesh()
        world.cluster.objects.push(secret({ certificate: 'garbage', key: 'garbage' }))
        return world
      },
      'CERTIFICATE_INVALID',
      /tls\.crt is not a certificate/,
    ],
    [
      'holds nothing of that kind',
      async () => {
        const world = fullMesh()
        world.cluster.objects.push({ ...secret({ certificate: '', key: '' }), data: { token: 'eA==' } })
        return world
      },
      'CERTIFICATE_INVALID',
      /it has no tls\.crt and tls\.key/,
    ],
  ]
  for (const [name, make, code, message] of refused) {
    it(`refuses one that ${name}, and changes nothing`, async () => {
      const world = await make()
      const error = await refusal(expose(asking, world))
      assert.equal(error.code, code)
      assert.match(error.message, message)
      assert.deepEqual(world.cluster.writes, [])
    })
  }

  it('refuses a Secret in another namespace, which the gateway cannot use', async () => {
    const world = await worldWith()
    const there = { ...request, tlsSecret: { namespace: 'default', name: NAME } }
    assert.equal((await refusal(expose(there, world))).code, 'SECRET_ELSEWHERE')
    const here = { ...request, tlsSecret: { namespace: 'istio-system', name: NAME } }
    assert.equal((await expose(here, world)).result.outcome, 'applied')
  })
})

describe('expose --ca-cert --ca-key', () => {
  async function authority(world: FakeWorld, byte: number) {
    const issuing = { ...world, now: world.clock.now(), random: (bytes: number) => Buffer.alloc(bytes, byte) }
    const { certificate, key } = await createAuthority(DOMAIN, issuing)
    return { certificate, key, certificateName: 'ca.crt', keyName: 'ca.key' }
  }

  it('signs with the CA, and stores it', async () => {
    const world = fullMesh()
    const userAuthority = await authority(world, 7)
    await expose({ ...request, userAuthority }, world)
    assert.equal(held(world, 'ca.crt'), userAuthority.certificate)
    assert.equal(world.authorities.kept.get(DOMAIN)?.key, userAuthority.key)
    world.cluster.writes.length = 0
    await expose({ ...request, userAuthority }, world)
    await expose(request, world)
    assert.deepEqual(written(world), [])
  })

  it('does not replace an existing CA', async () => {
    const world = fullMesh()
    await expose(request, world)
    world.cluster.writes.length = 0
    assert.equal(
      (await refusal(expose({ ...request, userAuthority: await authority(world, 7) }, world))).code,
      'CA_EXISTS',
    )
    assert.deepEqual(written(world), [])
  })

  it('warns when the CA of this machine replaces the CA of another', async () => {
    const world = fullMesh()
    await expose(request, world)
    const elsewhere = { ...world, machine: 'you@desktop', authorities: fullMesh().authorities }
    const { result } = await expose(request, elsewhere)
    assert.deepEqual(codes(result), ['CA_REPLACED'])
    assert.match(result.warnings[0]?.message ?? '', /signed by the CA on me@laptop until now/)
    assert.deepEqual(codes((await expose(request, elsewhere)).result), [])
    assert.equal(certificatesIn(held(world, 'ca.crt')).length, 1)
  })
})

describe('expose --tls-issuer', () => {
  const issuer = { kind: 'ClusterIssuer', name: 'letsencrypt' } as const
  const wanting = { ...request, tlsIssuer: issuer, timeout: 10_000 }
  const ISSUED = 'kubectl-telemetry-issued'

  /** A mesh with cert-manager, which creates the Secret for the names of the Certificate during the wait. */
  function withCertManager(): FakeWorld {
    const world = fullMesh()
    world.cluster.groups['cert-manager.io'] = ['v1']
    const { sleep } = world.clock
    world.clock.sleep = async (milliseconds) => {
      await sleep.call(world.clock, milliseconds)
      const certificate = world.cluster.objects.find(({ kind }) => kind === 'Certificate')
      if (certificate === undefined) return
      const { dnsNames, secretName, secretTemplate } = certificate.spec as {
        dnsNames: string[]
        secretName: string
        secretTemplate: { labels: Record<string, string> }
      }
      const made = secret(await pair(world, dnsNames))
      made.metadata = { name: secretName, namespace: 'istio-system', uid: 'issued', labels: secretTemplate.labels }
      world.cluster.objects.push(made)
    }
    return world
  }

  it('requests only these hosts from cert-manager, and serves after it created the Secret', async () => {
    const world = withCertManager()
    const { result } = await expose(wanting, world)
    assert.deepEqual(written(world), [
      'Certificate/kubectl-telemetry',
      'VirtualService/kubectl-telemetry-grafana',
      'Gateway/kubectl-telemetry',
    ])
    const { dnsNames, issuerRef } = find(world.cluster, 'Certificate').spec as { dnsNames: string[]; issuerRef: object }
    assert.deepEqual([dnsNames, issuerRef], [[HOST], { group: 'cert-manager.io', ...issuer }])
    assert.equal(credential(world), ISSUED)
    assert.match(world.prober.probed[0]?.authorityCertificate ?? '', /BEGIN CERTIFICATE/)
    assert.deepEqual([result.outcome, codes(result), world.authorities.kept.size], ['applied', [], 0])
  })

  it('changes nothing the second time, and requests another host with the next add-on', async () => {
    const world = withCertManager()
    await expose(wanting, world)
    world.cluster.writes.length = 0
    await expose({ ...request, timeout: 10_000 }, world)
    assert.deepEqual(written(world), [])
    world.cluster.objects.splice(
      world.cluster.objects.findIndex(({ metadata }) => metadata.name === ISSUED),
      1,
    )
    await expose({ ...requestFor('kiali'), timeout: 10_000 }, world)
    assert.deepEqual(
      (find(world.cluster, 'Certificate').spec as { dnsNames: string[] }).dnsNames,
      hosts('grafana', 'kiali'),
    )
    assert.equal(credential(world), ISSUED)
  })

  it('is removed by cleanup: the Certificate before the Secret, which cert-manager would create again', async () => {
    const world = withCertManager()
    await expose(wanting, world)
    world.cluster.writes.length = 0
    await cleanup({ addons: requireAddons([]), yes: true, dryRun: 'none' }, world)
    assert.deepEqual(written(world).slice(-2), ['-Certificate/kubectl-telemetry', `-Secret/${ISSUED}`])
  })

  it('does not prevent cleanup without permission to list Certificates', async () => {
    const world = withCertManager()
    await expose(request, world)
    world.cluster.fail('list', 'certificates', new UserError('FORBIDDEN', 'no'))
    const result = await cleanup({ addons: requireAddons([]), yes: true, dryRun: 'none' }, world)
    assert.equal(result.deleted.length, 3)
  })

  it('serves nothing without a certificate, and repeats the reason from cert-manager', async () => {
    const world = fullMesh()
    world.cluster.groups['cert-manager.io'] = ['v1']
    const error = await refusal(expose(wanting, world))
    assert.equal(error.code, 'CERTIFICATE_NOT_ISSUED')
    assert.match(error.message, /changed before that: certificate\.cert-manager\.io\/kubectl-telemetry/)
    assert.deepEqual(written(world), ['Certificate/kubectl-telemetry'])
  })

  it('refuses without cert-manager', async () => {
    const world = fullMesh()
    assert.equal((await refusal(expose(wanting, world))).code, 'CERT_MANAGER_NOT_FOUND')
    assert.deepEqual(world.cluster.writes, [])
  })
})
