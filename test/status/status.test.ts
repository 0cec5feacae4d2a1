import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { UserError } from '../../src/errors.ts'
import { expose } from '../../src/exposing/expose.ts'
import { type StatusRequest, status } from '../../src/status/status.ts'
import { watchStatus } from '../../src/status/watch.ts'
import { DAY, exposedWorld, held } from '../certifying/certifying.ts'
import { find, fullMesh, request, requestFor, world } from '../exposing/exposing.ts'
import type { FakeWorld } from '../fakes/fake-world.ts'
import { grafana, pod } from '../fakes/mesh.ts'

const REQUEST: StatusRequest = { expiresIn: 14 * DAY }
const GRAFANA = {
  addon: { kind: 'anonymous', role: 'Admin' },
  visitor: 'may change dashboards, data sources and users',
}
const FORBIDDEN = new UserError('FORBIDDEN', 'you may not')

const look = (of: FakeWorld, changes: Partial<StatusRequest> = {}) => status({ ...REQUEST, ...changes }, of)
const codes = ({ problems }: Awaited<ReturnType<typeof look>>) => problems.map(({ code }) => code)

/** The gateway serves what our Secret holds. */
async function served(): Promise<FakeWorld> {
  const of = await exposedWorld()
  of.prober.serving = () => held(of, 'tls.crt')
  return of
}

function remove({ cluster }: FakeWorld, isIt: (object: KubeObject) => boolean): void {
  for (const object of cluster.objects.filter(isIt)) cluster.objects.splice(cluster.objects.indexOf(object), 1)
}

describe('status', () => {
  it('says where everything is, that it answers, who may enter and how long the certificate lasts', async () => {
    const report = await look(await served())
    assert.deepEqual(report.gateway, {
      namespace: 'istio-system',
      service: 'istio-ingressgateway',
      address: '192.0.2.10',
      via: 'load-balancer',
    })
    assert.deepEqual(
      report.addons.map(({ name, found, exposure, certificate }) => [
        name,
        found?.ready,
        exposure?.url,
        certificate?.daysLeft,
      ]),
      [
        ['grafana', 1, 'https://grafana.192.0.2.10.nip.io/', 396],
        ['kiali', 1, 'https://kiali.192.0.2.10.nip.io/kiali/', 396],
        ['prometheus', 1, undefined, undefined],
        ['tracing', 1, undefined, undefined],
      ],
    )
    const [grafanaStatus] = report.addons
    assert.deepEqual(grafanaStatus?.access, { ...GRAFANA, anonymous: true })
    assert.equal(grafanaStatus?.exposure?.probe?.status, 200)
    assert.deepEqual(report.problems, [])
  })

  it('probes with what the Secret says is to be trusted', async () => {
    const of = await served()
    of.prober.probed.length = 0
    await look(of)
    assert.deepEqual(
      of.prober.probed.map(({ host, port, authorityCertificate }) => [host, port, authorityCertificate]),
      ['grafana', 'kiali'].map((name) => [`${name}.192.0.2.10.nip.io`, 443, held(of, 'ca.crt')]),
    )
  })

  it('changes nothing', async () => {
    const of = await served()
    await look(of)
    assert.deepEqual(of.cluster.writes, [])
  })

  it('says that nothing is exposed, and what is not there', async () => {
    const report = await look(world(grafana()))
    assert.equal(report.gateway, undefined)
    assert.deepEqual(
      report.addons.map(({ name, found }) => [name, found !== undefined]),
      [
        ['grafana', true],
        ['kiali', false],
        ['prometheus', false],
        ['tracing', false],
      ],
    )
    assert.deepEqual(report.problems, [])
  })

  it('finds every Grafana, and exposes to view only the one that is exposed', async () => {
    const of = world([
      ...grafana(),
      ...grafana('other'),
      ...fullMesh().cluster.objects.filter(({ kind }) => kind !== 'x'),
    ])
    const report = await look(of)
    assert.ok(report.addons.filter(({ name }) => name === 'grafana').length >= 2)
    const only = await look(of, { namespace: 'other' })
    assert.deepEqual(
      only.addons.flatMap(({ found }) => found?.namespace ?? []),
      ['other'],
    )
  })

  it('shows guards and terms, and needs no consent for what is guarded', async () => {
    const of = fullMesh()
    const guard = { cidrs: ['203.0.113.0/24'] }
    await expose({ ...requestFor('grafana'), guard, terms: { allowAnonymous: false, ttl: DAY } }, of)
    of.prober.serving = () => held(of, 'tls.crt')
    const { addons } = await look(of)
    assert.deepEqual(addons[0]?.access, { ...GRAFANA, guard })
    assert.equal(addons[0]?.expiresAt, '2026-11-22T12:00:00Z')
  })

  it('names what is wrong, with the next command', async () => {
    const of = await served()
    remove(of, ({ kind, metadata }) => kind === 'Pod' && metadata.name === 'grafana-abc')
    of.cluster.objects.push(
      pod(
        'istio-system',
        'grafana-new',
        { 'app.kubernetes.io/name': 'grafana', 'app.kubernetes.io/instance': 'grafana' },
        { name: 'grafana' },
        false,
      ),
    )
    remove(of, ({ metadata }) => metadata.name === 'kiali')
    of.prober.answers = [{ ok: false, hop: 'upstream', status: 503, message: 'HTTP 503', milliseconds: 1 }]
    await of.clock.sleep(390 * DAY)
    const report = await look(of)
    assert.deepEqual(codes(report), ['NOT_READY', 'ADDON_GONE', 'PROBE_FAILED', 'PROBE_FAILED', 'EXPIRES_SOON'])
    for (const { remedy } of report.problems) assert.notEqual(remedy, '')
  })

  it('knows what is over, and what lets anyone in though nobody said so', async () => {
    const of = fullMesh()
    await expose({ ...request, terms: { allowAnonymous: true, ttl: 60_000 } }, of)
    of.prober.serving = () => held(of, 'tls.crt')
    const route = find(of.cluster, 'VirtualService')
    delete route.metadata.annotations?.['kubectl-telemetry/allow-anonymous']
    await of.clock.sleep(60_000)
    assert.deepEqual(codes(await look(of)), ['EXPIRED', 'ANONYMOUS_ACCESS'])
  })

  const unreadable: [string, string][] = [
    ['Services', 'services'],
    ['Gateways', 'gateways'],
    ['policies', 'authorizationpolicies'],
    ['pods', 'pods'],
  ]
  for (const [name, plural] of unreadable) {
    it(`tells of ${name} that may not be read, and of the rest`, async () => {
      const of = await served()
      of.cluster.fail('list', plural, FORBIDDEN)
      const report = await look(of)
      assert.deepEqual(
        report.addons.map(({ name: addon }) => addon),
        ['grafana', 'kiali', 'prometheus', 'tracing'],
      )
      assert.ok(codes(report).includes('UNREAD'), codes(report).join())
    })
  }

  it('trusts what this machine knows when the Secret may not be read', async () => {
    const of = await served()
    const trusted = held(of, 'ca.crt')
    of.cluster.fail('get', 'secrets', FORBIDDEN)
    of.prober.probed.length = 0
    const report = await look(of)
    assert.ok(codes(report).includes('UNREAD'))
    assert.equal(of.prober.probed[0]?.authorityCertificate, trusted)
  })

  it('says that there is no Istio', async () => {
    const of = world(grafana())
    of.cluster.groups = {}
    assert.deepEqual(codes(await look(of)), ['ISTIO_NOT_FOUND'])
  })
})

describe('watchStatus', () => {
  it('tells what changes, goes on when the cluster does not answer, and ends when told to', async () => {
    const of = await served()
    // A day begins.
    await of.clock.sleep(60_000)
    const ending = new AbortController()
    const seen: string[][] = []
    let looks = 0
    const versions = of.cluster.servedVersions.bind(of.cluster)
    of.cluster.servedVersions = async (group) => {
      if (looks === 2) throw new UserError('CLUSTER_UNREACHABLE', 'gone')
      return versions(group)
    }
    const sleep = of.clock.sleep.bind(of.clock)
    of.clock.sleep = async (milliseconds, signal) => {
      await sleep(milliseconds, signal)
      looks++
      if (looks === 4) ending.abort()
    }
    await watchStatus(REQUEST, of, ending.signal, (report) => seen.push(codes(report)))
    assert.deepEqual(seen, [[], ['CLUSTER_UNREACHABLE'], []])
  })

  it('fails when the first look does', async () => {
    const of = await served()
    of.cluster.fail('list', 'services', new UserError('CLUSTER_UNREACHABLE', 'gone'))
    await assert.rejects(
      watchStatus(REQUEST, of, new AbortController().signal, () => {}),
      { code: 'CLUSTER_UNREACHABLE' },
    )
  })
})
