import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'mocha'
import type { ExposeResult } from '../../../src/exposing/result.ts'
import { loadBalancer, loadBalancerAddress } from '../../lab/lab.ts'
import { difference, dump } from '../dump.ts'
import { Workplace } from '../mesh.ts'
import { assertOneError } from '../one-error.ts'
import { ALL_WELL, startTenant, statusOf, type Tenant, tenantStatuses } from '../tenant.ts'

const DOMAIN = `${loadBalancerAddress}.nip.io`
/** `htpasswd -nbs me "correct horse battery staple"` */
const USER = 'me:{SHA}q/eq1kOINtvlJqojGr3i0O73TUI='
const ECHO = 'telemetry-e2e'

/** A pod with Grafana's label that answers with the headers of the request. */
function echo(): object[] {
  const labels = { 'app.kubernetes.io/name': 'grafana' }
  const metadata = { name: 'echo', namespace: ECHO, labels }
  const container = { name: 'echo', image: 'docker.io/mccutchen/go-httpbin:2.26.0', imagePullPolicy: 'Never' }
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: ECHO } },
    { apiVersion: 'v1', kind: 'Pod', metadata, spec: { containers: [container], terminationGracePeriodSeconds: 0 } },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: { selector: labels, ports: [{ name: 'http', port: 3000, targetPort: 8080 }] },
    },
  ]
}

describe('--auth basic, on the real mesh', () => {
  const workplace = new Workplace()
  let untouched: Map<string, string>
  let neighbour: Tenant

  before(async () => {
    await loadBalancer('on')
    neighbour = await startTenant(workplace)
    untouched = dump(workplace)
  })
  afterEach(() => {
    assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
    assert.deepEqual(difference(untouched, dump(workplace)), [])
  })
  after(() => {
    neighbour.remove()
    workplace.end()
  })

  function expose(...words: string[]): ExposeResult {
    const { stdout, stderr, exitCode } = workplace.telemetry('expose', ...words, '-y', '-o', 'json')
    assert.equal(exitCode, 0, stdout + stderr)
    return JSON.parse(stdout) as ExposeResult
  }
  const userOf = ({ credentials }: ExposeResult) => `${credentials?.user}:${credentials?.password}`

  for (const words of [[], ['--insecure'], ['--layout', 'ports'], ['--layout', 'ports', '--insecure']]) {
    it(`answers 401 to strangers and 200 with the password, and does not change other pages: ${words.join(' ') || 'hosts'}`, () => {
      const result = expose('grafana', 'kiali', '--auth', 'basic', ...words)
      const user = userOf(result)
      for (const { url, probe } of result.exposures) {
        assert.deepEqual([probe?.ok, probe?.status, probe?.hop], [true, 200, 'upstream'])
        const seen = [{}, { user }, { user: 'telemetry:wrong' }, { user: `x${user}` }].map((as) => statusOf(url, as))
        assert.deepEqual(seen, [401, 200, 401, 401], url)
      }
      assert.deepEqual(tenantStatuses(), ALL_WELL)
      assert.equal(statusOf(result.exposures[0]?.url.replace(/\/$/, '/api/org') ?? '', { user }), 200)
      assert.equal(statusOf(result.exposures[1]?.url.replace(/\/$/, '/api/status') ?? '', { user }), 200)
    })
  }

  it('applies only to its host, whatever host the connection was opened for and however the host is spelled', () => {
    const result = expose('grafana', '--auth', 'basic')
    expose('kiali', '--allow-anonymous')
    const [grafana, kiali] = [`https://grafana.${DOMAIN}/`, `https://kiali.${DOMAIN}/kiali/`]
    assert.equal(statusOf(grafana, { over: `kiali.${DOMAIN}` }), 401)
    assert.equal(statusOf(grafana, { over: `kiali.${DOMAIN}`, user: userOf(result) }), 200)
    assert.equal(statusOf(kiali, { over: `grafana.${DOMAIN}` }), 200)
    for (const host of ['HOST:443', 'HOST:1', 'HOST:', 'HOST.', `GRAFANA.${DOMAIN}`, 'x@HOST']) {
      const status = statusOf(grafana, { headers: { Host: host.replace('HOST', `grafana.${DOMAIN}`) } })
      assert.ok([0, 400, 401, 404].includes(status), `${host}: ${status}`)
    }
  })

  it('applies together with an allow list, and before the rules for Prometheus’ own paths', () => {
    const result = expose('prometheus', '--auth', 'basic', '--allow-cidr', '192.0.2.0/24')
    assert.deepEqual([result.exposures[0]?.probe?.status, result.exposures[0]?.probe?.hop], [403, 'access'])
    const opened = expose('prometheus', '--allow-cidr', 'any')
    assert.equal(opened.exposures[0]?.probe?.status, 401)
    const quit = `https://prometheus.${DOMAIN}/-/quit`
    const post = (...more: string[]) =>
      workplace.run('curl', [
        ...['-sk', '-X', 'POST', '-o', '/dev/null', '-w', '%{http_code}', ...more],
        ...['--resolve', `prometheus.${DOMAIN}:443:${loadBalancerAddress}`, quit],
      ]).stdout
    assert.deepEqual([post(), post('-u', userOf(result))], ['401', '403'])
  })

  it('passes no Authorization header to the add-on, and stores no password in the cluster', () => {
    const before = dump(workplace)
    workplace.apply(...echo())
    try {
      workplace.kubectl('-n', ECHO, 'wait', 'pod/echo', '--for=condition=Ready', '--timeout=60s')
      const result = expose('grafana', '-n', ECHO, '--auth', 'basic')
      const host = `grafana.${DOMAIN}`
      const { stdout } = spawnSync(
        'curl',
        ['-sk', '-u', userOf(result), '--resolve', `${host}:443:${loadBalancerAddress}`, `https://${host}/headers`],
        { encoding: 'utf8' },
      )
      const { headers } = JSON.parse(stdout) as { headers: Record<string, string[]> }
      assert.ok(headers['User-Agent'])
      assert.equal(headers.Authorization, undefined)
      const password = result.credentials?.password ?? ''
      assert.match(password, /^[\w-]{24}$/)
      assert.ok(![...dump(workplace).values()].some((object) => object.includes(password)))
    } finally {
      workplace.telemetry('cleanup', '-y')
      workplace.kubectl('delete', 'namespace', ECHO, '--wait=true')
    }
    assert.deepEqual(difference(before, dump(workplace)), [])
  })

  it('takes users from an htpasswd file, and refuses hashes that Envoy cannot read', () => {
    const file = join(workplace.directory, 'htpasswd')
    writeFileSync(file, `${USER}\n`)
    const { exposures, credentials } = expose('grafana', '--auth', 'basic', '--htpasswd', file)
    assert.equal(credentials, undefined)
    const url = exposures[0]?.url ?? ''
    assert.deepEqual([statusOf(url), statusOf(url, { user: 'me:correct horse battery staple' })], [401, 200])
    writeFileSync(file, 'me:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC\n')
    const words = ['expose', 'grafana', '--auth', 'basic', '-y', '--htpasswd']
    assertOneError(workplace.telemetry(...words, file), 'HTPASSWD_INVALID', /a bcrypt hash/, 2)
    assertOneError(workplace.telemetry(...words, '/nowhere'), 'FILE_UNREADABLE', /ENOENT/, 2)
  })

  it('whose object somebody has emptied is not replaced by none, but by a new one or by cleanup', () => {
    expose('grafana', '--auth', 'basic')
    const object = ['envoyfilters.networking.istio.io', 'kubectl-telemetry-grafana']
    const text = workplace.kubectl('-n', 'istio-system', 'get', ...object, '--show-managed-fields', '-o', 'json')
    const { apiVersion, kind, metadata, spec } = JSON.parse(text)
    const { name, namespace, labels, managedFields } = metadata
    // With an empty list of users Envoy would refuse the whole listener.
    spec.configPatches = []
    workplace.applyAs(managedFields[0].manager, { apiVersion, kind, metadata: { name, namespace, labels }, spec })
    const refused = (...words: string[]) =>
      assertOneError(workplace.telemetry('expose', ...words, '-y'), 'GUARDS_UNREADABLE', /EnvoyFilter istio-system/)
    refused('all', '--allow-anonymous')
    refused('grafana', '--allow-cidr', '10.0.0.0/8')
    refused('kiali', '--allow-anonymous', '--domain', 'example.com')
    const { stdout } = workplace.telemetry('status', '-o', 'json')
    assert.match(stdout, /"GUARD_DIFFERS"/)
    expose('kiali', '--allow-anonymous')
    const result = expose('grafana', '--auth', 'basic')
    const grafana = `https://grafana.${DOMAIN}/`
    assert.deepEqual([statusOf(grafana), statusOf(grafana, { user: userOf(result) })], [401, 200])
  })

  it('stays when another add-on is exposed and removed, and ends with --auth none', () => {
    const grafana = `https://grafana.${DOMAIN}/`
    const user = userOf(expose('grafana', '--auth', 'basic'))
    expose('kiali', '--allow-anonymous')
    assert.equal(workplace.telemetry('cleanup', 'kiali', '-y').exitCode, 0)
    assert.equal(expose('grafana').exposures[0]?.probe?.status, 401)
    assert.deepEqual([statusOf(grafana), statusOf(grafana, { user })], [401, 200])
    assert.equal(expose('grafana', '--auth', 'none', '--allow-anonymous').exposures[0]?.probe?.status, 200)
    assert.equal(statusOf(grafana), 200)
  })
})
