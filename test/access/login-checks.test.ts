import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { Login } from '../../src/access/guard.ts'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { UserError } from '../../src/errors.ts'
import { type ExposeRequest, expose } from '../../src/exposing/expose.ts'
import { succeeded } from '../../src/exposing/result.ts'
import { find, refusal, requestFor, world } from '../exposing/exposing.ts'
import type { FakeWorld } from '../fakes/fake-world.ts'
import { grafana, ingressGateway, kiali, service } from '../fakes/mesh.ts'

const MESH = `extensionProviders:
- name: oauth2-proxy
  envoyExtAuthzHttp: {service: oauth2-proxy.auth.svc.cluster.local, port: 4180}
- name: opa
  envoyExtAuthzGrpc: {service: opa.auth.svc.cluster.local, port: 9191}
- name: otel
  opentelemetry: {service: otel.tracing.svc.cluster.local, port: 4317}
`
const ISSUER = 'https://issuer.example.com'

function mesh(text = MESH): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'istio', namespace: 'istio-system' },
    data: { mesh: text },
  }
}

function behind(login: Login, ...names: string[]): ExposeRequest {
  return { ...requestFor(...names), terms: { allowAnonymous: false }, guard: { login } }
}
const asking = (provider: string, ...names: string[]) => behind({ kind: 'ext-authz', provider }, ...names)

/** A mesh whose gateway turns strangers away. */
function guarded(...objects: KubeObject[]): FakeWorld {
  const one = world([...grafana(), ...kiali(), ...ingressGateway(), ...objects])
  one.prober.answers = [{ ok: true, hop: 'access', status: 302, protocol: 'HTTP/2', milliseconds: 1 }]
  return one
}

function policy(provider: string, namespace: string, matchLabels?: Record<string, string>): KubeObject {
  const selector = matchLabels === undefined ? {} : { selector: { matchLabels } }
  const spec = { ...selector, action: 'CUSTOM', provider: { name: provider }, rules: [{}] }
  return {
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: { name: 'shop', namespace },
    spec,
  }
}

describe('expose --auth ext-authz', () => {
  it('asks the provider about our host alone, by all names that our server is entered by', async () => {
    const one = guarded(mesh())
    const { result } = await expose(asking('oauth2-proxy', 'grafana'), one)
    assert.ok(succeeded(result))
    assert.deepEqual(result.exposures[0]?.guard?.login, { kind: 'ext-authz', provider: 'oauth2-proxy' })
    const { metadata, spec } = find(one.cluster, 'AuthorizationPolicy')
    assert.equal(metadata.name, 'kubectl-telemetry-grafana-ext-authz')
    const { action, provider, rules } = spec as { action: string; provider: object; rules: object[] }
    assert.deepEqual([action, provider], ['CUSTOM', { name: 'oauth2-proxy' }])
    assert.match(JSON.stringify(rules), /"hosts":\["grafana\.192.*"connection\.sni".*kiali\.192/)
    one.cluster.writes.length = 0
    await expose(requestFor('grafana'), one)
    assert.deepEqual(one.cluster.writes, [])
  })

  it('takes its way to a login for an answer, whoever it seems to be by, and says when it lets this machine in', async () => {
    const one = guarded(mesh())
    const page = { ok: true, hop: 'upstream' as const, protocol: 'HTTP/2', milliseconds: 1 }
    one.prober.answers = [{ ...page, status: 302 }]
    assert.equal((await expose(asking('opa', 'grafana'), one)).result.exposures[0]?.probe?.hop, 'access')
    one.prober.answers = [{ ...page, status: 200 }]
    const { result } = await expose(asking('opa', 'grafana'), one)
    assert.ok(succeeded(result))
    assert.deepEqual(
      result.warnings.map(({ code }) => code),
      ['AUTHORIZER_LETS_IN'],
    )
  })

  it('refuses one that the mesh does not know, with those that it does', async () => {
    const error = await refusal(expose(asking('otel', 'grafana'), guarded(mesh())))
    assert.equal(error.code, 'PROVIDER_UNKNOWN')
    assert.match(error.message, /known: oauth2-proxy, opa$/)
    assert.equal(error.suggestions[0], '--auth ext-authz=oauth2-proxy')
    assert.match((await refusal(expose(asking('opa', 'grafana'), guarded(mesh(''))))).message, /it has none/)
  })

  it('believes one who may not read the mesh configuration', async () => {
    const one = guarded()
    one.cluster.fail('get', 'configmaps', new UserError('FORBIDDEN', 'cannot get'))
    assert.ok(succeeded((await expose(asking('opa', 'grafana'), one)).result))
  })

  it('refuses a second one at the gateway, of whomever', async () => {
    for (const theirs of [policy('opa', 'istio-system', { istio: 'ingressgateway' }), policy('opa', 'istio-system')]) {
      const error = await refusal(expose(asking('oauth2-proxy', 'grafana'), guarded(mesh(), theirs)))
      assert.equal(error.code, 'PROVIDER_CONFLICT')
      assert.match(error.message, /opa for AuthorizationPolicy istio-system\/shop already/)
    }
    const one = guarded(mesh())
    await expose(asking('opa', 'kiali'), one)
    assert.equal((await refusal(expose(asking('oauth2-proxy', 'grafana'), one))).code, 'PROVIDER_CONFLICT')
    await expose(asking('oauth2-proxy', 'grafana', 'kiali'), one)
  })

  it('does not mind the same one, or others that are elsewhere', async () => {
    const theirs = [
      policy('oauth2-proxy', 'istio-system', { istio: 'ingressgateway' }),
      policy('opa', 'istio-system', { istio: 'other' }),
      policy('opa', 'shop'),
    ]
    for (const one of theirs) await expose(asking('oauth2-proxy', 'grafana'), guarded(mesh(), one))
  })
})

describe('expose --auth jwt', () => {
  const tokens = (uri: string) => behind({ kind: 'jwt', issuer: ISSUER, audiences: [], keys: { uri } }, 'grafana')
  const issuer = service('auth', 'issuer', {}, { ports: [{ port: 8080 }] })

  interface Patch {
    applyTo: string
    patch: { value: { name?: string; typed_config?: { providers: Record<string, object> } } }
  }
  const patches = (one: FakeWorld) =>
    (find(one.cluster, 'EnvoyFilter').spec as { configPatches: Patch[] }).configPatches

  it('has the gateway fetch keys from a Service by its own cluster', async () => {
    const one = guarded(issuer)
    await expose(tokens('http://issuer.auth.svc:8080/jwks.json'), one)
    const [filter, , ...more] = patches(one)
    assert.deepEqual(more, [])
    assert.deepEqual(filter?.patch.value.typed_config?.providers.token, {
      issuer: ISSUER,
      remote_jwks: {
        http_uri: {
          uri: 'http://issuer.auth.svc:8080/jwks.json',
          cluster: 'outbound|8080||issuer.auth.svc.cluster.local',
          timeout: '5s',
        },
        cache_duration: '300s',
      },
    })
    one.cluster.writes.length = 0
    await expose(requestFor('grafana'), one)
    assert.deepEqual(one.cluster.writes, [])
  })

  it('has it fetch others by TLS, from the name that the certificate has to bear', async () => {
    const one = guarded()
    await expose(tokens('https://issuer.example.com/jwks.json'), one)
    const [, , cluster] = patches(one)
    assert.deepEqual([cluster?.applyTo, cluster?.patch.value.name], ['CLUSTER', 'kubectl-telemetry.grafana.jwks'])
    const text = JSON.stringify(cluster)
    assert.match(text, /"sni":"issuer\.example\.com"/)
    assert.match(text, /"exact":"issuer\.example\.com"/)
    assert.match(text, /"port_value":443/)
  })

  it('refuses a Service or a port that is not there', async () => {
    for (const uri of ['http://nobody.auth.svc:8080/', 'http://issuer.auth.svc/', 'http://issuer.other.svc:8080/'])
      assert.equal((await refusal(expose(tokens(uri), guarded(issuer)))).code, 'JWKS_SERVICE_NOT_FOUND')
  })
})
