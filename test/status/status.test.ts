import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { cleanup } from '../../src/cleaning/cleanup.ts'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { UserError } from '../../src/errors.ts'
import { expose } from '../../src/exposing/expose.ts'
import type { StatusReport } from '../../src/status/report.ts'
import { type StatusRequest, status } from '../../src/status/status.ts'
import { watchStatus } from '../../src/status/watch.ts'
import { DAY, exposedWorld, held } from '../certifying/certifying.ts'
import { find, fullMesh, request, requestFor, world } from '../exposing/exposing.ts'
import type { FakeWorld } from '../fakes/fake-world.ts'
import { grafana, ingressGateway, pod } from '../fakes/mesh.ts'

const REQUEST: StatusRequest = { expiresIn: 14 * DAY }
const GRAFANA = {
  addon: { kind: 'anonymous', role: 'Admin' },
  visitor: 'may change dashboards, data sources and users',
}
const FORBIDDEN = new UserError('FORBIDDEN', 'you may not')

const look = (of: FakeWorld, changes: Partial<StatusRequest> = {}) => status({ ...REQUEST, ...changes }, of)
const codes = ({ problems }: Awaited<ReturnType<typeof look>>) => problems.map(({ code }) => code)

/** Lets the gateway serve the certificate of the Secret. */
async function served(): Promise<FakeWorld> {
  const of = await exposedWorld()
  of.prober.serving = () => held(of, 'tls.crt')
  return of
}

function remove({ cluster }: FakeWorld, isIt: (object: KubeObject) => boolean): void {
  for (const object of cluster.objects.filter(isIt)) cluster.objects.splice(cluster.objects.indexOf(object), 1)
}

describe('status', () => {
  it('reports where each add-on runs, its answer, who may enter and how long the certificate lasts', async () => {
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

  it('probes with the CA from the Secret', async () => {
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

  it('reports that nothing is exposed, and which add-ons are missing', async () => {
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

  it('finds every Grafana, and shows a URL only for the exposed one', async () => {
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

  it('reads nothing twice', async () => {
    const of = await served()
    of.cluster.reads.length = 0
    await look(of)
    assert.deepEqual(of.cluster.reads.sort(), [
      'access of kiali-abc',
      'get configmaps', // Kiali's
      'get configmaps', // Jaeger's
      'get secrets',
      'list authorizationpolicies',
      'list envoyfilters',
      'list gateways',
      'list pods',
      'list secrets',
      'list services',
      'list virtualservices',
      'versions networking.istio.io',
    ])
  })

  it('shows guards and terms, and does not warn about guarded add-ons', async () => {
    const of = fullMesh()
    const guard = { cidrs: ['203.0.113.0/24'] }
    await expose({ ...requestFor('grafana'), guard, terms: { allowAnonymous: false, ttl: DAY } }, of)
    of.prober.serving = () => held(of, 'tls.crt')
    const { addons } = await look(of)
    assert.deepEqual(addons[0]?.access, { ...GRAFANA, guard })
    assert.equal(addons[0]?.expiresAt, '2026-11-22T12:00:00Z')
  })

  describe('when the Gateway was deleted by hand', () => {
    const leftovers = ({ problems }: StatusReport) => problems.filter(({ code }) => code === 'EXPOSURE_LEFTOVERS')
    const withoutGateway = async (...names: string[]) => {
      const of = fullMesh()
      const guard = { cidrs: ['203.0.113.0/24'] }
      await expose({ ...requestFor(...names), guard, layout: 'ports' }, of)
      remove(of, ({ kind }) => kind === 'Gateway')
      return of
    }

    it('names the leftovers, the command that removes them and the one that serves them again; after cleanup it reports nothing', async () => {
      const of = await withoutGateway('grafana', 'kiali')
      const report = await look(of)
      assert.equal(report.gateway, undefined)
      const [found, ...others] = leftovers(report)
      assert.deepEqual(others, [])
      for (const name of [
        'VirtualService kubectl-telemetry-grafana',
        'VirtualService kubectl-telemetry-kiali',
        'AuthorizationPolicy kubectl-telemetry-grafana',
        'Secret kubectl-telemetry-tls',
        'ports in Service istio-ingressgateway',
      ])
        assert.ok(found?.message.includes(name), found?.message)
      assert.deepEqual(found?.remedies, [
        'kubectl telemetry cleanup   # removes them',
        'kubectl telemetry expose grafana kiali   # serves them again',
      ])
      await cleanup({ addons: { names: [], named: false }, yes: true, dryRun: 'none' }, of)
      assert.deepEqual(leftovers(await look(of)), [])
    })

    it('finds a Secret that is the only leftover, also without Istio', async () => {
      const of = await withoutGateway('grafana')
      remove(of, ({ kind, metadata }) => kind !== 'Secret' && metadata.name.startsWith('kubectl-telemetry'))
      remove(of, ({ kind }) => kind === 'Service')
      assert.match(leftovers(await look(of))[0]?.message ?? '', /there: Secret kubectl-telemetry-tls$/)
      of.cluster.groups = {}
      assert.equal(leftovers(await look(of)).length, 1)
    })

    it('warns that cleanup also removes other exposures', async () => {
      const of = world([...grafana(), ...ingressGateway(), ...ingressGateway('edge', 'istio-edge')])
      for (const [namespace, name] of [
        ['istio-system', 'istio-ingressgateway'],
        ['edge', 'istio-edge'],
      ] as const)
        await expose({ ...request, gateway: { namespace, name } }, of)
      remove(of, ({ kind, metadata }) => kind === 'Gateway' && metadata.namespace === 'edge')
      const [found] = leftovers(await look(of))
      assert.match(found?.message ?? '', /namespace edge /)
      assert.equal(
        found?.remedies[0],
        'kubectl telemetry cleanup   # removes them, and what is exposed in namespace istio-system',
      )
    })

    it('searches the kinds that may be listed', async () => {
      const of = await withoutGateway('grafana')
      of.cluster.fail('list', 'secrets', FORBIDDEN)
      assert.doesNotMatch(leftovers(await look(of))[0]?.message ?? '', /Secret/)
    })
  })

  it('names each problem, with the next command', async () => {
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
    assert.deepEqual(codes(report), [
      'ADDON_NOT_READY',
      'ADDON_GONE',
      'PROBE_FAILED',
      'PROBE_FAILED',
      'CERTIFICATE_EXPIRES_SOON',
    ])
    for (const { remedies } of report.problems) assert.notEqual(remedies[0] ?? '', '')
  })

  it('reports expired exposures, and add-ons that let anyone in without permission', async () => {
    const of = fullMesh()
    await expose({ ...request, terms: { allowAnonymous: true, ttl: 60_000 } }, of)
    of.prober.serving = () => held(of, 'tls.crt')
    const route = find(of.cluster, 'VirtualService')
    delete route.metadata.annotations?.['kubectl-telemetry/allow-anonymous']
    await of.clock.sleep(60_000)
    assert.deepEqual(codes(await look(of)), ['EXPOSURE_EXPIRED', 'OPEN_TO_ANYONE'])
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
      assert.ok(codes(report).includes('STATUS_UNREAD'), codes(report).join())
    })
  }

  it('trusts the CA of this machine when the Secret may not be read', async () => {
    const of = await served()
    const trusted = held(of, 'ca.crt')
    of.cluster.fail('get', 'secrets', FORBIDDEN)
    of.prober.probed.length = 0
    const report = await look(of)
    assert.ok(codes(report).includes('STATUS_UNREAD'))
    assert.equal(of.prober.probed[0]?.authorityCertificate, trusted)
  })

  it('reports that there is no Istio', async () => {
    const of = world(grafana())
    of.cluster.groups = {}
    assert.deepEqual(codes(await look(of)), ['ISTIO_NOT_FOUND'])
  })
})

describe('watchStatus', () => {
  it('shows changes, continues when the cluster does not answer, and ends after the signal', async () => {
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

  it('fails when the first read fails', async () => {
    const of = await served()
    of.cluster.fail('list', 'services', new UserError('CLUSTER_UNREACHABLE', 'gone'))
    await assert.rejects(
      watchStatus(REQUEST, of, new AbortController().signal, () => {}),
      { code: 'CLUSTER_UNREACHABLE' },
    )
  })
})
