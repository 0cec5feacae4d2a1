import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { GuardRequest, Login } from '../../../src/access/guard.ts'
import { guardsIn, serverNamesIn } from '../../../src/access/guard-reader.ts'
import { ADDON_NAMES } from '../../../src/addons/catalog.ts'
import { cleanup } from '../../../src/cleaning/cleanup.ts'
import { expose } from '../../../src/exposing/expose.ts'
import { type FakeWorld, ROUTE } from '../../fakes/fake-world.ts'
import { DOMAIN, find, hosts, isClosed, refusal, requestFor, written } from '../exposing.ts'
import { application, asksForLogin, codesOf, requestForServices, SHOP, serversOf, shopMesh } from './services.ts'

const LIST: GuardRequest = { cidrs: ['203.0.113.0/24'] }
const LOGIN: Login = { kind: 'basic', users: ['me:{SHA}q/eq1kOINtvlJqojGr3i0O73TUI='] }
const GUARDED = { terms: { allowAnonymous: false } }
const CLEAN = { yes: true, dryRun: 'none' } as const

const policyOf = ({ cluster }: FakeWorld, addon: string) => find(cluster, 'AuthorizationPolicy', `-${addon}`)
const namesIn = (one: FakeWorld, addon: string) => serverNamesIn(policyOf(one, addon))
const guarded = ({ cluster }: FakeWorld) => guardsIn(cluster.objects)

describe('the guard of a Service', () => {
  it('is for its host, and for connections to any of our hosts on the shared port', async () => {
    const one = shopMesh()
    await expose(requestForServices('productpage', { ...GUARDED, guard: LIST }), one)
    assert.deepEqual(namesIn(one, 'productpage.bookinfo'), [...hosts(...ADDON_NAMES), SHOP].sort())
    const { rules } = policyOf(one, 'productpage.bookinfo').spec as {
      rules: { to: { operation: { hosts: string[] } }[] }[]
    }
    for (const { to } of rules) assert.deepEqual(to[0]?.operation.hosts, [SHOP, `${SHOP}:*`])
  })

  it('is only for its own host and its listeners on a port of its own', async () => {
    const one = shopMesh()
    await expose(requestForServices('productpage', { ...GUARDED, guard: LIST, ports: [{ port: 666 }] }), one)
    assert.deepEqual(namesIn(one, 'productpage.bookinfo'), [SHOP])
    const { rules } = policyOf(one, 'productpage.bookinfo').spec as {
      rules: { to: { operation: { ports: string[] } }[] }[]
    }
    for (const { to } of rules) assert.deepEqual(to[0]?.operation.ports, ['666', '10666'])
  })

  it('has no host as a condition where any host is served, and no server name', async () => {
    const one = shopMesh()
    asksForLogin(one)
    const any = { ports: [{ port: 666 }], anyHost: true, insecure: true }
    const { result } = await expose(
      requestForServices('productpage', { ...GUARDED, guard: { ...LIST, login: LOGIN }, ...any }),
      one,
    )
    assert.deepEqual(
      codesOf(result).filter((code) => code !== 'CLIENT_ADDRESS_HIDDEN'),
      ['INSECURE', 'PASSWORD_HASH_READABLE'],
    )
    const { rules } = policyOf(one, 'productpage.bookinfo').spec as { rules: { to: { operation: object }[] }[] }
    for (const { to, ...rest } of rules) {
      assert.ok(!Object.hasOwn(to[0]?.operation ?? {}, 'hosts'))
      assert.ok(!Object.hasOwn(rest, 'when'))
    }
    const filter = JSON.stringify(find(one.cluster, 'EnvoyFilter').spec)
    assert.ok(filter.includes('"vhost":{"name":"*:666"}'), filter)
    assert.ok(!isClosed(one, 'productpage.bookinfo'))
  })

  for (const namespace of ['bookinfo', 'ext-authz', 'a-ext-authz'])
    it(`is read again in namespace ${namespace}, so that another run keeps it`, async () => {
      const one = shopMesh(application('web', namespace))
      const guard = { ...LIST, login: LOGIN }
      asksForLogin(one)
      await expose(requestForServices('web', { ...GUARDED, namespace, guard }), one)
      assert.deepEqual(guarded(one)[`web.${namespace}`], guard)
      one.cluster.writes.length = 0
      const { result } = await expose(requestForServices('web', { ...GUARDED, namespace }), one)
      assert.deepEqual(written(one), [])
      assert.deepEqual(result.exposures[0]?.guard, { cidrs: LIST.cidrs, login: { kind: 'basic', users: ['me'] } })
    })

  it('of an external authorizer is not taken for that of a Service in a namespace with its name', async () => {
    const gate = `extensionProviders:\n- name: gate\n  envoyExtAuthzHttp: {service: gate.default.svc.cluster.local, port: 8000}\n`
    const mesh = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'istio', namespace: 'istio-system' },
      data: { mesh: gate },
    }
    const one = shopMesh([mesh, ...application('web', 'shop'), ...application('web', 'shop-ext-authz')])
    const asking = { login: { kind: 'ext-authz', provider: 'gate' } } as const
    await expose(requestForServices('web', { ...GUARDED, namespace: 'shop', guard: asking }), one)
    await expose(requestForServices('web', { ...GUARDED, namespace: 'shop-ext-authz', guard: LIST }), one)
    assert.deepEqual(guarded(one), { 'web.shop': asking, 'web.shop-ext-authz': LIST })
    await cleanup({ ...CLEAN, addons: { names: [], named: true }, services: [{ name: 'web' }], namespace: 'shop' }, one)
    assert.deepEqual(guarded(one), { 'web.shop-ext-authz': LIST })
  })
})

describe('the guards of neighbours', () => {
  it('are for connections to the new host before the Gateway serves it', async () => {
    const one = shopMesh()
    await expose({ ...requestFor('prometheus'), guard: LIST }, one)
    one.cluster.writes.length = 0
    await expose(requestForServices('productpage'), one)
    assert.ok(namesIn(one, 'prometheus').includes(SHOP))
    const order = written(one)
    assert.ok(order.indexOf('AuthorizationPolicy/kubectl-telemetry-prometheus') >= 0)
    assert.ok(
      order.indexOf('AuthorizationPolicy/kubectl-telemetry-prometheus') < order.indexOf('Gateway/kubectl-telemetry'),
    )
    assert.ok(!isClosed(one, 'prometheus'))
  })

  it('are not closed meanwhile', async () => {
    const one = shopMesh()
    await expose({ ...requestFor('prometheus'), guard: LIST }, one)
    one.cluster.writes.length = 0
    await expose(requestForServices('productpage'), one)
    assert.ok(!written(one).includes('VirtualService/kubectl-telemetry-prometheus'), written(one).join())
  })

  it('that cannot be seen to be for the new host keep it from being served, however often', async () => {
    const one = shopMesh()
    await expose({ ...requestFor('prometheus'), guard: LIST }, one)
    const { guarding } = one.prober
    const isOf = (host: string) => host === `prometheus.${DOMAIN}`
    one.prober.guarding = (target) => (isOf(target.host) && target.path.includes('/list/') ? ROUTE : guarding(target))
    for (const run of ['first', 'second', 'third']) {
      const error = await refusal(expose(requestForServices('productpage'), one))
      assert.deepEqual(
        [error.code, error.exitCode, error.message.split(';')[0], error.suggestions.slice(-2)],
        [
          'GUARD_NOT_UPDATED',
          1,
          `it could not be seen that the guard of https://prometheus.${DOMAIN}/ is also in force for connections to the new host (HTTP 403), so the new host is not served`,
          [
            'run the command again   # on a machine that reaches the gateway, or with --ingress-ip',
            'kubectl telemetry expose prometheus   # proves the guard, or closes its route',
          ],
        ],
        run,
      )
      assert.ok(!serversOf(one).join().includes(SHOP), run)
    }
    one.prober.guarding = guarding
    await expose(requestForServices('productpage'), one)
    assert.ok(serversOf(one).join().includes(SHOP))
    one.prober.proofs.length = 0
    await expose(requestForServices('productpage'), one)
    assert.deepEqual(one.prober.proofs, [], 'nothing is asked where no host is new')
  })

  it('keep the name of a Service that is no longer exposed, so that nothing of others changes then', async () => {
    const one = shopMesh()
    await expose({ ...requestFor('prometheus'), guard: LIST }, one)
    await expose(requestForServices('productpage'), one)
    const before = structuredClone(policyOf(one, 'prometheus'))
    await cleanup(
      { ...CLEAN, addons: { names: [], named: true }, services: [{ name: 'productpage' }], namespace: 'bookinfo' },
      one,
    )
    assert.deepEqual(policyOf(one, 'prometheus'), before)
    one.cluster.writes.length = 0
    const { result } = await expose(requestFor('prometheus'), one)
    assert.deepEqual([written(one), codesOf(result)], [[], ['CLIENT_ADDRESS_HIDDEN']])
  })

  it('take over no name of another domain, and none that is no Service', async () => {
    const one = shopMesh()
    await expose({ ...requestFor('prometheus'), guard: LIST }, one)
    const policy = policyOf(one, 'prometheus')
    const more = ['productpage.bookinfo.example.com', `a.b.c.${DOMAIN}`, '*', `*.${DOMAIN}`, DOMAIN]
    const index = one.cluster.objects.findIndex(
      ({ metadata, kind }) => kind === policy.kind && metadata.name === policy.metadata.name,
    )
    const spec = JSON.parse(JSON.stringify(policy.spec), (key, value) =>
      key === 'values' ? [...value, ...more] : value,
    )
    one.cluster.objects.splice(index, 1, { ...policy, spec })
    await expose({ ...requestFor('prometheus'), guard: LIST }, one)
    assert.deepEqual(namesIn(one, 'prometheus'), hosts(...ADDON_NAMES).sort())
  })

  it('are as the last version wrote them where no Service is exposed', async () => {
    const one = shopMesh()
    asksForLogin(one)
    await expose({ ...requestFor('prometheus', 'grafana'), guard: { ...LIST, login: LOGIN } }, one)
    assert.deepEqual(namesIn(one, 'prometheus'), hosts(...ADDON_NAMES).sort())
    one.cluster.writes.length = 0
    await expose(requestFor('kiali'), one)
    assert.deepEqual(written(one), [
      'Secret/kubectl-telemetry-tls',
      'VirtualService/kubectl-telemetry-kiali',
      'Gateway/kubectl-telemetry',
    ])
  })
})
