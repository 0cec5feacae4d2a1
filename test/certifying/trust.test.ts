import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { beforeEach, describe, it } from 'mocha'
import { entryName } from '../../src/certificates/trust-places.ts'
import type { TrustStore } from '../../src/certificates/trust-stores.ts'
import { certCreate } from '../../src/certifying/create.ts'
import { certRotate } from '../../src/certifying/rotate.ts'
import { type CertTrustResult, certTrust, succeeded } from '../../src/certifying/trust.ts'
import { UserError } from '../../src/errors.ts'
import { DOMAIN, fullMesh, refusal } from '../exposing/exposing.ts'
import type { FakeWorld } from '../fakes/fake-world.ts'
import { exposedWorld, fingerprintOf, held } from './certifying.ts'

const request = { remove: false, yes: true, dryRun: 'none' } as const
const SYSTEM = '/usr/local/share/ca-certificates'
const BROWSER = '/home/me/.pki/nssdb'
const FORGET = 'Remove the CA from the trust stores of this machine with these commands?'

function stores(): TrustStore[] {
  return [
    { place: { kind: 'anchors', directory: SYSTEM, refresh: ['update-ca-certificates'] }, entries: [] },
    { place: { kind: 'nss', directory: BROWSER }, entries: [] },
  ]
}

const actions = ({ stores }: CertTrustResult) => stores.map(({ action }) => action)
const there = ({ trustStores }: FakeWorld) => trustStores.stores.map(({ entries }) => entries)

describe('cert trust', () => {
  let world: FakeWorld
  let name: string
  beforeEach(async () => {
    world = await exposedWorld()
    world.trustStores.stores = stores()
    name = entryName(fingerprintOf(held(world, 'ca.crt')))
  })

  it('adds the CA to every store, from a file with only the CA', async () => {
    const result = await certTrust(request, world)
    assert.deepEqual(there(world), [[name], [name]])
    assert.deepEqual(world.trustStores.files, new Map([[name, held(world, 'ca.crt')]]))
    const file = world.trustStores.fileOf(name)
    assert.deepEqual(result, {
      outcome: 'applied',
      authorities: [fingerprintOf(held(world, 'ca.crt'))],
      details: [
        {
          subject: new X509Certificate(held(world, 'ca.crt')).subject.replace('\n', ', '),
          limits: `only names in ${DOMAIN}`,
          fingerprint: fingerprintOf(held(world, 'ca.crt')),
          source: 'Secret istio-system/kubectl-telemetry-tls',
        },
      ],
      stores: [
        {
          store: `system (${SYSTEM})`,
          action: 'trusted',
          commands: [`install -m 644 ${file} ${SYSTEM}/${name}.crt`, 'update-ca-certificates'],
        },
        {
          store: `browsers (${BROWSER})`,
          action: 'trusted',
          commands: [`certutil -d sql:${BROWSER} -A -t C,, -n ${name} -i ${file}`],
        },
      ],
      warnings: [],
    })
    assert.equal(succeeded(result), true)
  })

  it('changes nothing the second time', async () => {
    await certTrust(request, world)
    world.trustStores.ran.length = 0
    assert.deepEqual(actions(await certTrust(request, world)), ['unchanged', 'unchanged'])
    assert.deepEqual(world.trustStores.ran, [])
  })

  it('trusts both CAs during a rotation, each with its own entry', async () => {
    await certTrust(request, world)
    const rotating = { ca: true, finish: false, yes: true, dryRun: 'none', timeout: 1 } as const
    await certRotate(rotating, world)
    await certTrust(request, world)
    assert.equal(there(world)[0]?.length, 2)
    assert.equal(world.trustStores.files.size, 2)
  })

  it('works on machines without the CA, and without a cluster for a domain of this machine', async () => {
    world.authorities.kept.clear()
    assert.equal(succeeded(await certTrust(request, world)), true)
    const offline = fullMesh()
    offline.trustStores.stores = stores()
    offline.cluster.fail('list', 'gateways', new Error('there is no cluster'))
    await certCreate({ domain: 'example.com' }, offline)
    assert.equal(succeeded(await certTrust({ ...request, domain: 'example.com' }, offline)), true)
    assert.equal(there(offline)[1]?.length, 1)
  })

  it('prints the commands for an administrator, and does the rest', async () => {
    world.trustStores.stores = stores().map((store, index) =>
      index === 0 ? { ...store, obstacle: 'not-allowed' } : store,
    )
    const result = await certTrust(request, world)
    assert.deepEqual(actions(result), ['by-hand', 'trusted'])
    assert.match(result.stores[0]?.commands.join('\n') ?? '', /^sudo install -m 644 .*\nsudo update-ca-certificates$/)
    assert.equal(result.stores[0]?.message, 'it needs an administrator')
    assert.ok(world.trustStores.files.has(name), 'the file that the commands need')
    assert.equal(succeeded(result), false)
  })

  it('reports that certutil is missing', async () => {
    world.trustStores.stores = [{ place: { kind: 'nss', directory: BROWSER }, entries: undefined, obstacle: 'no-tool' }]
    const result = await certTrust(request, world)
    assert.match(result.stores[0]?.message ?? '', /certutil is not installed/)
    assert.deepEqual(world.trustStores.ran, [])
    assert.equal(succeeded(result), false)
  })

  it('continues with the next store when a command fails, and fails', async () => {
    world.trustStores.complaints['update-ca-certificates'] = 'no space left'
    const result = await certTrust(request, world)
    assert.deepEqual(actions(result), ['failed', 'trusted'])
    assert.equal(result.stores[0]?.message, 'no space left')
    assert.equal(succeeded(result), false)
  })

  it('runs nothing in a dry run, nor when the answer is no, nor without a terminal and -y', async () => {
    assert.equal((await certTrust({ ...request, dryRun: 'client' }, world)).outcome, 'planned')
    assert.equal((await refusal(certTrust({ ...request, yes: false }, world))).code, 'CONSENT_REQUIRED')
    const asking = await exposedWorld({ 'Add the CA to the trust stores of this machine with these commands?': false })
    asking.trustStores.stores = stores()
    const declined = await certTrust({ ...request, yes: false }, asking)
    assert.deepEqual([declined.outcome, succeeded(declined)], ['declined', false])
    assert.equal(asking.terminal.notes.length, 7)
    assert.match(
      asking.terminal.notes.join('\n'),
      /^CA O=.*\n {2}vouches for {2}only names in 192.*\n {2}fingerprint {2}[0-9A-F:]{95}\n {2}from .* Secret istio/,
    )
    assert.deepEqual([...world.trustStores.ran, ...asking.trustStores.ran], [])
    assert.equal(world.trustStores.files.size + asking.trustStores.files.size, 0)
  })

  it('warns when there is no store at all', async () => {
    world.trustStores.stores = []
    const result = await certTrust(request, world)
    assert.deepEqual(
      result.warnings.map(({ code }) => code),
      ['NO_TRUST_STORE'],
    )
    assert.equal(succeeded(result), false)
  })

  it('refuses when there is no CA to trust', async () => {
    assert.equal((await refusal(certTrust(request, fullMesh()))).code, 'NO_CA_IN_USE')
    assert.equal((await refusal(certTrust({ ...request, domain: 'example.org' }, world))).code, 'CA_NOT_FOUND')
  })

  describe('--remove', () => {
    const removing = { ...request, remove: true }

    it('removes every CA that kubectl telemetry added, old ones too, without the cluster, and no other', async () => {
      await certTrust(request, world)
      const old = 'kubectl-telemetry-0123456789abcdef'
      for (const { entries } of world.trustStores.stores) entries?.push(old)
      world.cluster.fail('list', 'gateways', new UserError('CLUSTER_UNREACHABLE', 'no'))
      const result = await certTrust(removing, world)
      assert.deepEqual(actions(result), ['forgotten', 'forgotten'])
      assert.deepEqual(there(world), [[], []])
      assert.equal(world.trustStores.files.size, 0)
      assert.deepEqual(result.stores[0]?.commands, [
        `rm -f ${SYSTEM}/${name}.crt`,
        `rm -f ${SYSTEM}/${old}.crt`,
        'update-ca-certificates',
      ])
    })

    it('removes only the CA of one domain', async () => {
      await certTrust(request, world)
      await certCreate({ domain: 'example.com' }, world)
      await certTrust({ ...request, domain: 'example.com' }, world)
      assert.equal(there(world)[0]?.length, 2)
      await certTrust({ ...removing, domain: 'example.com' }, world)
      assert.deepEqual(there(world), [[name], [name]])
    })

    it('removes nothing when nothing was trusted', async () => {
      const result = await certTrust(removing, world)
      assert.deepEqual([actions(result), succeeded(result)], [['unchanged', 'unchanged'], true])
    })

    it('asks', async () => {
      const asking = await exposedWorld({ [FORGET]: true })
      asking.trustStores.stores = stores()
      await certTrust(request, asking)
      assert.deepEqual(actions(await certTrust({ ...removing, yes: false }, asking)), ['forgotten', 'forgotten'])
    })
  })
})
