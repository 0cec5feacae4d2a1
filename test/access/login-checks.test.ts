import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { Login } from '../../src/access/guard.ts'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { UserError } from '../../src/errors.ts'
import { expose } from '../../src/exposing/expose.ts'
import type { ExposeRequest } from '../../src/exposing/request.ts'
import { succeeded } from '../../src/exposing/result.ts'
import { status } from '../../src/status/status.ts'
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
const PROXY: Login = { kind: 'ext-authz', provider: 'oauth2-proxy' }
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

/** A mesh whose gateway refuses requests without a login. */
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
  it('asks the provider only about our host, for all server names', async () => {
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

  it('accepts a redirect to a login as an answer, and warns when this machine is let in', async () => {
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

  it('refuses an unknown provider, and lists the known ones', async () => {
    const error = await refusal(expose(asking('otel', 'grafana'), guarded(mesh())))
    assert.equal(error.code, 'PROVIDER_UNKNOWN')
    assert.match(error.message, /known: oauth2-proxy, opa$/)
    assert.equal(error.suggestions[0], '--auth ext-authz=oauth2-proxy')
    assert.match((await refusal(expose(asking('opa', 'grafana'), guarded(mesh(''))))).message, /it has none/)
  })

  it('skips the check without the permission to read the mesh configuration', async () => {
    const one = guarded()
    one.cluster.fail('get', 'configmaps', new UserError('FORBIDDEN', 'cannot get'))
    assert.ok(succeeded((await expose(asking('opa', 'grafana'), one)).result))
  })

  it('refuses a second provider at the gateway', async () => {
    for (const theirs of [policy('opa', 'istio-system', { istio: 'ingressgateway' }), policy('opa', 'istio-system')]) {
      const error = await refusal(expose(asking('oauth2-proxy', 'grafana'), guarded(mesh(), theirs)))
      assert.equal(error.code, 'PROVIDER_CONFLICT')
      assert.match(error.message, /opa \(for AuthorizationPolicy istio-system\/shop\)/)
    }
    const one = guarded(mesh())
    await expose(asking('opa', 'kiali'), one)
    assert.equal((await refusal(expose(asking('oauth2-proxy', 'grafana'), one))).code, 'PROVIDER_CONFLICT')
    await expose(asking('oauth2-proxy', 'grafana', 'kiali'), one)
  })

  it('accepts the same provider, and others at other workloads', async () => {
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

  it('lets the gateway fetch keys of a Service over its cluster for it', async () => {
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

  it("lets it fetch other keys by TLS, and checks the certificate's name", async () => {
    const one = guarded()
    await expose(tokens('https://issuer.example.com/jwks.json'), one)
    const [, , cluster] = patches(one)
    assert.deepEqual([cluster?.applyTo, cluster?.patch.value.name], ['CLUSTER', 'kubectl-telemetry.grafana.jwks'])
    const text = JSON.stringify(cluster)
    assert.match(text, /"sni":"issuer\.example\.com"/)
    assert.match(text, /"exact":"issuer\.example\.com"/)
    assert.match(text, /"port_value":443/)
  })

  it('refuses a Service or a port that does not exist', async () => {
    for (const uri of ['http://nobody.auth.svc:8080/', 'http://issuer.auth.svc/', 'http://issuer.other.svc:8080/'])
      assert.equal((await refusal(expose(tokens(uri), guarded(issuer)))).code, 'JWKS_SERVICE_NOT_FOUND')
  })
})

describe('an external authorizer with failOpen', () => {
  const failing = (spelling: string) => mesh(MESH.replace('port: 4180', `port: 4180, ${spelling}`))
  const codes = ({ warnings }: { warnings: { code: string }[] }) => warnings.map(({ code }) => code)

  for (const spelling of ['failOpen: true', 'fail_open: true', 'failOpen: "true"']) {
    it(`is no protection for an add-on that lets anyone in: ${spelling}`, async () => {
      const one = guarded(failing(spelling))
      const { code, message } = await refusal(expose(asking('oauth2-proxy', 'grafana'), one))
      assert.equal(code, 'ANONYMOUS_ACCESS')
      assert.match(message, /oauth2-proxy lets everybody in while it does not answer \(failOpen\)/)
      assert.deepEqual(one.cluster.writes, [])
    })
  }

  it('may be used knowingly: the consent is for this authorizer only, and is reported, in status too', async () => {
    const one = guarded(failing('failOpen: true'))
    const { result } = await expose({ ...asking('oauth2-proxy', 'grafana'), terms: { allowAnonymous: true } }, one)
    assert.deepEqual(codes(result), ['AUTHORIZER_FAILS_OPEN'])
    assert.equal(
      find(one.cluster, 'VirtualService').metadata.annotations?.['kubectl-telemetry/allow-anonymous'],
      'Admin over HTTPS while oauth2-proxy does not answer',
    )
    await expose({ ...requestFor('grafana'), terms: { allowAnonymous: false } }, one)
    assert.deepEqual(
      (await status({ expiresIn: 0 }, one)).problems.map(({ code }) => code),
      ['AUTHORIZER_FAILS_OPEN'],
    )
    const lifted: ExposeRequest = {
      ...requestFor('grafana'),
      terms: { allowAnonymous: false },
      guard: { login: 'none' },
    }
    assert.equal((await refusal(expose(lifted, one))).code, 'ANONYMOUS_ACCESS')
  })

  it('is enough beside an allow list, and before an add-on that asks for a login', async () => {
    const listed = { ...asking('oauth2-proxy', 'grafana'), guard: { cidrs: ['10.0.0.0/8'], login: PROXY } }
    assert.ok(
      codes((await expose(listed, guarded(failing('failOpen: true')))).result).includes('AUTHORIZER_FAILS_OPEN'),
    )
    const one = world([...grafana('istio-system', {}), ...ingressGateway(), failing('failOpen: true')])
    one.prober.answers = [{ ok: true, hop: 'access', status: 302, protocol: 'HTTP/2', milliseconds: 1 }]
    assert.deepEqual(codes((await expose(asking('oauth2-proxy', 'grafana'), one)).result), ['AUTHORIZER_FAILS_OPEN'])
  })

  it('is not reported for failOpen: false, or for a provider that is not in use', async () => {
    assert.deepEqual(
      codes((await expose(asking('oauth2-proxy', 'grafana'), guarded(failing('failOpen: false')))).result),
      [],
    )
    assert.deepEqual(codes((await expose(asking('opa', 'grafana'), guarded(failing('failOpen: true')))).result), [])
  })
})
