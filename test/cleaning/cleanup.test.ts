import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { requireAddons } from '../../src/addons/catalog.ts'
import { succeeded } from '../../src/changes/undo.ts'
import { cleanup } from '../../src/cleaning/cleanup.ts'
import { UserError } from '../../src/errors.ts'
import { expose } from '../../src/exposing/expose.ts'
import { request } from '../exposing/exposing.ts'
import { FakeCluster } from '../fakes/fake-cluster.ts'
import { FakeTerminal } from '../fakes/fake-terminal.ts'
import { type FakeWorld, fakeWorld } from '../fakes/fake-world.ts'
import { grafana, ingressGateway, service } from '../fakes/mesh.ts'

async function exposed(answers?: Record<string, unknown>): Promise<FakeWorld> {
  const usersGateway = {
    ...service('default', 'users', { 'app.kubernetes.io/managed-by': 'Helm' }, {}),
    kind: 'Gateway',
  }
  const cluster = new FakeCluster([...grafana(), ...ingressGateway(), usersGateway])
  await expose({ ...request, timeout: 1 }, fakeWorld(cluster, new FakeTerminal()))
  cluster.writes.length = 0
  return fakeWorld(cluster, new FakeTerminal(answers))
}

const EVERYTHING = requireAddons([])
const names = (objects: { kind: string; name: string }[]) => objects.map(({ kind, name }) => `${kind}/${name}`)
const OURS = ['Gateway/kubectl-telemetry', 'VirtualService/kubectl-telemetry-grafana', 'Secret/kubectl-telemetry-tls']

const NOTHING = {
  outcome: 'applied',
  deleted: [],
  restored: [],
  changed: [],
  authorities: [],
  remaining: [],
  warnings: [],
}

describe('cleanup', () => {
  it('removes only created objects, the Gateway first', async () => {
    const { cluster, terminal } = await exposed()
    const before = cluster.objects.filter(({ metadata }) => !metadata.name.startsWith('kubectl-telemetry'))
    const result = await cleanup({ addons: EVERYTHING, yes: true, dryRun: 'none' }, fakeWorld(cluster, terminal))
    assert.deepEqual(names(result.deleted), OURS)
    assert.deepEqual(
      cluster.writes.map(({ object }) => object),
      OURS,
    )
    assert.deepEqual(result.remaining, [])
    assert.deepEqual(cluster.objects, before)
  })

  it('reports that there is nothing to remove', async () => {
    const cluster = new FakeCluster(grafana())
    const result = await cleanup(
      { addons: EVERYTHING, yes: false, dryRun: 'none' },
      fakeWorld(cluster, new FakeTerminal()),
    )
    assert.deepEqual(result, NOTHING)
    assert.ok(succeeded(result))
  })

  it('works after Istio is uninstalled', async () => {
    const { cluster, terminal } = await exposed()
    cluster.groups = {}
    const result = await cleanup({ addons: EVERYTHING, yes: true, dryRun: 'none' }, fakeWorld(cluster, terminal))
    assert.deepEqual(names(result.deleted), ['Secret/kubectl-telemetry-tls'])
  })

  it('writes nothing in a dry run', async () => {
    for (const dryRun of ['client', 'server'] as const) {
      const { cluster, terminal } = await exposed()
      const result = await cleanup({ addons: EVERYTHING, yes: false, dryRun }, fakeWorld(cluster, terminal))
      assert.deepEqual([result.outcome, names(result.deleted)], ['planned', OURS])
      assert.deepEqual(cluster.writes, [])
    }
  })

  it('asks first, and accepts no as an answer', async () => {
    const question = 'Clean up these 3 objects?'
    const declined = await exposed({ [question]: false })
    const result = await cleanup({ addons: EVERYTHING, yes: false, dryRun: 'none' }, declined)
    assert.equal(result.outcome, 'declined')
    assert.equal(succeeded(result), false)
    assert.deepEqual(declined.cluster.writes, [])
    const agreed = await exposed({ [question]: true })
    assert.deepEqual(names((await cleanup({ addons: EVERYTHING, yes: false, dryRun: 'none' }, agreed)).deleted), OURS)
  })

  it('needs -y without a terminal', async () => {
    const { cluster, terminal } = await exposed()
    await assert.rejects(
      cleanup({ addons: EVERYTHING, yes: false, dryRun: 'none' }, fakeWorld(cluster, terminal)),
      (error: UserError) => {
        assert.deepEqual([error.code, error.suggestions[0]], ['CONSENT_REQUIRED', '-y'])
        return true
      },
    )
    assert.deepEqual(cluster.writes, [])
  })

  it('reports what it removed before an error, and finishes the next time', async () => {
    const { cluster, terminal } = await exposed()
    cluster.fail('delete', 'virtualservices', new UserError('FORBIDDEN', 'cannot delete resource "virtualservices"'))
    await assert.rejects(
      cleanup({ addons: EVERYTHING, yes: true, dryRun: 'none' }, fakeWorld(cluster, terminal)),
      (error: UserError) => {
        assert.equal(error.code, 'FORBIDDEN')
        assert.match(error.message, /deleted before that: gateway\.networking\.istio\.io\/kubectl-telemetry$/)
        return true
      },
    )
    const again = new FakeCluster(cluster.objects)
    assert.deepEqual(
      names((await cleanup({ addons: EVERYTHING, yes: true, dryRun: 'none' }, fakeWorld(again, terminal))).deleted),
      OURS.slice(1),
    )
  })
})

describe('cleanup without the permission to list Services or ConfigMaps', () => {
  it('removes created objects and reports what it could not search for', async () => {
    const one = await exposed()
    one.cluster.fail('list', 'services', new UserError('FORBIDDEN', 'no'))
    one.cluster.fail('list', 'configmaps', new UserError('FORBIDDEN', 'no'))
    const result = await cleanup({ addons: EVERYTHING, yes: true, dryRun: 'none' }, one)
    assert.deepEqual(names(result.deleted), OURS)
    assert.deepEqual(
      result.warnings.map(({ code }) => code),
      ['NOT_SEARCHED', 'NOT_SEARCHED'],
    )
    assert.ok(succeeded(result))
  })
})

describe('cleanup --certificates', () => {
  it('also removes the CAs of this machine, after showing them', async () => {
    const question = 'Clean up these 4 objects?'
    const one = await exposed({ [question]: true })
    const authority = { domain: 'example.com', certificate: '', key: '' }
    one.authorities.kept.set('example.com', authority)
    const result = await cleanup({ addons: EVERYTHING, certificates: true, yes: false, dryRun: 'none' }, one)
    const directory = '/home/me/.local/share/kubectl-telemetry/authorities/example.com'
    assert.deepEqual(result.authorities, [directory])
    assert.equal(one.terminal.notes.at(-1), `  CA ${directory}: delete from this machine`)
    assert.equal(one.authorities.kept.size, 0)
  })

  it('does so even if the cluster has no exposure any more', async () => {
    const one = fakeWorld(new FakeCluster([]), new FakeTerminal())
    one.authorities.kept.set('example.com', { domain: 'example.com', certificate: '', key: '' })
    await cleanup({ addons: EVERYTHING, certificates: true, yes: true, dryRun: 'none' }, one)
    assert.equal(one.authorities.kept.size, 0)
  })

  it('keeps them in a dry run, and without the flag', async () => {
    const one = await exposed()
    one.authorities.kept.set('example.com', { domain: 'example.com', certificate: '', key: '' })
    await cleanup({ addons: EVERYTHING, certificates: true, yes: true, dryRun: 'client' }, one)
    await cleanup({ addons: EVERYTHING, yes: true, dryRun: 'none' }, one)
    assert.equal(one.authorities.kept.size, 1)
  })

  it('is refused for only some add-ons, because the others need the CA', async () => {
    const addons = requireAddons(['grafana'])
    const trying = cleanup({ addons, certificates: true, yes: true, dryRun: 'none' }, await exposed())
    await assert.rejects(trying, { code: 'CERTIFICATES_IN_USE', exitCode: 2 })
  })
})

describe('cleanup while another run exposes', () => {
  it('removes objects that were created again during the cleanup', async () => {
    const one = await exposed()
    one.cluster.afterNextWrite = (objects) =>
      objects.push({
        apiVersion: 'networking.istio.io/v1',
        kind: 'Gateway',
        metadata: {
          name: 'kubectl-telemetry',
          namespace: 'istio-system',
          uid: 'again',
          labels: { 'app.kubernetes.io/managed-by': 'kubectl-telemetry' },
        },
      })
    const result = await cleanup({ addons: EVERYTHING, yes: true, dryRun: 'none' }, one)
    assert.deepEqual([names(result.deleted), result.remaining], [OURS, []])
    assert.deepEqual(one.cluster.writes.at(-1), { verb: 'delete', object: 'Gateway/kubectl-telemetry' })
  })
})
