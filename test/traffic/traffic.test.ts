import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject, PodRequest } from '../../src/cluster/cluster.ts'
import { UserError } from '../../src/errors.ts'
import { kialiGraph } from '../../src/traffic/kiali-graph.ts'
import { exitOf, type TrafficResult } from '../../src/traffic/result.ts'
import { application, shopMesh } from '../exposing/services/services.ts'
import type { FakeWorld } from '../fakes/fake-world.ts'
import { jaeger, pod, service as serviceObject } from '../fakes/mesh.ts'
import {
  exposedShop,
  FakeTraffic,
  manyExposed,
  prometheusCounts,
  prometheusServer,
  sent,
  service,
} from './traffic-world.ts'

const codes = ({ warnings }: TrafficResult) => warnings.map(({ code }) => code)

describe('what Prometheus recorded', () => {
  async function counted(
    counts: Record<string, number>[],
    interval = '15s',
  ): Promise<TrafficResult & { waited: number }> {
    const world = await exposedShop([prometheusServer()])
    prometheusCounts(world, counts, interval)
    const before = world.clock.now().getTime()
    const result = await sent({}, world)
    return { ...result, waited: world.clock.now().getTime() - before }
  }

  it('is the increase of the count of the destination, once it has been scraped', async () => {
    const { seen, waited, ...result } = await counted([
      { destination: 1_000, source: 7 },
      { destination: 1_000, source: 7 },
      { destination: 1_060, source: 7 },
      { destination: 1_100, source: 107 },
    ])
    assert.deepEqual([seen, codes(result as TrafficResult), waited], [{ prometheus: 100 }, [], 2_000])
  })

  it('is that of the gateway where the pods have no proxy, and begins from nothing', async () => {
    assert.deepEqual((await counted([{}, {}, { source: 100 }])).seen, { prometheus: 100 })
  })

  it('is at least that where others send requests, too', async () => {
    const result = await counted([{ destination: 5 }, { destination: 140 }])
    assert.deepEqual([result.seen, codes(result)], [{ prometheus: 135 }, ['TRAFFIC_OTHERS']])
    assert.equal(exitOf(result), true)
  })

  it('is less when it was not scraped within two intervals, which is a warning', async () => {
    for (const [interval, waited] of [
      ['15s', 31_000],
      ['1m', 120_000],
      ['3s', 7_000],
      ['rubbish', 31_000],
    ] as const) {
      const result = await counted([{ destination: 5 }, { destination: 65 }], interval)
      assert.deepEqual([result.seen, codes(result)], [{ prometheus: 60 }, ['TRAFFIC_COUNTED_LESS']])
      assert.ok(Math.abs(result.waited - waited) <= 1_000, `${interval}: ${result.waited} ms`)
      assert.equal(exitOf(result), true)
    }
  })

  it('is not known when the count began again', async () => {
    const result = await counted([{ destination: 500 }, { destination: 3 }])
    assert.deepEqual([result.seen, codes(result)], [{}, ['TRAFFIC_UNCOUNTED']])
  })

  it('is asked with the names of the Service only', async () => {
    const world = await exposedShop([prometheusServer()])
    const queries = prometheusCounts(world, [{ destination: 0 }, { destination: 100 }])
    await sent({}, world)
    assert.deepEqual(
      [...new Set(queries)],
      [
        'sum by (reporter) (istio_requests_total{destination_service_name="productpage",destination_service_namespace="bookinfo"})',
      ],
    )
  })

  const unknown: [what: string, prepare: (world: FakeWorld) => unknown, why: RegExp][] = [
    ['there is none', ({ cluster }) => remove(cluster.objects, 'Deployment'), /no Prometheus was found/],
    [
      'there are several',
      ({ cluster }) => cluster.objects.push(prometheusServer('mine', 'tenant')),
      /there are 2 Prometheus servers/,
    ],
    [
      'its pods are gone',
      ({ cluster }) => remove(cluster.objects, 'Pod', 'prometheus-abc'),
      /no pod of Prometheus .* is Ready/,
    ],
    [
      'Deployments may not be listed',
      ({ cluster }) => cluster.fail('list', 'deployments', new UserError('FORBIDDEN', 'no right')),
      /no right/,
    ],
    ['it does not answer', () => {}, /does not answer: connection refused/],
    ['it wants a login', (world) => answers(world, { status: 401, body: '' }), /it wants a login/],
    [
      'it answers something else',
      (world) => answers(world, { status: 200, body: '{"data":{"result":[{"value":[1,"NaN"]}]}}' }),
      /does not serve the API/,
    ],
    ['it answers no JSON', (world) => answers(world, { status: 200, body: '\u001b[2J' }), /does not serve the API/],
  ]
  for (const [what, prepare, why] of unknown)
    it(`is a note and no failure when ${what}`, async () => {
      const world = await exposedShop([prometheusServer()])
      prepare(world)
      const result = await sent({}, world)
      assert.deepEqual([result.seen, codes(result), exitOf(result)], [{}, ['TRAFFIC_UNCOUNTED'], true])
      assert.match(result.warnings[0]?.message ?? '', why)
    })

  it('is asked of the named one, and of none', async () => {
    const world = await exposedShop([prometheusServer(), prometheusServer('mine', 'tenant')])
    prometheusCounts(world, [{ destination: 0 }, { destination: 100 }])
    assert.deepEqual((await sent({ prometheus: 'istio-system/prometheus' }, world)).seen, { prometheus: 100 })
    world.cluster.reads.length = 0
    assert.deepEqual((await sent({ prometheus: 'none' }, world)).seen, {})
    assert.ok(!world.cluster.reads.includes('list deployments'))
  })

  const remove = (objects: KubeObject[], kind: string, name?: string) => {
    for (const one of objects.filter(
      (each) => each.kind === kind && (name === undefined || each.metadata.name === name),
    ))
      objects.splice(objects.indexOf(one), 1)
  }
  const answers = ({ cluster }: FakeWorld, answer: { status: number; body: string }) => {
    cluster.podAnswers = () => answer
  }
})

describe('a run of traffic', () => {
  const NONE = { prometheus: 'none' }

  it('fails when more requests failed than are allowed, also when they were too few to stop it', async () => {
    const fake = new FakeTraffic()
    fake.answer = (index) => ({ after: 1, sent: index % 3 === 0 ? { failed: 'ECONNRESET' } : { status: 200 } })
    const result = await sent({ ...NONE, schedule: { requests: 10, rate: 20 } }, await exposedShop(), fake)
    assert.deepEqual([result.outcome, codes(result), exitOf(result)], ['completed', ['TRAFFIC_FAILED'], false])
    assert.deepEqual([result.statuses, result.errors], [{ 200: 6 }, [{ code: 'ECONNRESET', count: 4 }]])
  })

  it('points at the certificate where it is not trusted', async () => {
    const fake = new FakeTraffic()
    fake.answer = () => ({ after: 1, sent: { failed: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' } })
    const { warnings } = await sent(NONE, await exposedShop(), fake)
    assert.match(warnings[0]?.remedies[0] ?? '', /^kubectl telemetry cert status /)
  })

  it('is stopped by a server that dies', async () => {
    const fake = new FakeTraffic()
    fake.answer = (index) => (index < 50 ? { after: 4 } : { after: 1, sent: { status: 503 } })
    const result = await sent(NONE, await exposedShop(), fake)
    assert.deepEqual([result.outcome, codes(result), exitOf(result)], ['stopped', ['TRAFFIC_FAILED'], false])
    assert.deepEqual(result.statuses, { 200: 50, 503: 6 })
  })

  it('counts what a guard refuses as what it is, and says so', async () => {
    const world = await exposedShop()
    const { expose } = await import('../../src/exposing/expose.ts')
    const { requestForServices } = await import('../exposing/services/services.ts')
    await expose(
      {
        ...requestForServices('productpage'),
        guard: { cidrs: ['198.51.100.0/24'] },
        terms: { allowAnonymous: false },
        timeout: 1,
      },
      world,
    )
    const fake = new FakeTraffic()
    fake.answer = () => ({ after: 1, sent: { status: 403 } })
    const result = await sent(NONE, world, fake)
    assert.deepEqual([result.statuses, codes(result), exitOf(result)], [{ 403: 100 }, ['TRAFFIC_GUARDED'], true])
  })

  it('that is interrupted has its summary, waits for nothing, and exits with 130', async () => {
    const world = await exposedShop([prometheusServer()])
    prometheusCounts(world, [{ destination: 0 }])
    const before = world.clock.now().getTime()
    const fake = new FakeTraffic()
    fake.interruptAt(1_010)
    const result = await sent({}, world, fake)
    assert.deepEqual(
      [result.outcome, result.sent, result.statuses, exitOf(result)],
      ['interrupted', 21, { 200: 21 }, 'interrupted'],
    )
    assert.deepEqual([result.seen, result.warnings, world.clock.now().getTime() - before], [{}, [], 0])
  })

  it('that is interrupted while Prometheus is waited for ends at once, too', async () => {
    const world = await exposedShop([prometheusServer()])
    prometheusCounts(world, [{ destination: 0 }])
    let slept: AbortSignal | undefined
    world.clock.sleep = (_, signal) => {
      slept = signal
      return new Promise(() => {})
    }
    const fake = new FakeTraffic()
    fake.interruptAt(7_000)
    const result = await sent({}, world, fake)
    assert.deepEqual([result.outcome, result.sent, exitOf(result)], ['interrupted', 100, 'interrupted'])
    assert.equal(slept?.aborted, true, 'the wait itself ends, so that the process can')
  })

  it("has the address of Kiali's graph where Kiali is exposed", async () => {
    const result = await sent({ ...NONE, target: service('productpage'), namespace: 'bookinfo' }, await manyExposed())
    assert.equal(
      result.seen.kiali,
      'https://kiali.192.0.2.10.nip.io/kiali/console/graph/namespaces?namespaces=bookinfo&duration=120',
    )
    assert.equal(
      kialiGraph('https://k', 'a&b', 40 * 60_000),
      'https://k/console/graph/namespaces?namespaces=a%26b&duration=3600',
    )
  })
})

describe('what the tracing backend recorded', () => {
  const NONE = { prometheus: 'none' }
  /** A Jaeger with so many traces at each look; the last one repeats. */
  async function traced(counts: number[], prepare = (_: FakeWorld) => {}): Promise<TrafficResult & { waited: number }> {
    const world = await exposedShop(jaeger())
    world.cluster.podAnswers = (_, { path, query }) => {
      const answer = (data: unknown) => ({ status: 200, body: JSON.stringify({ data }) })
      if (path === '/jaeger/api/services') return answer(['istio-ingressgateway.istio-system'])
      assert.match(query?.tags ?? '', /^\{"user_agent":"kubectl-telemetry-traffic\/[0-9a-f]{12}"\}$/)
      const count = counts.length > 1 ? counts.shift() : counts[0]
      return answer(Array.from({ length: count ?? 0 }, (_, at) => ({ traceID: `${at}` })))
    }
    prepare(world)
    const before = world.clock.now().getTime()
    const result = await sent(NONE, world)
    return { ...result, waited: world.clock.now().getTime() - before }
  }

  const cases: [what: string, counts: number[], traces: number, waited: number][] = [
    ['the number at which no more arrive', [0, 4, 11, 11, 99], 11, 9_000],
    ['all requests, at once', [100], 100, 0],
    ['none, after Envoy had the time to send some', [0], 0, 6_000],
    ['what there is when it still grows after a while', [1, 2, 3, 4, 5, 6, 7], 5, 12_000],
  ]
  for (const [what, counts, traces, waited] of cases)
    it(`is ${what}`, async () => {
      const result = await traced(counts)
      assert.deepEqual([result.seen, result.warnings, result.waited], [{ traces }, [], waited])
    })

  it('is a note and no failure when the backend cannot be asked', async () => {
    for (const prepare of [
      ({ cluster }: FakeWorld) => {
        cluster.podAnswers = () => ({ failed: 'connection refused' })
      },
      ({ cluster }: FakeWorld) => {
        cluster.askPod = () => Promise.reject(new UserError('FORBIDDEN', 'no right'))
      },
    ]) {
      const result = await traced([0], prepare)
      assert.deepEqual([result.seen, codes(result), exitOf(result)], [{}, ['TRAFFIC_TRACES_UNREAD'], true])
    }
  })

  it('is left out without a backend', async () => {
    assert.deepEqual((await sent(NONE, await exposedShop())).seen, {})
  })
})

describe('traffic --via api-server', () => {
  const VIA = { via: 'api-server', target: service('reviews'), namespace: 'bookinfo', prometheus: 'none' } as const
  const withProxy = (name: string) =>
    application(name).map((object) =>
      object.kind !== 'Pod'
        ? object
        : { ...object, spec: { containers: [{ name }, { name: 'istio-proxy', image: 'proxyv2:1.31.0' }] } },
    )
  const mesh = (...more: KubeObject[]) => {
    const world = shopMesh(more)
    const asked: PodRequest[] = []
    world.cluster.podAnswers = (_, request) => {
      asked.push(request)
      return { status: 200, body: '' }
    }
    return { world, asked }
  }
  const shop = () => mesh(...withProxy('cart'))
  const strict = (namespace: string, spec: object = {}): KubeObject => ({
    apiVersion: 'security.istio.io/v1',
    kind: 'PeerAuthentication',
    metadata: { name: 'default', namespace },
    spec: { mtls: { mode: 'STRICT' }, ...spec },
  })

  it('asks the pods of a Service that is not exposed, with the same User-Agent', async () => {
    const { world, asked } = shop()
    const result = await sent({ ...VIA, target: service('cart'), paths: ['/a', '/b?c=d&e=%2F'], method: 'HEAD' }, world)
    assert.deepEqual([result.target.via, result.statuses, result.warnings], ['api-server', { 200: 100 }, []])
    const { port, path, query, method, userAgent } = asked[1] ?? assert.fail('it was not asked')
    assert.deepEqual([asked.length, port, path, query, method], [100, 9080, '/b', { c: 'd', e: '/' }, 'HEAD'])
    assert.equal(userAgent, `kubectl-telemetry-traffic/${result.run}`)
    assert.deepEqual(world.cluster.writes, [])
  })

  it('asks Ready pods in turn, each at its port', async () => {
    const ports = [{ name: 'http', port: 80, targetPort: 'web' }]
    const at = (name: string, containerPort: number, ready = true) =>
      pod('bookinfo', name, { app: 'cart' }, { name: 'cart', ports: [{ name: 'web', containerPort }] }, ready)
    const objects = [
      serviceObject('bookinfo', 'cart', {}, { clusterIP: '10.90.0.7', selector: { app: 'cart' }, ports }),
      at('cart-1', 8001),
      at('cart-2', 8002),
      at('cart-3', 8003, false),
    ]
    const { world, asked } = mesh(...objects)
    const result = await sent({ ...VIA, target: service('cart', 80) }, world)
    assert.deepEqual([...new Set(asked.map(({ port }) => port))].sort(), [8001, 8002])
    assert.deepEqual(codes(result), ['TRAFFIC_NO_PROXY'])
  })

  it('is refused under STRICT, with the reason, before any request', async () => {
    for (const [policy, where] of [
      [strict('bookinfo'), 'bookinfo/default'],
      [strict('istio-system'), 'istio-system/default'],
    ] as const) {
      const { world, asked } = mesh(...withProxy('cart'), policy)
      await assert.rejects(sent({ ...VIA, target: service('cart') }, world), ({ code, message, suggestions }) => {
        assert.equal(code, 'TRAFFIC_STRICT')
        assert.ok((message as string).includes(where))
        assert.match((suggestions as string[])[0] ?? '', /^kubectl telemetry expose svc\/cart -n bookinfo/)
        return true
      })
      assert.deepEqual(asked, [])
    }
  })

  it('is not refused where STRICT is for other ports, or where no proxy enforces it', async () => {
    const spec = { selector: { matchLabels: { app: 'cart' } }, portLevelMtls: { 9080: { mode: 'PERMISSIVE' } } }
    assert.equal(
      (await sent({ ...VIA, target: service('cart') }, mesh(...withProxy('cart'), strict('bookinfo', spec)).world))
        .sent,
      100,
    )
    assert.equal((await sent(VIA, mesh(strict('bookinfo')).world)).sent, 100)
  })

  it('needs a Service with Ready pods', async () => {
    const { world } = shop()
    await assert.rejects(sent({ ...VIA, target: { by: 'any' } }, world), { code: 'TRAFFIC_VIA_INVALID', exitCode: 2 })
    await assert.rejects(sent({ ...VIA, target: service('nothing') }, world), { code: 'SERVICE_NOT_FOUND' })
    const idle = mesh(...application('idle').filter(({ kind }) => kind === 'Service'))
    await assert.rejects(sent({ ...VIA, target: service('idle') }, idle.world), { code: 'TRAFFIC_PODS_NOT_READY' })
  })

  it('counts a pod that does not answer, and ends when the API server refuses', async () => {
    const { world } = shop()
    world.cluster.podAnswers = () => ({ failed: 'connection refused' })
    const result = await sent({ ...VIA, target: service('cart') }, world)
    assert.deepEqual([result.outcome, result.errors], ['stopped', [{ code: 'POD_UNREACHABLE', count: 20 }]])
    world.cluster.askPod = () => Promise.reject(new UserError('FORBIDDEN', 'no right'))
    await assert.rejects(sent({ ...VIA, target: service('cart') }, world), { code: 'FORBIDDEN' })
  })
})
