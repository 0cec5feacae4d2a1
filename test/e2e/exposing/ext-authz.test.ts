import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, afterEach, before, describe, it } from 'mocha'
import { parse, stringify } from 'yaml'
import type { ExposeResult } from '../../../src/exposing/result.ts'
import { loadBalancer } from '../../lab/lab.ts'
import { difference, dump } from '../dump.ts'
import { Workplace } from '../mesh.ts'
import { Beside } from '../node-server.ts'
import { assertOneError } from '../one-error.ts'
import { ALL_WELL, statusOf, tenant, tenantStatuses } from '../tenant.ts'

/** Lets in whoever has the cookie; leads others to its login, as oauth2-proxy does. */
const AUTHORIZER = `const known = (request.headers.cookie ?? '').includes('session=good')
  response.writeHead(known ? 200 : 302, known ? {} : { location: 'https://login.example.com/' }).end()`

describe('--auth ext-authz, on the real mesh', () => {
  const workplace = new Workplace()

  let authorizer: Beside
  let neighbour: { leave(): void }
  let mesh: string
  let untouched: Map<string, string>

  const CONFIG_MAP = 'configmap/istio'
  const setMesh = (text: string) => {
    const patch = JSON.stringify({ data: { mesh: text } })
    workplace.kubectl('-n', 'istio-system', 'patch', CONFIG_MAP, '--type=merge', '-p', patch)
  }

  before(async () => {
    await loadBalancer('on')
    neighbour = await tenant(workplace)
    authorizer = await Beside.start(workplace, 'authorizer', AUTHORIZER)
    mesh = workplace.kubectl('-n', 'istio-system', 'get', CONFIG_MAP, '-o', 'jsonpath={.data.mesh}')
    const envoyExtAuthzHttp = { service: authorizer.host, port: 8080, includeRequestHeadersInCheck: ['cookie'] }
    const extensionProviders = [
      ...((parse(mesh) as { extensionProviders?: object[] }).extensionProviders ?? []),
      { name: 'small', envoyExtAuthzHttp },
      { name: 'spare', envoyExtAuthzHttp },
    ]
    setMesh(stringify({ ...parse(mesh), extensionProviders }))
    untouched = dump(workplace)
  })
  afterEach(() => {
    assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
    assert.deepEqual(difference(untouched, dump(workplace)), [])
  })
  after(() => {
    setMesh(mesh)
    authorizer.end()
    neighbour.leave()
    workplace.end()
  })

  function expose(...words: string[]): ExposeResult {
    const { stdout, stderr, exitCode } = workplace.telemetry('expose', ...words, '-y', '-o', 'json')
    assert.equal(exitCode, 0, stdout + stderr)
    return JSON.parse(stdout) as ExposeResult
  }
  const cookie = (value: string) => ({ headers: { Cookie: `session=${value}` } })
  const seen = (url: string) => [statusOf(url), statusOf(url, cookie('bad')), statusOf(url, cookie('good'))]

  /** istiod reads its configuration again by itself, a moment after it has changed. */
  async function untilSeen(url: string, expected: number[]): Promise<void> {
    for (let attempt = 0; attempt < 50 && seen(url).join() !== expected.join(); attempt++) await sleep(200)
    assert.deepEqual(seen(url), expected, url)
  }

  for (const words of [[], ['--insecure'], ['--layout', 'ports']]) {
    it(`lets in whom the authorizer lets in, and leads others to its login: ${words.join(' ') || 'hosts'}`, async () => {
      const result = expose('grafana', 'kiali', '--auth', 'ext-authz=small', ...words)
      for (const { url, probe, guard } of result.exposures) {
        assert.deepEqual([probe?.ok, probe?.hop], [true, 'access'])
        assert.deepEqual(guard, { login: { kind: 'ext-authz', provider: 'small' } })
        await untilSeen(url, [302, 302, 200])
      }
      assert.deepEqual(tenantStatuses(), ALL_WELL)
    })
  }

  it('stays when another add-on comes and goes, and goes when it is lifted', async () => {
    const url = expose('grafana', '--auth', 'ext-authz=small').exposures[0]?.url ?? ''
    const kiali = expose('kiali', '--allow-anonymous').exposures[0]?.url ?? ''
    assert.equal(statusOf(kiali), 200)
    await untilSeen(url, [302, 302, 200])
    assert.equal(workplace.telemetry('cleanup', 'kiali', '-y').exitCode, 0)
    assert.equal(expose('grafana').exposures[0]?.probe?.hop, 'access')
    assert.equal(expose('grafana', '--auth', 'none', '--allow-anonymous').exposures[0]?.probe?.status, 200)
    assert.deepEqual(seen(url), [200, 200, 200])
  })

  it('refuses a provider that is not there, with those that are', () => {
    const refused = workplace.telemetry('expose', 'grafana', '--auth', 'ext-authz=nobody', '-y')
    assertOneError(refused, 'PROVIDER_UNKNOWN', /known: small, spare/)
  })

  it('refuses a second provider at the gateway: Istio would refuse the requests of both', () => {
    const theirs = {
      apiVersion: 'security.istio.io/v1',
      kind: 'AuthorizationPolicy',
      metadata: { name: 'shop', namespace: 'istio-system' },
      spec: {
        selector: { matchLabels: { istio: 'ingressgateway' } },
        action: 'CUSTOM',
        provider: { name: 'spare' },
        rules: [{ to: [{ operation: { hosts: ['shop.example.com'], paths: ['/private'] } }] }],
      },
    }
    workplace.apply(theirs)
    try {
      const refused = workplace.telemetry('expose', 'grafana', '--auth', 'ext-authz=small', '-y')
      assertOneError(refused, 'PROVIDER_CONFLICT', /asks spare for AuthorizationPolicy istio-system\/shop already/)
    } finally {
      workplace.kubectl('-n', 'istio-system', 'delete', 'authorizationpolicies.security.istio.io', 'shop')
    }
  })
})
