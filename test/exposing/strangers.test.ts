import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { GuardRequest, Login } from '../../src/access/guard.ts'
import { cleanup } from '../../src/cleaning/cleanup.ts'
import { expose } from '../../src/exposing/expose.ts'
import type { ExposeRequest } from '../../src/exposing/request.ts'
import { exposedRoutes } from '../../src/gateways/exposed-routes.ts'
import type { Asked } from '../fakes/fake-gateway.ts'
import { grafana, ingressGateway, kiali, prometheus } from '../fakes/mesh.ts'
import { DOMAIN, isClosed, requestFor } from './exposing.ts'
import { WatchedMesh } from './watched-mesh.ts'

const LIST = ['203.0.113.0/24']
const KEYS: Login = {
  kind: 'jwt',
  issuer: 'https://issuer.example.com',
  audiences: ['a'],
  keys: { inline: '{"keys":[]}' },
}
const GUARDS: Record<string, GuardRequest> = {
  list: { cidrs: LIST },
  basic: { login: { kind: 'basic', users: ['me:{SHA}q/eq1kOINtvlJqojGr3i0O73TUI='] } },
  'basic with a list': { login: { kind: 'basic', users: ['me:{SHA}q/eq1kOINtvlJqojGr3i0O73TUI='] }, cidrs: LIST },
  jwt: { login: KEYS },
  'ext-authz': { login: { kind: 'ext-authz', provider: 'one' } },
}
/** Every place at which kiali or prometheus is exposed here. */
const PLACES: Asked[] = [DOMAIN, 'example.com'].flatMap((domain) =>
  ['/kiali/', '/graph', '/.well-known/kubectl-telemetry/login'].flatMap((path) => [
    ...['kiali', 'prometheus'].flatMap((addon) => [
      { host: `${addon}.${domain}`, port: 443, path, sni: `${addon}.${domain}` },
      // Over a connection for another add-on.
      { host: `${addon}.${domain}`, port: 443, path, sni: `grafana.${domain}` },
      { host: `${addon}.${domain}`, port: 443, path, sni: `grafana.${DOMAIN}` },
      { host: `${addon}.${domain}`, port: 80, path },
      { host: `${addon}.${domain}`, port: 80, path, asIfByHttps: true },
    ]),
    ...[15029, 15030].flatMap((port) => [
      { host: `telemetry.${domain}`, port, path, sni: `telemetry.${domain}` },
      { host: `telemetry.${domain}`, port, path },
    ]),
  ]),
)

const mesh = () => [...grafana('istio-system', {}), ...ingressGateway(), ...kiali(), ...prometheus()]
const NAMES = ['kiali', 'prometheus']
const request = (guard: GuardRequest, changes: Partial<ExposeRequest>): ExposeRequest => ({
  ...requestFor(...NAMES),
  terms: { allowAnonymous: false },
  guard,
  timeout: 3_000,
  ...changes,
})
const CLEANUP = { yes: true, dryRun: 'none' as const }
/** Tightens, moves and changes everything. */
const others = (name: string) => (name === 'jwt' ? 'list' : 'jwt')

for (const eager of [true, false])
  describe(`strangers before a guard, where istiod sends changes ${eager ? 'at once' : 'late'}`, () => {
    for (const insecure of [false, true])
      for (const layout of ['hosts', 'ports'] as const)
        for (const [name, guard] of Object.entries(GUARDS))
          it(`${name}, ${layout}, ${insecure ? 'HTTP' : 'HTTPS'}: exposing, moving, another guard, another layout, cleanup`, async () => {
            const one = new WatchedMesh(mesh(), PLACES, eager)
            one.isOpen = true
            await expose({ ...requestFor('grafana'), insecure, layout }, one.world)
            one.push()
            one.isOpen = false
            const run = async (changes: Partial<ExposeRequest>, asked: GuardRequest = guard) => {
              const { result } = await expose(request(asked, { insecure, layout, ...changes }), one.world)
              const failed = result.warnings.filter(({ severity }) => severity === 'fails')
              assert.deepEqual(failed, [])
              for (const addon of NAMES) assert.ok(!isClosed(one.world, addon))
              one.push()
            }
            await run({})
            await run({ domain: 'example.com' })
            await run(
              {},
              { cidrs: 'any', ...GUARDS[others(name)], ...(others(name) === 'list' ? { login: 'none' } : {}) },
            )
            await run({ layout: layout === 'hosts' ? 'ports' : 'hosts', insecure: !insecure }, {})
            await cleanup({ ...CLEANUP, addons: { names: ['kiali'], named: true } }, one.world)
            one.push()
            await cleanup({ ...CLEANUP, addons: { names: [], named: false } }, one.world)
            one.push()
            assert.deepEqual(one.pages, [])
          })
  })

describe('a run that is cut off after any of its writes', () => {
  for (const [name, guard] of Object.entries(GUARDS))
    it(`${name}: no stranger gets a page, and the next run for another add-on opens what has its guard`, async () => {
      const one = new WatchedMesh(mesh(), PLACES)
      await expose(requestFor('grafana'), one.world)
      one.cuts.length = 0
      await expose(request(guard, {}), one.world)
      await expose(request(guard, { domain: 'example.com' }), one.world)
      await expose(request({ cidrs: 'any', login: 'none', ...GUARDS[others(name)] }, {}), one.world)
      let opened = 0
      for (const [index, cut] of one.cuts.entries()) {
        const again = new WatchedMesh(cut, PLACES)
        again.world.authorities = one.world.authorities
        again.push()
        const { result } = await expose(requestFor('grafana'), again.world)
        again.push()
        assert.deepEqual(again.pages, [], `after write ${index + 1}`)
        const routes = again.cluster.objects.filter(({ kind }) => kind === 'VirtualService')
        for (const { name: addon, closedFor } of exposedRoutes(routes)) {
          const isNamed = result.warnings.some(
            ({ code, message }) => code === 'ROUTE_CLOSED' && message.includes(addon),
          )
          assert.equal(closedFor !== undefined, isNamed, `${addon} after write ${index + 1}`)
          if (closedFor === undefined && NAMES.includes(addon)) opened++
        }
      }
      assert.ok(opened > one.cuts.length)
    })
})

describe('the model of the gateway', () => {
  it('shows the ways past a guard that were seen: the controls', async () => {
    const one = new WatchedMesh(mesh(), PLACES)
    await expose({ ...requestFor('prometheus'), guard: { cidrs: LIST } }, one.world)
    const change = (kind: string, edit: (text: string) => string) => {
      const object = one.cluster.objects.find((other) => other.kind === kind && other.metadata.name !== 'grafana')
      assert.ok(object)
      object.spec = JSON.parse(edit(JSON.stringify(object.spec)))
    }
    one.push()
    assert.deepEqual(one.pages, [])
    change('VirtualService', (text) => text.replaceAll('"port":443', '"port":80'))
    one.push()
    assert.match(one.pages.join(), /"port":80.*asIfByHttps/)
    change('VirtualService', (text) => text.replaceAll('"port":80', '"port":443'))
    one.push()
    one.pages.length = 0
    change('AuthorizationPolicy', (text) => text.replaceAll(`prometheus.${DOMAIN}`, 'prometheus.example.com'))
    one.push()
    assert.match(one.pages.join(), /200 at .*"port":443/)
  })
})
