import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, afterEach, before, describe, it } from 'mocha'
import type { ExposeResult } from '../../../src/exposing/result.ts'
import { loadBalancer, loadBalancerAddress } from '../../lab/lab.ts'
import { cable, hostAddress } from '../../lab/layout.ts'
import { difference, dump } from '../dump.ts'
import { Workplace } from '../mesh.ts'
import { ALL_WELL, statusOf, tenant, tenantStatuses } from '../tenant.ts'

const DOMAIN = `${loadBalancerAddress}.nip.io`
const OFFICE = hostAddress.replace(/\d+$/, '9')
const ELSEWHERE = hostAddress
const TRAFFIC = (policy: string) => JSON.stringify({ spec: { externalTrafficPolicy: policy } })

/** The Host header as it may be spelled; a name that leads nowhere is as good as a refusal. */
const SPELLINGS = ['HOST:443', 'HOST:1', 'HOST:', 'HOST:x', 'HOST.', 'HOST.:443', 'hOST', 'HOST ', ' HOST', 'x@HOST']

describe('--allow-cidr, on the real mesh', () => {
  const workplace = new Workplace()
  let untouched: Map<string, string>
  let neighbour: { leave(): void }
  let traffic: string

  const service = (...words: string[]) => workplace.kubectl('-n', 'istio-system', ...words)
  const setTraffic = (policy: string) => service('patch', 'service', 'istio-ingressgateway', '-p', TRAFFIC(policy))

  before(async () => {
    await loadBalancer('on')
    // The second of two source addresses.
    spawnSync('ip', ['addr', 'add', `${OFFICE}/32`, 'dev', cable])
    traffic = service('get', 'service', 'istio-ingressgateway', '-o', 'jsonpath={.spec.externalTrafficPolicy}')
    setTraffic('Local')
    neighbour = await tenant(workplace)
    untouched = dump(workplace)
  })
  afterEach(() => {
    assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
    assert.deepEqual(difference(untouched, dump(workplace)), [])
  })
  after(() => {
    neighbour.leave()
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

  it('lets in and keeps out, counts the 403 as reached, and leaves everybody else at the gateway alone', () => {
    const result = expose('grafana', 'kiali', '--allow-cidr', OFFICE, '--allow-cidr', '2001:db8::/32')
    for (const { url, probe, guard } of result.exposures) {
      assert.deepEqual([probe?.ok, probe?.status, probe?.hop], [true, 403, 'access'])
      assert.deepEqual(guard, { cidrs: [`${OFFICE}/32`, '2001:db8::/32'] })
      assert.deepEqual(seen(url), [200, 403], url)
    }
    assert.deepEqual(codes(result), ['KEPT_OUT', 'KEPT_OUT'])
    assert.deepEqual(tenantStatuses(), ALL_WELL)
  })

  it('is not got round by another spelling of the host, another connection, or X-Forwarded-For', () => {
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
    it(`does so with ${words.join(' ')}`, () => {
      const result = expose('grafana', 'prometheus', '--allow-cidr', OFFICE, ...words)
      for (const { url } of result.exposures) assert.equal(seen(url)[1], 403, url)
      assert.equal(seen(result.exposures[0]?.url ?? '')[0], 200)
      assert.deepEqual(tenantStatuses(), ALL_WELL)
    })
  }

  it('is each add-on’s own: stays when others come, go and move, and goes when it is lifted', () => {
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

  it('says what to set when nodes hide the client’s address, and is right about it', async () => {
    setTraffic('Cluster')
    try {
      const result = expose('grafana', '--allow-cidr', OFFICE)
      assert.deepEqual(codes(result), ['CLIENT_ADDRESS_HIDDEN', 'KEPT_OUT'])
      assert.deepEqual(seen(result.exposures[0]?.url ?? ''), [403, 403])
      const remedy = result.warnings.find(({ code }) => code === 'CLIENT_ADDRESS_HIDDEN')?.remedy ?? ''
      assert.equal(workplace.run('sh', ['-c', remedy]).exitCode, 0)
      // kube-proxy hears of it a moment later.
      const url = result.exposures[0]?.url ?? ''
      for (let attempt = 0; seen(url).join() !== '200,403' && attempt < 50; attempt++) await sleep(200)
      assert.deepEqual(seen(url), [200, 403])
    } finally {
      workplace.telemetry('cleanup', '-y')
      setTraffic('Local')
      // The Service has a new port for health checks now.
      untouched = dump(workplace)
    }
  })
})
