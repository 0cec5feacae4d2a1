import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { type CertStatusResult, certStatus, succeeded } from '../../src/certifying/status.ts'
import { DOMAIN, find, fullMesh, hosts } from '../exposing/exposing.ts'
import type { FakeWorld } from '../fakes/fake-world.ts'
import { DAY, exposedWorld, fingerprintOf, held, hold } from './certifying.ts'

const request = { expiresIn: 14 * DAY }
const codes = ({ warnings }: CertStatusResult) => warnings.map(({ code }) => code)

async function after(milliseconds: number, world: FakeWorld): Promise<CertStatusResult> {
  await world.clock.sleep(milliseconds)
  return certStatus(request, world)
}

describe('cert status', () => {
  it('reports names, issuer, days left, the served certificate, and where the CA is', async () => {
    const world = await exposedWorld()
    const result = await certStatus(request, world)
    const fingerprint = fingerprintOf(held(world, 'tls.crt'))
    assert.deepEqual(result, {
      certificates: [
        {
          secret: 'istio-system/kubectl-telemetry-tls',
          hosts: hosts('grafana', 'kiali'),
          issuer: 'O=kubectl telemetry, CN=kubectl telemetry CA 4dff4ea3',
          notAfter: '2027-12-22T12:00:00.000Z',
          daysLeft: 396,
          fingerprint,
          served: { fingerprint, matches: true },
          authority: { here: true, signedOn: 'me@laptop' },
          trusted: false,
        },
      ],
      warnings: [],
    })
    assert.equal(succeeded(result), true)
    assert.deepEqual(world.cluster.writes, [])
  })

  const LASTS = 396 * DAY
  const ends: [name: string, passed: number, daysLeft: number, code: string | undefined][] = [
    ['30 days before the end', LASTS - 30 * DAY, 30, undefined],
    ['14 days before the end', LASTS - 14 * DAY, 14, undefined],
    ['a millisecond later', LASTS - 14 * DAY + 1, 13, 'CERTIFICATE_EXPIRES_SOON'],
    ['on the last day', LASTS - 1, 0, 'CERTIFICATE_EXPIRES_SOON'],
    ['when it has expired', LASTS + 1, -1, 'CERTIFICATE_EXPIRED'],
  ]
  for (const [name, passed, daysLeft, code] of ends) {
    it(`${code === undefined ? 'is content' : `says ${code} and fails`} ${name}`, async () => {
      const world = await exposedWorld()
      const elapsed = world.clock.now().getTime() - new Date('2026-11-21T12:00:00Z').getTime()
      const result = await after(passed - elapsed, world)
      assert.equal(result.certificates[0]?.daysLeft, daysLeft)
      assert.deepEqual(codes(result), code === undefined ? [] : [code])
      assert.equal(succeeded(result), code === undefined)
    })
  }

  it('reports nothing when nothing is exposed, and when nothing is exposed over HTTPS', async () => {
    assert.deepEqual(await certStatus(request, fullMesh()), { certificates: [], warnings: [] })
  })

  it('fails when the Gateway was deleted but not the rest, with the command that removes it', async () => {
    const world = await exposedWorld()
    const { objects } = world.cluster
    objects.splice(objects.indexOf(find(world.cluster, 'Gateway')), 1)
    const result = await certStatus(request, world)
    assert.deepEqual([result.certificates, codes(result), succeeded(result)], [[], ['EXPOSURE_LEFTOVERS'], false])
    assert.match(result.warnings[0]?.message ?? '', /Secret kubectl-telemetry-tls/)
    assert.deepEqual(codes(await certStatus({ ...request, namespace: 'istio-system' }, world)), ['EXPOSURE_LEFTOVERS'])
    assert.deepEqual(codes(await certStatus({ ...request, namespace: 'default' }, world)), [])
  })

  it('reads only the namespace of -n', async () => {
    const world = await exposedWorld()
    assert.equal((await certStatus({ ...request, namespace: 'istio-system' }, world)).certificates.length, 1)
    assert.equal((await certStatus({ ...request, namespace: 'default' }, world)).certificates.length, 0)
  })

  it('reports that this machine trusts it', async () => {
    const world = await exposedWorld()
    world.trustStores.roots.push(world.authorities.kept.get(DOMAIN)?.certificate ?? '')
    assert.equal((await certStatus(request, world)).certificates[0]?.trusted, true)
  })

  it('fails when the gateway serves another certificate than the Secret contains, for any of the hosts', async () => {
    const world = await exposedWorld()
    const other = await exposedWorld()
    other.random = (bytes) => Buffer.alloc(bytes, 9)
    const serves = world.prober.serving
    const foreign = world.authorities.kept.get(DOMAIN)?.certificate ?? ''
    world.prober.serving = (host) => (host.startsWith('kiali') ? foreign : serves(host))
    const result = await certStatus(request, world)
    assert.deepEqual(result.certificates[0]?.served, { fingerprint: fingerprintOf(foreign), matches: false })
    assert.deepEqual(codes(result), ['SERVED_DIFFERS'])
    assert.equal(succeeded(result), false)
  })

  it('does not fail when the gateway cannot be reached from here', async () => {
    const world = await exposedWorld()
    world.prober.serving = () => undefined
    const result = await certStatus(request, world)
    assert.equal(result.certificates[0]?.served, undefined)
    assert.deepEqual(codes(result), ['NOT_REACHED'])
    assert.equal(succeeded(result), true)
  })

  it('fails when the Secret is missing, and names the affected hosts', async () => {
    const world = await exposedWorld()
    const secret = find(world.cluster, 'Secret')
    world.cluster.objects.splice(world.cluster.objects.indexOf(secret), 1)
    const result = await certStatus(request, world)
    assert.deepEqual(result.certificates, [
      {
        secret: 'istio-system/kubectl-telemetry-tls',
        hosts: hosts('grafana', 'kiali'),
        authority: { here: false },
        trusted: false,
      },
    ])
    assert.deepEqual(codes(result), ['SECRET_MISSING'])
    assert.equal(succeeded(result), false)
  })

  it('fails when the Secret contains garbage', async () => {
    const world = await exposedWorld()
    world.prober.serving = () => undefined
    hold(world, 'tls.crt', 'garbage')
    const result = await certStatus(request, world)
    assert.deepEqual(codes(result), ['SECRET_INVALID'])
    assert.equal(succeeded(result), false)
  })

  it('fails when the key in the Secret is not that of the certificate', async () => {
    const world = await exposedWorld()
    hold(world, 'tls.key', world.authorities.kept.get(DOMAIN)?.key ?? '')
    const result = await certStatus(request, world)
    assert.deepEqual(codes(result), ['SECRET_INVALID'])
    assert.equal(succeeded(result), false)
  })

  it('fails when a host of the Gateway is not among the names', async () => {
    const world = await exposedWorld()
    const { servers } = find(world.cluster, 'Gateway').spec as { servers: { hosts: string[] }[] }
    servers[0]?.hosts.push(...hosts('prometheus'))
    const result = await certStatus(request, world)
    assert.deepEqual(codes(result), ['NAMES_MISSING'])
    assert.match(result.warnings[0]?.message ?? '', /is not for prometheus\.192/)
    assert.equal(succeeded(result), false)
  })

  it('names the machine of the CA on another machine', async () => {
    const world = await exposedWorld()
    world.authorities.kept.clear()
    const [certificate] = (await certStatus(request, world)).certificates
    assert.deepEqual(certificate?.authority, { here: false, signedOn: 'me@laptop' })
  })
})
