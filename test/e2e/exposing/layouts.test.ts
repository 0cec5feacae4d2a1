import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import type { ExposeResult } from '../../../src/exposing/result.ts'
import { loadBalancer, loadBalancerAddress, nodeAddress } from '../../lab/lab.ts'
import { difference, dump } from '../dump.ts'
import { Workplace } from '../mesh.ts'

const SERVICE = ['-n', 'istio-system', 'get', 'service', 'istio-ingressgateway', '-o']
const CONSENT = ['--allow-anonymous', '-y']

describe('layouts, on the real mesh', () => {
  const workplace = new Workplace()
  before(() => loadBalancer('on'))
  after(() => workplace.end())

  /** The status that curl gets for an exposed URL, with our CA and without DNS. */
  function status({ authority, gateway }: ExposeResult, url: string): string {
    const { hostname, port, protocol } = new URL(url)
    const number = port || { 'https:': '443', 'http:': '80' }[protocol]
    const trust = authority === undefined ? [] : ['--cacert', authority.certificate]
    const words = ['-sS', '-o', '/dev/null', '-w', '%{http_code} %{redirect_url}', ...trust]
    return workplace.run('curl', [...words, '--resolve', `${hostname}:${number}:${gateway.address}`, url]).stdout.trim()
  }

  function expose(...words: string[]): ExposeResult {
    const { stdout, stderr, exitCode } = workplace.telemetry('expose', ...words, ...CONSENT, '-o', 'json')
    assert.equal(exitCode, 0, stdout + stderr)
    return JSON.parse(stdout) as ExposeResult
  }

  function assertPagesAnswerAndNothingIsLeft(words: string[]): ExposeResult {
    const untouched = dump(workplace)
    const result = expose('all', ...words)
    assert.equal(result.exposures.length, 4)
    for (const { addon, url } of result.exposures)
      assert.match(status(result, url), addon === 'prometheus' ? /^302 .*\/query$/ : /^200$/, url)
    const again = expose('all', ...words)
    assert.deepEqual([...new Set(again.objects.map(({ action }) => action))], ['unchanged'])
    assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
    assert.deepEqual(difference(untouched, dump(workplace)), [])
    return result
  }

  const PLACES = [
    { place: 'at a load balancer’s address', balancer: 'on', address: loadBalancerAddress },
    { place: 'at a node', balancer: 'off', address: nodeAddress },
  ] as const
  for (const { place, balancer, address } of PLACES) {
    describe(`${place}: every page answers, a second run changes nothing, cleanup leaves nothing`, () => {
      before(() => loadBalancer(balancer))
      after(() => loadBalancer('on'))

      for (const [layout, more, protocol] of [
        ['hosts', [], 'https:'],
        ['hosts', ['--insecure'], 'http:'],
        ['ports', [], 'https:'],
        ['ports', ['--insecure'], 'http:'],
      ] as const) {
        it(`${layout} by ${protocol}`, () => {
          const result = assertPagesAnswerAndNothingIsLeft(['--layout', layout, ...more])
          assert.equal(result.gateway.address, address)
          assert.deepEqual([...new Set(result.exposures.map(({ url }) => new URL(url).protocol))], [protocol])
        })
      }
    })
  }

  it('redirect from HTTP to HTTPS, and keep path and query', () => {
    const result = expose('grafana')
    const host = result.exposures[0]?.host
    assert.equal(status(result, `http://${host}/d/x?orgId=1`), `301 https://${host}/d/x?orgId=1`)
    workplace.telemetry('cleanup', '-y')
  })

  it('can be changed: exposed add-ons move, and the Service’s ports are removed', () => {
    const untouched = workplace.kubectl(...SERVICE, 'jsonpath={.spec}')
    expose('grafana', 'kiali', '--layout', 'ports')
    const result = expose('kiali', '--layout', 'hosts')
    assert.deepEqual(
      result.exposures.map(({ addon, probe }) => [addon, probe?.ok]),
      [
        ['kiali', true],
        ['grafana', true],
      ],
    )
    assert.deepEqual(
      result.warnings.map(({ code }) => code).filter((code) => code === 'HOST_MOVED'),
      ['HOST_MOVED'],
    )
    assert.equal(workplace.kubectl(...SERVICE, 'jsonpath={.spec}'), untouched)
    workplace.telemetry('cleanup', '-y')
  })

  it('lose only the ports of one add-on by its cleanup', () => {
    const result = expose('grafana', 'kiali', '--layout', 'ports')
    assert.equal(workplace.telemetry('cleanup', 'grafana', '-y').exitCode, 0)
    assert.match(workplace.kubectl(...SERVICE, 'jsonpath={.spec.ports[*].port}'), /^15021 80 443 15029$/)
    assert.equal(status(result, result.exposures[1]?.url ?? ''), '200')
    workplace.telemetry('cleanup', '-y')
  })

  describe('node ports', () => {
    before(() => loadBalancer('off'))
    after(() => loadBalancer('on'))

    it('are those of --node-port', () => {
      // The API server gives the first 86 ports to nobody who does not ask for one.
      const result = expose('grafana', '--layout', 'ports', '--node-port', '30053')
      assert.equal(result.exposures[0]?.port, 30053)
      assert.equal(status(result, result.exposures[0]?.url ?? ''), '200')
      workplace.telemetry('cleanup', '-y')
    })

    it('that are invalid are refused with one clear error, and nothing is changed', () => {
      const untouched = dump(workplace)
      const taken = workplace.kubectl(...SERVICE, 'jsonpath={.spec.ports[0].nodePort}')
      const cases: [string, string[], number, string][] = [
        ['80', [], 1, 'NODE_PORT_REFUSED'],
        ['40000', [], 1, 'NODE_PORT_REFUSED'],
        [taken, [], 1, 'NODE_PORT_REFUSED'],
        ['70000', [], 2, 'NODE_PORT_INVALID'],
        ['grafana=', [], 2, 'NODE_PORT_INVALID'],
        ['kiali=31531', [], 2, 'NODE_PORT_INVALID'],
        ['31531', ['kiali'], 2, 'NODE_PORT_INVALID'],
      ]
      for (const [port, more, exit, code] of cases) {
        const words = ['expose', 'grafana', ...more, '--layout', 'ports', '--node-port', port, ...CONSENT, '-o', 'json']
        const { stdout, exitCode } = workplace.telemetry(...words)
        assert.deepEqual([JSON.parse(stdout).error.code, exitCode], [code, exit], port)
        assert.deepEqual(difference(untouched, dump(workplace)), [], port)
      }
    })
  })
})
