import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, afterEach, before, describe, it } from 'mocha'
import type { ExposeResult } from '../../../src/exposing/result.ts'
import { loadBalancer } from '../../lab/lab.ts'
import { difference, dump } from '../dump.ts'
import { Workplace } from '../mesh.ts'
import { MeshSettings } from '../mesh-settings.ts'
import { NodeServer } from '../node-server.ts'
import { assertOneError } from '../one-error.ts'
import { ALL_WELL, startTenant, statusOf, type Tenant, tenantStatuses } from '../tenant.ts'

/** Lets in requests with the cookie, and redirects others to its login, like oauth2-proxy. */
const AUTHORIZER = `const known = (request.headers.cookie ?? '').includes('session=good')
  response.writeHead(known ? 200 : 302, known ? {} : { location: 'https://login.example.com/' }).end()`

describe('--auth ext-authz, on the real mesh', () => {
  const workplace = new Workplace()

  let authorizer: NodeServer
  let neighbour: Tenant
  let mesh: MeshSettings
  let untouched: Map<string, string>

  before(async () => {
    await loadBalancer('on')
    neighbour = await startTenant(workplace)
    authorizer = await NodeServer.start(workplace, 'authorizer', AUTHORIZER)
    mesh = new MeshSettings(workplace)
    const envoyExtAuthzHttp = { service: authorizer.host, port: 8080, includeRequestHeadersInCheck: ['cookie'] }
    mesh.addProviders({ name: 'small', envoyExtAuthzHttp }, { name: 'spare', envoyExtAuthzHttp })
    untouched = dump(workplace)
  })
  afterEach(() => {
    assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
    assert.deepEqual(difference(untouched, dump(workplace)), [])
  })
  after(() => {
    mesh.restore()
    authorizer.end()
    neighbour.remove()
    workplace.end()
  })

  function expose(...words: string[]): ExposeResult {
    const { stdout, stderr, exitCode } = workplace.telemetry('expose', ...words, '-y', '-o', 'json')
    assert.equal(exitCode, 0, stdout + stderr)
    return JSON.parse(stdout) as ExposeResult
  }
  const cookie = (value: string) => ({ headers: { Cookie: `session=${value}` } })
  const seen = (url: string) => [statusOf(url), statusOf(url, cookie('bad')), statusOf(url, cookie('good'))]

  /** Waits for the statuses, because istiod reloads its configuration a moment after a change. */
  async function awaitSeen(url: string, expected: number[]): Promise<void> {
    for (let attempt = 0; attempt < 50 && seen(url).join() !== expected.join(); attempt++) await sleep(200)
    assert.deepEqual(seen(url), expected, url)
  }

  for (const words of [[], ['--insecure'], ['--layout', 'ports']]) {
    it(`lets in requests that the authorizer accepts, and redirects others to its login: ${words.join(' ') || 'hosts'}`, async () => {
      const result = expose('grafana', 'kiali', '--auth', 'ext-authz=small', ...words)
      for (const { url, probe, guard } of result.exposures) {
        assert.deepEqual([probe?.ok, probe?.hop], [true, 'access'])
        assert.deepEqual(guard, { login: { kind: 'ext-authz', provider: 'small' } })
        await awaitSeen(url, [302, 302, 200])
      }
      assert.deepEqual(tenantStatuses(), ALL_WELL)
    })
  }

  it('stays when another add-on is exposed and removed, and ends with --auth none', async () => {
    const url = expose('grafana', '--auth', 'ext-authz=small').exposures[0]?.url ?? ''
    const kiali = expose('kiali', '--allow-anonymous').exposures[0]?.url ?? ''
    assert.equal(statusOf(kiali), 200)
    await awaitSeen(url, [302, 302, 200])
    assert.equal(workplace.telemetry('cleanup', 'kiali', '-y').exitCode, 0)
    assert.equal(expose('grafana').exposures[0]?.probe?.hop, 'access')
    assert.equal(expose('grafana', '--auth', 'none', '--allow-anonymous').exposures[0]?.probe?.status, 200)
    assert.deepEqual(seen(url), [200, 200, 200])
  })

  it('refuses an unknown provider, and lists the known ones', () => {
    const refused = workplace.telemetry('expose', 'grafana', '--auth', 'ext-authz=nobody', '-y')
    assertOneError(refused, 'PROVIDER_UNKNOWN', /known: small, spare/)
  })

  it('refuses a second provider at the gateway, because Istio would deny the requests of both', () => {
    const policy = {
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
    workplace.apply(policy)
    try {
      const refused = workplace.telemetry('expose', 'grafana', '--auth', 'ext-authz=small', '-y')
      assertOneError(
        refused,
        'PROVIDER_CONFLICT',
        /already uses the external authorizer spare \(for AuthorizationPolicy istio-system\/shop\)/,
      )
    } finally {
      workplace.kubectl('-n', 'istio-system', 'delete', 'authorizationpolicies.security.istio.io', 'shop')
    }
  })
})
