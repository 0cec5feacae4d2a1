import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, afterEach, before, describe, it } from 'mocha'
import type { ExposeResult } from '../../../src/exposing/result.ts'
import { loadBalancer, loadBalancerAddress } from '../../lab/lab.ts'
import { cable, hostAddress } from '../../lab/layout.ts'
import { difference, dump } from '../dump.ts'
import { Workplace } from '../mesh.ts'
import { ALL_WELL, startTenant, statusOf, type Tenant, tenantStatuses } from '../tenant.ts'

const DOMAIN = `${loadBalancerAddress}.nip.io`
const OFFICE = hostAddress.replace(/\d+$/, '9')
const ELSEWHERE = hostAddress
const TRAFFIC = (policy: string) => JSON.stringify({ spec: { externalTrafficPolicy: policy } })

/** Spellings of the Host header; a 404 is as good as a refusal. */
const SPELLINGS = ['HOST:443', 'HOST:1', 'HOST:', 'HOST:x', 'HOST.', 'HOST.:443', 'hOST', 'HOST ', ' HOST', 'x@HOST']

describe('--allow-cidr, on the real mesh', () => {
  const workplace = new Workplace()
  let untouched: Map<string, string>
  let neighbour: Tenant
  let traffic: string

  const service = (...words: string[]) => workplace.kubectl('-n', 'istio-system', ...words)
  const setTraffic = (policy: string) => service('patch', 'service', 'istio-ingressgateway', '-p', TRAFFIC(policy))

  before(async () => {
    await loadBalancer('on')
    // The second of two source addresses.
    spawnSync('ip', ['addr', 'add', `${OFFICE}/32`, 'dev', cable])
    traffic = service('get', 'service', 'istio-ingressgateway', '-o', 'jsonpath={.spec.externalTrafficPolicy}')
    setTraffic('Local')
    neighbour = await startTenant(workplace)
    untouched = dump(workplace)
  })
  afterEach(() => {
    assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
    assert.deepEqual(difference(untouched, dump(workplace)), [])
  })
  after(() => {
    neighbour.remove()
    setTraffic(traffic)
    spawnSync('ip', ['addr', 'del', `${OFFICE}/32`, 'dev', cable])
    workplace.end()
  })

  function expose(...words: string[]): ExposeResult {
    const { stdout, stderr, exitCode } = workplace.telemetry('expose', ...words, '-y', '-o', 'json')
    assert.equal(exitCode, 0, stdout + stderr)
    return JSON.parse(stdout) as ExposeResult
  }
  const seen = (url: string) => [OFFICE, ELSEWHERE].map((from) => statusOf(url, { from }))
  const codes = ({ warnings }: ExposeResult) =>
    warnings.map(({ code }) => code).filter((code) => !code.startsWith('DNS_'))

  it('lets in only the allowed addresses, counts a 403 as reached, and does not change other pages of the gateway', () => {
    const result = expose('grafana', 'kiali', '--allow-cidr', OFFICE, '--allow-cidr', '2001:db8::/32')
    for (const { url, probe, guard } of result.exposures) {
      assert.deepEqual([probe?.ok, probe?.status, probe?.hop], [true, 403, 'access'])
      assert.deepEqual(guard, { cidrs: [`${OFFICE}/32`, '2001:db8::/32'] })
      assert.deepEqual(seen(url), [200, 403], url)
    }
    assert.deepEqual(codes(result), ['CLIENT_NOT_ALLOWED', 'CLIENT_NOT_ALLOWED'])
    assert.deepEqual(tenantStatuses(), ALL_WELL)
  })

  it('cannot be bypassed by another spelling of the host, another connection, or X-Forwarded-For', () => {
    const [exposed] = expose('grafana', 'kiali', '--allow-cidr', OFFICE).exposures
    const host = exposed?.host ?? ''
    for (const spelling of SPELLINGS) {
      const header = spelling === 'hOST' ? host.toUpperCase() : spelling.replace('HOST', host)
      const status = statusOf(exposed?.url ?? '', { from: ELSEWHERE, headers: { Host: header } })
      assert.ok([0, 400, 403, 404].includes(status), `${spelling}: ${status}`)
    }
    const url = exposed?.url ?? ''
    assert.equal(statusOf(url, { from: ELSEWHERE, over: `kiali.${DOMAIN}` }), 403)
    for (const name of ['X-Forwarded-For', 'X-Envoy-External-Address', 'X-Real-IP', 'Forwarded'])
      assert.equal(statusOf(url, { from: ELSEWHERE, headers: { [name]: OFFICE } }), 403, name)
  })

  for (const words of [['--insecure'], ['--layout', 'ports'], ['--layout', 'ports', '--insecure']]) {
    it(`lets in only the allowed addresses with ${words.join(' ')}`, () => {
      const result = expose('grafana', 'prometheus', '--allow-cidr', OFFICE, ...words)
      for (const { url } of result.exposures) assert.equal(seen(url)[1], 403, url)
      assert.equal(seen(result.exposures[0]?.url ?? '')[0], 200)
      assert.deepEqual(tenantStatuses(), ALL_WELL)
    })
  }

  it('belongs to one add-on: stays when others are exposed, moved and removed, and ends with --allow-cidr any', () => {
    const at = (addon: string, { exposures }: ExposeResult) => exposures.find((one) => one.addon === addon)?.url ?? ''
    const grafana = at('grafana', expose('grafana', '--allow-cidr', OFFICE))
    const kiali = at('kiali', expose('kiali', '--allow-anonymous'))
    assert.deepEqual([...seen(grafana), ...seen(kiali)], [200, 403, 200, 200])
    assert.equal(expose('grafana').exposures[0]?.probe?.status, 403)
    assert.deepEqual(seen(at('grafana', expose('kiali', '--allow-anonymous', '--layout', 'ports'))), [200, 403])
    expose('kiali', '--allow-anonymous', '--layout', 'hosts')
    assert.equal(workplace.telemetry('cleanup', 'kiali', '-y').exitCode, 0)
    assert.deepEqual(seen(grafana), [200, 403])
    const lifted = expose('grafana', '--allow-cidr', 'any', '--allow-anonymous')
    assert.equal(lifted.exposures[0]?.probe?.status, 200)
    assert.deepEqual(seen(grafana), [200, 200])
  })

  it('reports that nodes hide the client’s address, with a command that repairs it', async () => {
    setTraffic('Cluster')
    try {
      const result = expose('grafana', '--allow-cidr', OFFICE)
      assert.deepEqual(codes(result), ['CLIENT_ADDRESS_HIDDEN', 'CLIENT_NOT_ALLOWED'])
      assert.deepEqual(seen(result.exposures[0]?.url ?? ''), [403, 403])
      const remedy = result.warnings.find(({ code }) => code === 'CLIENT_ADDRESS_HIDDEN')?.remedies[0] ?? ''
      assert.equal(workplace.run('sh', ['-c', remedy]).exitCode, 0)
      // kube-proxy applies the change a moment later.
      const url = result.exposures[0]?.url ?? ''
      for (let attempt = 0; seen(url).join() !== '200,403' && attempt < 50; attempt++) await sleep(200)
      assert.deepEqual(seen(url), [200, 403])
    } finally {
      workplace.telemetry('cleanup', '-y')
      setTraffic('Local')
      // The Service now has another port for health checks.
      untouched = dump(workplace)
    }
  })
})
