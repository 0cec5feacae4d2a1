import assert from 'node:assert/strict'
import { createPublicKey, createSign, generateKeyPairSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'mocha'
import type { ExposeResult } from '../../../src/exposing/result.ts'
import { loadBalancer, loadBalancerAddress } from '../../lab/lab.ts'
import { difference, dump } from '../dump.ts'
import { Workplace } from '../mesh.ts'
import { NodeServer } from '../node-server.ts'
import { assertOneError } from '../one-error.ts'
import { ALL_WELL, startTenant, statusOf, type Tenant, tenantStatuses } from '../tenant.ts'

const ISSUER = 'https://issuer.example.com'

/** An issuer: its keys, and tokens signed by it. */
class Issuer {
  readonly #pair = generateKeyPairSync('rsa', { modulusLength: 2048 })
  readonly keys = JSON.stringify({
    keys: [{ ...createPublicKey(this.#pair.privateKey).export({ format: 'jwk' }), kid: 'one', alg: 'RS256' }],
  })

  /** @param seconds until it expires */
  token({ iss = ISSUER, seconds = 3_600, aud = 'telemetry' } = {}): string {
    const now = Math.floor(Date.now() / 1000)
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const head = part({ alg: 'RS256', kid: 'one', typ: 'JWT' })
    const signed = `${head}.${part({ iss, sub: 'me', aud, iat: now - 7_200, exp: now + seconds })}`
    return `${signed}.${createSign('RSA-SHA256').update(signed).sign(this.#pair.privateKey, 'base64url')}`
  }
}

describe('--auth jwt, on the real mesh', () => {
  const workplace = new Workplace()
  const issuer = new Issuer()
  const file = join(workplace.directory, 'jwks.json')
  let service: NodeServer
  let neighbour: Tenant
  let untouched: Map<string, string>

  before(async () => {
    await loadBalancer('on')
    neighbour = await startTenant(workplace)
    const answer = `response.setHeader('content-type', 'application/json'); response.end(${JSON.stringify(issuer.keys)})`
    service = await NodeServer.start(workplace, 'issuer', answer)
    writeFileSync(file, issuer.keys)
    untouched = dump(workplace)
  })
  afterEach(() => {
    assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
    assert.deepEqual(difference(untouched, dump(workplace)), [])
  })
  after(() => {
    service.end()
    neighbour.remove()
    workplace.end()
  })

  function expose(...words: string[]): ExposeResult {
    const { stdout, stderr, exitCode } = workplace.telemetry('expose', ...words, '-y', '-o', 'json')
    assert.equal(exitCode, 0, stdout + stderr)
    return JSON.parse(stdout) as ExposeResult
  }
  const bearing = (url: string, token: string) => statusOf(url, { headers: { Authorization: `Bearer ${token}` } })

  /** Statuses without a token, with a valid one, an expired one, one of another issuer, one that another key signed, and one that is no token. */
  const seen = (url: string) => [
    statusOf(url),
    bearing(url, issuer.token()),
    bearing(url, issuer.token({ seconds: -100 })),
    bearing(url, issuer.token({ iss: 'https://foreign.example.com' })),
    bearing(url, new Issuer().token()),
    bearing(url, 'abc'),
  ]

  for (const words of [[], ['--insecure'], ['--layout', 'ports']]) {
    it(`lets in a valid token, and answers 401 to all else, with keys from a Service: ${words.join(' ') || 'hosts'}`, () => {
      const keys = ['--issuer', ISSUER, '--jwks-uri', `http://${service.host}:8080/jwks.json`, '--audience', 'any']
      const result = expose('grafana', 'kiali', '--auth', 'jwt', ...keys, ...words)
      assert.equal(result.warnings.filter(({ code }) => code === 'AUDIENCE_ANY').length, 2)
      for (const { url, probe, guard } of result.exposures) {
        assert.deepEqual([probe?.ok, probe?.status, probe?.hop], [true, 401, 'access'])
        assert.deepEqual(guard, { login: { kind: 'jwt', issuer: ISSUER, audiences: [] } })
        assert.deepEqual(seen(url), [401, 200, 401, 401, 401, 401], url)
        // What the finding says.
        assert.equal(bearing(url, issuer.token({ aud: 'another' })), 200)
      }
      // The tenant's requests have tokens of another issuer.
      assert.deepEqual(tenantStatuses(), ALL_WELL)
    })
  }

  it('takes keys from a file, checks the audience, and applies only to its host, over any connection', () => {
    const result = expose('grafana', '--auth', 'jwt', '--issuer', ISSUER, '--jwks', file, '--audience', 'telemetry')
    expose('kiali', '--allow-anonymous')
    const url = result.exposures[0]?.url ?? ''
    assert.deepEqual(seen(url), [401, 200, 401, 401, 401, 401])
    assert.equal(bearing(url, issuer.token({ aud: 'another' })), 403)
    const kiali = `kiali.${loadBalancerAddress}.nip.io`
    assert.equal(statusOf(url, { over: kiali }), 401)
    assert.equal(bearing(`https://${kiali}/kiali/`, 'abc'), 200)
    assert.equal(expose('grafana').exposures[0]?.probe?.status, 401)
    assert.deepEqual(seen(url), [401, 200, 401, 401, 401, 401])
  })

  it('is replaced by a password: then the token is refused', () => {
    const keys = ['--issuer', ISSUER, '--jwks', file, '--audience', 'telemetry']
    const { exposures } = expose('grafana', '--auth', 'jwt', ...keys)
    const { credentials } = expose('grafana', '--auth', 'basic')
    const url = exposures[0]?.url ?? ''
    const user = `${credentials?.user}:${credentials?.password}`
    assert.deepEqual([statusOf(url), bearing(url, issuer.token()), statusOf(url, { user })], [401, 401, 200])
  })

  it('refuses a Service that does not exist, and a file that is no key set', () => {
    const words = ['expose', 'grafana', '-y', '--auth', 'jwt', '--issuer', ISSUER, '--audience', 'telemetry']
    const refused = (code: string, exitCode: number, says: RegExp, ...more: string[]) =>
      assertOneError(workplace.telemetry(...words, ...more), code, says, exitCode)
    refused('JWKS_SERVICE_NOT_FOUND', 1, /the Service does not exist/, '--jwks-uri', 'http://nobody.default.svc:8080/')
    refused('JWKS_SERVICE_NOT_FOUND', 1, /no port 81/, '--jwks-uri', `http://${service.host}:81/`)
    refused('JWKS_URI_INVALID', 2, /is plaintext/, '--jwks-uri', 'http://issuer.example.com/')
    refused(
      'JWKS_INVALID',
      2,
      /not a JSON Web Key Set/,
      '--jwks',
      join(workplace.directory, 'bin', 'kubectl-telemetry'),
    )
    refused('AUTH_INVALID', 2, /the issuer and its keys/)
    const without = workplace.telemetry('expose', 'grafana', '-y', '--auth', 'jwt', '--issuer', ISSUER, '--jwks', file)
    assertOneError(without, 'AUTH_INVALID', /needs --audience/, 2)
  })
})
