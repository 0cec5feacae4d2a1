import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { GuardRequest } from '../../../src/access/guard.ts'
import { cleanup } from '../../../src/cleaning/cleanup.ts'
import { expose } from '../../../src/exposing/expose.ts'
import type { ExposeRequest } from '../../../src/exposing/request.ts'
import type { ExposeResult } from '../../../src/exposing/result.ts'
import { exposedRoutes } from '../../../src/gateways/exposed-routes.ts'
import type { Asked } from '../../fakes/fake-gateway.ts'
import { grafana, ingressGateway, prometheus } from '../../fakes/mesh.ts'
import { DOMAIN, isClosed, requestFor } from '../exposing.ts'
import { WatchedMesh } from '../watched-mesh.ts'
import { bookinfo, gatewayService, requestForServices, SHOP } from './services.ts'

const LIST: GuardRequest = { cidrs: ['203.0.113.0/24'] }
const BASIC: GuardRequest = { login: { kind: 'basic', users: ['me:{SHA}q/eq1kOINtvlJqojGr3i0O73TUI='] } }
const NAME = 'productpage.bookinfo'
/** The Service and the guarded add-on, over connections for each other and for the add-on that is open to everybody. */
const PLACES: Asked[] = [SHOP, `prometheus.${DOMAIN}`].flatMap((host) =>
  ['/', '/graph', '/productpage', '/static/a.css', '/.well-known/kubectl-telemetry/login'].flatMap((path) => [
    ...[443, 666].flatMap((port) =>
      [SHOP, `prometheus.${DOMAIN}`, `grafana.${DOMAIN}`, `reviews.bookinfo.${DOMAIN}`].map((sni) => ({
        host,
        port,
        path,
        sni,
      })),
    ),
    ...[80, 666].flatMap((port) => [
      { host, port, path },
      { host, port, path, asIfByHttps: true },
    ]),
    { host: '192.0.2.10', port: 666, path },
    { host: 'any.example.org', port: 666, path },
  ]),
)
const mesh = () => [...grafana('istio-system', {}), ...ingressGateway(), ...prometheus(), ...bookinfo()]
const guarded = (guard: GuardRequest, changes: Partial<ExposeRequest> = {}) =>
  requestForServices('productpage', { terms: { allowAnonymous: false }, guard, timeout: 3_000, ...changes })
const OPEN_REVIEWS = requestForServices('reviews', { timeout: 3_000 })
const CLEAN = { yes: true, dryRun: 'none' as const }
const ONLY_PRODUCTPAGE = {
  addons: { names: [], named: true },
  services: [{ name: 'productpage' }],
  namespace: 'bookinfo',
  ...CLEAN,
}
const ALL = { addons: { names: [], named: false }, ...CLEAN }

/** What is done one after the other. */
const RUNS: Record<string, (guard: GuardRequest) => ExposeRequest> = {
  'on the shared port': (guard) => guarded(guard),
  'some paths': (guard) => guarded(guard, { paths: ['/productpage', '/static/'] }),
  'on a port of its own': (guard) => guarded(guard, { ports: [{ port: 666 }] }),
  'by HTTP': (guard) => guarded(guard, { insecure: true }),
  'for any host': (guard) => guarded(guard, { insecure: true, anyHost: true }),
  'for its host again': (guard) => guarded(guard, { anyHost: false }),
  'on the shared port again': (guard) => guarded(guard, { ports: [{ port: 443 }] }),
}

for (const eager of [true, false])
  describe(`strangers before the guard of a Service, where istiod sends changes ${eager ? 'at once' : 'late'}`, () => {
    for (const [name, guard] of Object.entries({ list: LIST, basic: BASIC, both: { ...LIST, ...BASIC } }))
      it(`${name}: on the shared port, on its own, by HTTP, for any host, and back, beside an add-on that is guarded`, async () => {
        const one = new WatchedMesh(mesh(), PLACES, eager)
        await expose({ ...requestFor('prometheus'), guard: LIST, timeout: 3_000 }, one.world)
        await expose({ ...requestFor('grafana'), timeout: 3_000 }, one.world)
        one.push()
        for (const [step, make] of Object.entries(RUNS)) {
          const { result } = await expose(make(guard), one.world)
          assert.deepEqual(
            result.warnings.filter(({ severity }) => severity === 'fails'),
            [],
            step,
          )
          one.push()
          assert.deepEqual(one.pages, [], step)
          for (const exposed of [NAME, 'prometheus']) assert.ok(!isClosed(one.world, exposed), `${exposed} ${step}`)
        }
        await expose(OPEN_REVIEWS, one.world)
        one.push()
        await cleanup(ONLY_PRODUCTPAGE, one.world)
        one.push()
        assert.deepEqual(one.pages, [])
        await cleanup(ALL, one.world)
        one.push()
        assert.deepEqual(one.pages, [])
      }).timeout(120_000)
  })

const failed = ({ warnings }: ExposeResult) => warnings.filter(({ severity }) => severity === 'fails')
const ours = ({ cluster }: WatchedMesh) =>
  cluster.objects.filter(({ metadata }) => metadata.name.startsWith('kubectl-telemetry'))

/** The run after one that was cut off, and a cleanup. @param before the gateway's Service before everything */
async function resume(
  again: WatchedMesh,
  next: ExposeRequest,
  { before, names }: { before: unknown; names: string[] },
) {
  again.push()
  const { result } = await expose(next, again.world)
  again.push()
  assert.deepEqual(failed(result), [])
  const routes = exposedRoutes(again.cluster.objects.filter(({ kind }) => kind === 'VirtualService'))
  assert.deepEqual(
    routes.map(({ name, closedFor }) => [name, closedFor]).sort(),
    names.map((name) => [name, undefined]),
  )
  const { remaining } = await cleanup(ALL, again.world)
  again.push()
  assert.deepEqual([again.pages, remaining, ours(again)], [[], [], []])
  assert.deepEqual(gatewayService(again.world).spec, before)
}

/** Cuts each run off after each of its writes. @param beside whether an add-on with a guard is exposed as well */
async function cutOffEverywhere(guard: GuardRequest, beside: boolean): Promise<void> {
  const one = new WatchedMesh(mesh(), PLACES)
  const before = structuredClone(gatewayService(one.world).spec)
  if (beside) await expose({ ...requestFor('prometheus'), guard: LIST, timeout: 3_000 }, one.world)
  const names = beside ? [NAME, 'prometheus'] : [NAME]
  let done = one.cuts.length
  for (const make of Object.values(RUNS)) {
    await expose(make(guard), one.world)
    const cuts = one.cuts.slice(done)
    done = one.cuts.length
    for (const cut of cuts) {
      const again = new WatchedMesh(cut, PLACES)
      again.world.authorities = one.world.authorities
      await resume(again, make(guard), { before, names })
    }
  }
  assert.ok(done > 25, `${done} writes`)
  assert.deepEqual(one.pages, [])
}

describe('an exposed Service whose run is cut off after any of its writes', () => {
  const what = 'no stranger gets a page, the next run repairs, cleanup leaves nothing'
  for (const [name, guard] of Object.entries({ list: LIST, basic: BASIC })) {
    it(`${name}, as the first exposure: ${what}`, () => cutOffEverywhere(guard, false)).timeout(120_000)
    it(`${name}, beside a guarded add-on: ${what}`, () => cutOffEverywhere(guard, true)).timeout(120_000)
  }
})

describe('the model of the gateway for Services', () => {
  it('shows a stranger over a connection for a Service that the guard of an add-on does not name: the control', async () => {
    const one = new WatchedMesh(mesh(), PLACES)
    await expose({ ...requestFor('prometheus'), guard: LIST, timeout: 3_000 }, one.world)
    await expose(OPEN_REVIEWS, one.world)
    one.push()
    assert.deepEqual(one.pages, [])
    const policy = one.cluster.objects.find(({ kind }) => kind === 'AuthorizationPolicy')
    assert.ok(policy)
    policy.spec = JSON.parse(JSON.stringify(policy.spec).replaceAll(`,"reviews.bookinfo.${DOMAIN}"`, ''))
    one.push()
    assert.match(one.pages.join(), /prometheus.*reviews.bookinfo/)
  })

  it('shows a stranger on a port of its own whose guard is for another port: the control', async () => {
    const one = new WatchedMesh(mesh(), PLACES)
    await expose(guarded(LIST, { ports: [{ port: 666 }], insecure: true, anyHost: true }), one.world)
    one.push()
    assert.deepEqual(one.pages, [])
    const policy = one.cluster.objects.find(({ kind }) => kind === 'AuthorizationPolicy')
    assert.ok(policy)
    policy.spec = JSON.parse(JSON.stringify(policy.spec).replaceAll('"666"', '"667"').replaceAll('"10666"', '"10667"'))
    one.push()
    assert.match(one.pages.join(), /any.example.org/)
  })
})
