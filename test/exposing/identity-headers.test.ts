import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { GuardChange } from '../../src/access/guard.ts'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { expose } from '../../src/exposing/expose.ts'
import type { FakeWorld } from '../fakes/fake-world.ts'
import { grafana, ingressGateway, kiali } from '../fakes/mesh.ts'
import { find, requestFor, world } from './exposing.ts'

const USER = 'x-webauth-user'
const BASIC: GuardChange = { login: { kind: 'basic', users: ['me:{SHA}q/eq1kOINtvlJqojGr3i0O73TUI='] } }
const AUTHORIZER: GuardChange = { login: { kind: 'ext-authz', provider: 'gate' } }
const PROXY = { GF_AUTH_PROXY_ENABLED: 'true', GF_AUTH_PROXY_HEADER_NAME: 'X-Me', GF_AUTH_PROXY_HEADERS: 'Role:X-Role' }

/** @param provider in the mesh configuration */
function mesh(
  provider = 'envoyExtAuthzHttp: {service: gate.default.svc, port: 80}',
  env: Record<string, string> = PROXY,
) {
  const metadata = { name: 'istio', namespace: 'istio-system' }
  const data = { mesh: `extensionProviders:\n- name: gate\n  ${provider}\n` }
  const configMap: KubeObject = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data }
  return world([...grafana('istio-system', env), ...kiali(), ...ingressGateway(), configMap])
}

function removed({ cluster }: FakeWorld, addon = 'grafana'): string[] {
  const { http } = find(cluster, 'VirtualService', addon).spec as {
    http: { route?: { headers?: { request: { remove: string[] } } }[] }[]
  }
  const routes = http.flatMap(({ route = [] }) => route)
  assert.ok(routes.length > 0)
  return routes.flatMap(({ headers }) => headers?.request.remove ?? [])
}

describe('request headers in which an add-on believes who the user is', () => {
  const guards: [string, GuardChange, string[]][] = [
    ['anyone', {}, []],
    ['an allow list', { cidrs: ['10.0.0.0/8'] }, []],
    ['a password', BASIC, ['authorization']],
  ]
  for (const [name, guard, more] of guards)
    it(`do not reach it: ${name}`, async () => {
      const one = mesh()
      await expose({ ...requestFor('grafana', 'kiali'), guard }, one)
      assert.deepEqual(removed(one), [...more, USER, 'x-me', 'x-role'])
      assert.deepEqual(removed(one, 'kiali'), more)
    })

  it('do not reach it either where its configuration does not say so now: that may change', async () => {
    const one = mesh(undefined, {})
    await expose(requestFor('grafana'), one)
    assert.deepEqual(removed(one), [USER])
  })

  const http = (headers: string) =>
    `envoyExtAuthzHttp: {service: gate.default.svc, port: 80, headersToUpstreamOnAllow: [${headers}]}`
  const providers: [string, string | undefined, string[]][] = [
    ['that sets none', undefined, [USER, 'x-me', 'x-role']],
    ['that sets another', http('x-mes'), [USER, 'x-me', 'x-role']],
    ['that sets one', http('authorization, X-ME'), [USER, 'x-role']],
    ['that sets those with a begin', http("'X-M*'"), [USER, 'x-role']],
    ['that sets those with an end', http("'*-User', '*role'"), ['x-me']],
    [
      'that is configured in the other spelling',
      http('x-me').replace('headersToUpstreamOnAllow', 'headers_to_upstream_on_allow'),
      [USER, 'x-role'],
    ],
    ['by gRPC, whose answer may set any', 'envoyExtAuthzGrpc: {service: gate.default.svc, port: 80}', []],
    ['with a list that is none', http('').replace('[]', 'x-me'), [USER, 'x-me', 'x-role']],
  ]
  for (const [name, provider, expected] of providers)
    it(`come only from an external authorizer ${name}`, async () => {
      const one = mesh(provider)
      await expose({ ...requestFor('grafana'), guard: AUTHORIZER }, one)
      assert.deepEqual(removed(one), expected)
    })

  it('are removed again when the authorizer is replaced', async () => {
    const one = mesh(http('x-me'))
    await expose({ ...requestFor('grafana'), guard: AUTHORIZER }, one)
    await expose({ ...requestFor('grafana'), guard: BASIC }, one)
    assert.deepEqual(removed(one), ['authorization', USER, 'x-me', 'x-role'])
  })

  it('are removed where it moves along, and where its route is only written again', async () => {
    const one = mesh()
    await expose({ ...requestFor('grafana'), guard: BASIC }, one)
    await expose({ ...requestFor('kiali'), domain: 'example.com' }, one)
    assert.deepEqual(removed(one), ['authorization', USER, 'x-me', 'x-role'])
    const filter = find(one.cluster, 'EnvoyFilter', 'grafana')
    filter.spec = { ...(filter.spec as object), workloadSelector: { labels: { app: 'other' } } }
    one.cluster.writes.length = 0
    await expose(requestFor('kiali'), one)
    assert.ok(one.cluster.writes.some(({ object }) => object === 'EnvoyFilter/kubectl-telemetry-grafana'))
    assert.deepEqual(removed(one), ['authorization', USER, 'x-me', 'x-role'])
  })
})
