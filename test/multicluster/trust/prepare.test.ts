/** `connect --certificates-only`: the CA is there before Istio, so nothing restarts later; and all of it goes again. */
import assert from 'node:assert/strict'
import { before, describe, it } from 'mocha'
import { certificatesIn } from '../../../src/certificates/facts.ts'
import { leadsTo } from '../../../src/certificates/mesh-authority.ts'
import type { Cluster, KubeObject } from '../../../src/cluster/cluster.ts'
import { UserError } from '../../../src/errors.ts'
import type { ConnectResult } from '../../../src/multicluster/connect.ts'
import { nameMembers } from '../../../src/multicluster/contexts.ts'
import { connectClusters } from '../../../src/multicluster/prepare.ts'
import type { TrustWorld } from '../../../src/multicluster/trust/trust-run.ts'
import { untrust } from '../../../src/multicluster/untrust.ts'
import { renderConnect } from '../../../src/rendering/multicluster/clusters.ts'
import { FakeTerminal } from '../../fakes/fake-terminal.ts'
import { FakeTrustCluster, refusals, selfSigned } from '../../fakes/fake-trust.ts'
import { FakeClock, fakeWorld } from '../../fakes/fake-world.ts'
import { killedAfter } from '../../fakes/killed.ts'
import { expectGolden } from '../../golden-file.ts'
import { connect, REQUEST, shortKeys } from './trust-world.ts'

const PREPARE = { ...REQUEST, certificatesOnly: true }
const WORKLOADS = ['istio-system/istio-ingressgateway', 'foo/sleep']

let keys: string[] = []

before(() => {
  keys = shortKeys(4)
})

/** Two restarts never have the same time. */
class TickingClock extends FakeClock {
  override now(): Date {
    void this.sleep(1)
    return super.now()
  }
}

type Named = Record<string, FakeTrustCluster>

/** @param installed names of the clusters that have Istio from the beginning */
function clusters(names: string[], installed: string[] = []): Named {
  return Object.fromEntries(
    names.map((name, index) => {
      const own = selfSigned(keys[index] ?? '')
      const request = { own, leafKey: keys[3] ?? '', workloads: WORKLOADS, installed: installed.includes(name) }
      return [name, new FakeTrustCluster(name, request)]
    }),
  )
}

type WorldOf = (of?: (name: string, cluster: FakeTrustCluster) => Cluster) => TrustWorld

/** Worlds that share a machine. */
function worlds(all: Named): WorldOf {
  const [first] = Object.values(all) as [FakeTrustCluster]
  let drawn = 0
  const generateKey = async () => keys[drawn++ % 3] ?? ''
  const shared = { ...fakeWorld(first, new FakeTerminal()), clock: new TickingClock(), generateKey }
  return (of = (_, cluster) => cluster) => {
    const members = Object.entries(all).map(([name, cluster]) => ({ name, cluster: of(name, cluster) }))
    const fakeOf = (cluster: Cluster) =>
      all[members.find((one) => one.cluster === cluster)?.name ?? ''] as FakeTrustCluster
    return {
      ...shared,
      members,
      askInside: async (request, cluster) => fakeOf(cluster).inside(request),
      readServedChain: async (request, cluster) => fakeOf(cluster).served(request),
    }
  }
}

async function prepare(world: TrustWorld, request = PREPARE): Promise<ConnectResult> {
  return (await connectClusters(request, world)).result
}

async function refused(run: Promise<unknown>, code: string, all: Named): Promise<UserError> {
  const error = await run.then(
    () => assert.fail('it has to be refused'),
    (thrown: unknown) => thrown,
  )
  assert.ok(error instanceof UserError, String(error))
  assert.equal(error.code, code)
  assert.deepEqual(writes(all), [])
  return error
}

const writes = (all: Named) =>
  Object.entries(all).flatMap(([name, { writes }]) => writes.map(({ verb, object }) => `${name} ${verb} ${object}`))

function forget(all: Named): void {
  for (const one of Object.values(all)) one.writes.length = 0
}

const find = (cluster: FakeTrustCluster | undefined, kind: string, name: string) =>
  cluster?.objects.find((one) => one.kind === kind && one.metadata.name === name)

function textIn(cluster: FakeTrustCluster | undefined, name: string): string {
  const { data } = find(cluster, 'Secret', 'cacerts') as unknown as { data: Record<string, string> }
  return Buffer.from(data[name] ?? '', 'base64').toString('utf8')
}

function snapshot(all: Named): unknown {
  const plain = ({ metadata: { resourceVersion: _, managedFields: __, ...metadata }, ...rest }: KubeObject) =>
    JSON.stringify({ ...rest, metadata })
  return Object.values(all).map(({ objects }) => objects.map(plain).sort())
}

const PARTS = ['Namespace/istio-system', 'ConfigMap/kubectl-telemetry-multicluster', 'Secret/cacerts']
const created = (...names: string[]) => names.flatMap((name) => PARTS.map((one) => `${name} apply ${one}`))

describe('connect --certificates-only', () => {
  it('gives clusters without Istio a CA each, under one root whose key stays on this machine', async () => {
    const all = clusters(['west', 'east'])
    const { west, east } = all
    const world = worlds(all)()
    const result = await prepare(world)
    assert.equal(result.outcome, 'applied')
    assert.deepEqual(writes(all), created('west', 'east'))
    const [root = ''] = certificatesIn(textIn(west, 'root-cert.pem'))
    for (const cluster of [west, east]) {
      assert.equal(textIn(cluster, 'root-cert.pem'), root)
      assert.equal(leadsTo(certificatesIn(textIn(cluster, 'ca-cert.pem')), [root]), true)
      assert.equal(JSON.stringify(cluster?.objects).includes('istio-ca-secret'), false)
    }
    assert.notEqual(textIn(west, 'ca-cert.pem'), textIn(east, 'ca-cert.pem'))
    assert.deepEqual(
      result.clusters.map(({ name, signer, phase, install }) => [name, signer.kind, phase, install]),
      [
        ['west', 'ours', 'finished', 'istioctl install --context fake'],
        ['east', 'ours', 'finished', 'istioctl install --context fake'],
      ],
    )
  })

  it('says what comes next', async () => {
    const report = await connectClusters(PREPARE, worlds(clusters(['west', 'east']))())
    expectGolden('multicluster-certificates-only.txt', renderConnect(report, 'none', undefined, false))
    const planned = await connectClusters({ ...PREPARE, dryRun: 'server' }, worlds(clusters(['west', 'east']))())
    expectGolden('multicluster-certificates-only-dry-run.txt', renderConnect(planned, 'server', undefined, false))
  })

  it('writes nothing with --dry-run and --diff, which shows no key', async () => {
    const all = clusters(['west', 'east'])
    const report = await connectClusters({ ...PREPARE, dryRun: 'server' }, worlds(all)())
    assert.deepEqual(writes(all), [])
    assert.deepEqual(
      report.result.problems.map(({ code }) => code),
      ['MESH_CA_NOT_KEPT'],
    )
    const text = renderConnect(report, 'server', undefined, true)
    assert.match(text, /^--- namespace\/istio-system of cluster west\tabsent$/m)
    assert.match(text, /^\+ {2}ca-cert\.pem:\n\+ {4}- certificate SHA-256 /m)
    for (const key of keys) assert.equal(text.includes(Buffer.from(key).toString('base64').slice(0, 60)), false)
  })

  it('leaves only the port of the gateway to connect: no pod restarts, and calls work in both directions', async () => {
    const all = clusters(['west', 'east'])
    const { west, east } = all as { west: FakeTrustCluster; east: FakeTrustCluster }
    await prepare(worlds(all)())
    for (const one of [west, east]) one.install()
    assert.deepEqual([...refusals(west, east), ...refusals(east, west)], [])
    forget(all)
    const pods = (one: FakeTrustCluster) => one.objects.filter(({ kind }) => kind === 'Pod')
    const running = [pods(west), pods(east)]
    const result = await connect(REQUEST, worlds(all)())
    assert.deepEqual(writes(all), [
      'west apply ConfigMap/kubectl-telemetry-multicluster',
      'west apply Service/istio-ingressgateway',
      'east apply ConfigMap/kubectl-telemetry-multicluster',
      'east apply Service/istio-ingressgateway',
    ])
    assert.deepEqual([pods(west), pods(east)], running)
    assert.deepEqual(
      result.clusters.map(({ phase, proxies, gateway }) => [phase, proxies.renewed, gateway?.port]),
      [
        ['finished', 2, 15443],
        ['finished', 2, 15443],
      ],
    )
  })

  it('changes nothing the second time, and asks nothing', async () => {
    const all = clusters(['west', 'east'])
    const world = worlds(all)
    await prepare(world())
    forget(all)
    const result = await prepare(world(), { ...PREPARE, yes: false })
    assert.deepEqual([result.outcome, writes(all)], ['applied', []])
    assert.ok(result.objects.every(({ action }) => action === 'unchanged'))
  })

  it('records the name, which is in the certificate', async () => {
    const all = clusters(['west', 'east'])
    await prepare(worlds(all)())
    const named = await nameMembers([{ context: 'lab' }, { context: 'lab-2' }], Object.values(all))
    assert.deepEqual(
      named.map(({ name }) => name),
      ['west', 'east'],
    )
  })

  it('adds a cluster to a mesh that has a shared root, and leaves the others alone', async () => {
    const all = clusters(['west', 'east', 'south'], ['west', 'east'])
    const { west, east, south } = all as Record<'west' | 'east' | 'south', FakeTrustCluster>
    const both = { west, east }
    const world = worlds(all)
    const without = () => ({ ...world(), members: world().members.slice(0, 2) })
    const connected = without()
    await connect(REQUEST, { ...connected, ...asked(both) })
    await connect({ ...REQUEST, finish: true }, { ...connected, ...asked(both) })
    forget(all)
    const result = await prepare(world())
    assert.deepEqual(writes(all), created('south'))
    assert.deepEqual(
      result.clusters.map(({ phase, install }) => [phase, install !== undefined]),
      [
        ['finished', false],
        ['finished', false],
        ['finished', true],
      ],
    )
    south.install()
    for (const one of [west, east]) assert.deepEqual([...refusals(south, one), ...refusals(one, south)], [])
  })

  it('says with which trust domain Istio has to be installed', async () => {
    const all = clusters(['west', 'east'], ['west'])
    const mesh = find(all.west, 'ConfigMap', 'istio') as KubeObject & { data: { mesh: string } }
    mesh.data.mesh = 'trustDomain: shop.example'
    const root = { ...selfSigned(keys[0] ?? ''), certificateName: 'root.pem', keyName: 'root.key' }
    // Its CA is its root: the user has its key.
    const secret = find(all.west, 'Secret', 'istio-ca-secret') as KubeObject & { data: Record<string, string> }
    secret.data['ca-cert.pem'] = Buffer.from(root.certificate).toString('base64')
    const result = await prepare(worlds(all)(), { ...PREPARE, files: { root, cacerts: new Map() } })
    assert.deepEqual(
      result.clusters.map(({ install }) => install),
      [undefined, 'istioctl install --context fake --set meshConfig.trustDomain=shop.example'],
    )
    assert.deepEqual(writes(all), created('east'))
  })
})

/** How clusters of a smaller run are asked. */
function asked(all: Named): Pick<TrustWorld, 'askInside' | 'readServedChain'> {
  const fakes = Object.values(all)
  const of = (cluster: Cluster) => fakes.find((one) => one === cluster) as FakeTrustCluster
  return {
    askInside: async (request, cluster) => of(cluster).inside(request),
    readServedChain: async (request, cluster) => of(cluster).served(request),
  }
}

describe('connect --certificates-only refuses, and writes nothing', () => {
  it('where all clusters have Istio', async () => {
    const all = clusters(['west', 'east'], ['west', 'east'])
    const error = await refused(prepare(worlds(all)()), 'ISTIO_INSTALLED', all)
    assert.match(error.message, /^cluster west, east has Istio already/)
    assert.deepEqual(error.suggestions, [
      'kubectl telemetry multicluster connect --context west=fake --context east=fake   # without --certificates-only: it changes the root in phases',
    ])
  })

  it('where one has Istio with a root of its own', async () => {
    const all = clusters(['west', 'east'], ['west'])
    const error = await refused(prepare(worlds(all)()), 'ISTIO_INSTALLED', all)
    assert.match(error.message, /^cluster west has Istio already, with a root of its own/)
    assert.match(error.suggestions[0] ?? '', /^istioctl install --context fake /)
  })

  it('cacerts and a namespace of others: the one is left unchanged, the other is used', async () => {
    const all = clusters(['west', 'east'])
    const theirs = (kind: string, name: string, namespace?: string): KubeObject => ({
      apiVersion: 'v1',
      kind,
      metadata: { name, uid: name, resourceVersion: '1', ...(namespace === undefined ? {} : { namespace }) },
      ...(kind === 'Secret' ? { data: {} } : {}),
    })
    all.west?.objects.push(theirs('Namespace', 'istio-system'), theirs('Secret', 'cacerts', 'istio-system'))
    await refused(prepare(worlds(all)()), 'CACERTS_NOT_OURS', all)
    all.west?.objects.pop()
    await prepare(worlds(all)())
    assert.deepEqual(writes(all), [...created('west').slice(1), ...created('east')])
    assert.equal(find(all.west, 'Namespace', 'istio-system')?.metadata.labels, undefined)
  })

  it('a namespace that is being deleted', async () => {
    const all = clusters(['west', 'east'])
    const metadata = { name: 'istio-system', deletionTimestamp: '2026-11-21T12:00:00Z' }
    all.east?.objects.push({ apiVersion: 'v1', kind: 'Namespace', metadata })
    assert.equal((await refused(prepare(worlds(all)()), 'NAMESPACE_ENDING', all)).cluster, 'east')
  })

  it('to join a root whose key is on another machine', async () => {
    const all = clusters(['west', 'east'])
    const world = worlds(all)
    await prepare({ ...world(), members: world().members.slice(0, 1) })
    forget(all)
    const elsewhere = { ...world(), meshRoots: fakeWorld(all.west as FakeTrustCluster, new FakeTerminal()).meshRoots }
    const error = await refused(prepare(elsewhere), 'MESH_ROOT_ELSEWHERE', all)
    assert.match(error.message, /me@laptop/)
  })
})

describe('the way back of connect --certificates-only', () => {
  it('leaves no difference before Istio is installed', async () => {
    const all = clusters(['west', 'east'])
    const before = snapshot(all)
    await prepare(worlds(all)())
    const terminal = new FakeTerminal()
    const result = await untrust(REQUEST, { ...worlds(all)(), terminal })
    assert.deepEqual([result.outcome, result.remaining, result.problems], ['applied', [], []])
    assert.deepEqual(
      result.objects.map(({ cluster, kind, action }) => `${cluster} ${kind} ${action}`),
      ['west', 'east'].flatMap((name) => [
        `${name} ConfigMap deleted`,
        `${name} Secret deleted`,
        `${name} Namespace deleted`,
      ]),
    )
    assert.deepEqual(snapshot(all), before)
    // No proxy trusts anything yet.
    assert.deepEqual(terminal.notes, [])
    assert.deepEqual((await untrust(REQUEST, worlds(all)())).objects, [])
  })

  it('keeps a namespace of others, and one into which something came', async () => {
    const all = clusters(['west', 'east'])
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'istio-system', uid: 'theirs' } }
    all.west?.objects.push(namespace)
    await prepare(worlds(all)())
    all.east?.objects.push({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'theirs', namespace: 'istio-system', uid: 'theirs' },
    })
    const result = await untrust(REQUEST, worlds(all)())
    assert.deepEqual(
      result.problems.map(({ code, message, remedies }) => [code, message, remedies]),
      [
        [
          'NAMESPACE_KEPT',
          'cluster east: namespace istio-system stays: something else is in it: ConfigMap theirs',
          ['kubectl --context fake delete namespace istio-system   # and everything in it'],
        ],
      ],
    )
    assert.deepEqual(result.remaining, [])
    for (const one of Object.values(all)) {
      assert.ok(find(one, 'Namespace', 'istio-system'))
      assert.equal(find(one, 'Secret', 'cacerts'), undefined)
    }
  })

  it('is refused while Istio runs on it: istiod has no CA of its own; it works when Istio is gone', async () => {
    const all = clusters(['west', 'east'])
    await prepare(worlds(all)())
    for (const one of Object.values(all)) one.install()
    await connect(REQUEST, worlds(all)())
    forget(all)
    const error = await refused(untrust(REQUEST, worlds(all)()), 'OWN_CA_MISSING', all)
    assert.match(error.suggestions[0] ?? '', /^istioctl uninstall --purge/)
    for (const one of Object.values(all)) one.uninstall()
    await untrust(REQUEST, worlds(all)())
    for (const one of Object.values(all)) assert.equal(find(one, 'Secret', 'cacerts'), undefined)
  })
})

describe('connect --certificates-only that is killed after any single write', () => {
  it('is completed by the same command, under one root, and undone without a difference', async () => {
    const all = clusters(['west', 'east'])
    const before = snapshot(all)
    const world = worlds(all)
    const killedEverywhere = async (run: (world: TrustWorld) => Promise<unknown>) => {
      for (let limit = 0; ; limit++) {
        const begun = new Map(Object.values(all).map((one) => [one, one.writes.length]))
        const killing = world((_, cluster) => killedAfter((begun.get(cluster) ?? 0) + limit, cluster))
        try {
          await run(killing)
          return limit
        } catch (error) {
          if (!(error instanceof Error && /killed/.test(error.message))) throw error
        }
      }
    }
    assert.ok((await killedEverywhere(prepare)) > 0)
    assert.equal(textIn(all.west, 'root-cert.pem'), textIn(all.east, 'root-cert.pem'))
    assert.ok((await killedEverywhere((one) => untrust(REQUEST, one))) > 0)
    assert.deepEqual(snapshot(all), before)
  })
})
