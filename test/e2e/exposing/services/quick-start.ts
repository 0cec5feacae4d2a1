import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, afterEach, before, describe, it } from 'mocha'
import type { ExposeResult } from '../../../../src/exposing/result.ts'
import { loadBalancer, nodeAddress } from '../../../lab/lab.ts'
import { BOOKINFO, BOOKINFO_PORT } from '../../bookinfo.ts'
import { difference, dump } from '../../dump.ts'
import type { Workplace } from '../../mesh.ts'
import { assertOneError } from '../../one-error.ts'

const PRODUCTPAGE = ['svc/productpage', '-n', BOOKINFO]
const OPENLY = ['--any-host', '--insecure', '--allow-anonymous']
const SERVICE = ['get', 'service', 'istio-ingressgateway', '-o']
const PATHS = ['--path', '/productpage', '--path', '/static/']

interface Answer {
  status: number
  location: string
  /** Whether it came from the Service, not from the gateway. */
  fromService: boolean
}

/** What curl gets; the path reaches the gateway as it is written. @param more flags of curl */
function get(url: string, ...more: string[]): Answer {
  const format = '%{http_code} %header{x-envoy-upstream-service-time} %header{location}'
  const words = ['-sk', '--path-as-is', '--max-time', '10', '-o', '/dev/null', '-w', format, ...more, url]
  const [status = '', time, location = ''] = spawnSync('curl', words, { encoding: 'utf8' }).stdout.split(' ')
  return { status: Number(status), location, fromService: time !== '' }
}

/** The documented steps: a Gateway for port 80 and 666, and a route from both. */
function documented(): object[] {
  const metadata = { name: 'bookinfo', namespace: BOOKINFO }
  const apiVersion = 'networking.istio.io/v1'
  const server = (number: number) => ({ port: { number, name: `http-${number}`, protocol: 'HTTP' }, hosts: ['*'] })
  const route = [{ destination: { host: 'productpage', port: { number: BOOKINFO_PORT } } }]
  return [
    {
      ...{ apiVersion, kind: 'Gateway', metadata },
      spec: { selector: { istio: 'ingressgateway' }, servers: [server(80), server(666)] },
    },
    {
      ...{ apiVersion, kind: 'VirtualService', metadata },
      spec: { hosts: ['*'], gateways: ['bookinfo'], http: [{ match: [{ uri: { exact: '/productpage' } }], route }] },
    },
  ]
}

export const quickStart = (workplace: Workplace) =>
  describe('the quick start by our commands', () => {
    let untouched: Map<string, string>

    before(async () => {
      await loadBalancer('off')
      untouched = dump(workplace)
    })
    afterEach(() => {
      assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
      assert.deepEqual(difference(untouched, dump(workplace)), [])
    })
    after(async () => {
      await loadBalancer('on')
      workplace.waitForRollout('kiali')
    })

    function expose(...words: string[]): ExposeResult {
      const { stdout, stderr, exitCode } = workplace.telemetry('expose', ...words, '-y', '-o', 'json')
      assert.equal(exitCode, 0, stdout + stderr)
      return JSON.parse(stdout) as ExposeResult
    }
    const service = (...words: string[]) => workplace.kubectl('-n', 'istio-system', ...words)
    const ports = () => service(...SERVICE, 'jsonpath={.spec.ports[*].port}')

    /** Removes port 666 that was added by hand. */
    function removePort(): void {
      const index = ports().split(' ').indexOf('666')
      const remove = JSON.stringify([{ op: 'remove', path: `/spec/ports/${index}` }])
      if (index >= 0) service('patch', ...SERVICE.slice(1, 3), '--type=json', '-p', remove)
    }

    it('every page answers at its node port, all other paths answer 404, and a second run changes nothing', () => {
      const all = expose('all', '--link', '--allow-anonymous')
      const port = ['--port', '666', '--node-port', '30666']
      const [page] = expose(...PRODUCTPAGE, ...port, ...PATHS, ...OPENLY).exposures
      const kiali = ['kiali', '--port', '15029', '--node-port', '32667', ...OPENLY]
      assert.equal(page?.url, `http://${nodeAddress}:30666/productpage`)
      assert.equal(expose(...kiali).exposures[0]?.url, `http://${nodeAddress}:32667/kiali/`)

      for (const { addon, url, host } of all.exposures) {
        const resolve = ['--resolve', `${host}:${new URL(url).port}:${nodeAddress}`]
        // Kiali has left the port that they share, and no other has its name there.
        const expected = { kiali: 0, prometheus: 302 }[addon ?? ''] ?? 200
        assert.equal(get(url, ...resolve).status, expected, url)
      }
      const at = (path: string, number = 30_666) => get(`http://${nodeAddress}:${number}${path}`)
      assert.deepEqual(at('/kiali', 32_667), {
        status: 302,
        location: '/kiali/',
        fromService: true,
      })
      assert.equal(at('/kiali/', 32_667).status, 200)
      for (const path of ['/productpage', '/productpage?u=normal', '/static/style.css'])
        assert.deepEqual([at(path).status, at(path).fromService], [200, true], path)
      const slash = '/api/v1/products'
      const others = ['/', slash, '/productpage/', '/productpag', '/static', '//productpage', `/productpage/..${slash}`]
      const tricks = [
        '..',
        '%2e%2e',
        '.%2e',
        '..%2f',
        '..%2F',
        '..%5c',
        '%2e%2e%2f',
        '%252e%252e%252f',
        '..\\',
        '%5C..',
      ]
      for (const path of [...others, ...tricks.map((one) => `/static/${one}${slash}`)])
        assert.deepEqual([at(path).status, at(path).fromService], [404, false], path)

      for (const words of [kiali, [...PRODUCTPAGE, ...port, ...PATHS, ...OPENLY]])
        assert.deepEqual([...new Set(expose(...words).objects.map(({ action }) => action))], ['unchanged'])
    })

    it('keep ports, paths and terms of one another, and are removed one by one; / lets all paths through again', () => {
      expose(...PRODUCTPAGE, '--port', '666', '--node-port', '30666', ...PATHS, ...OPENLY)
      expose('kiali', '--port', '15029', ...OPENLY)
      const products = `http://${nodeAddress}:30666/api/v1/products`
      assert.equal(get(products).status, 404)
      assert.deepEqual(expose(...PRODUCTPAGE, '--path', '/', '--insecure').exposures[0]?.port, 30_666)
      assert.equal(get(products).status, 200)
      assert.equal(workplace.telemetry('cleanup', 'kiali', '-y').exitCode, 0)
      assert.equal(ports(), '15021 80 443 666')
      assert.equal(get(products).status, 200)
      assert.equal(workplace.telemetry('cleanup', ...PRODUCTPAGE, '-y').exitCode, 0)
      assert.deepEqual(difference(untouched, dump(workplace)), [])
    })

    it('by the documented steps port 666 is dead, and then our command says why it cannot have the port', async () => {
      const page = (number: number | string) => get(`http://${nodeAddress}:${number}/productpage`).status
      const words = [...PRODUCTPAGE, '--port', '666', ...OPENLY]
      const assertTaken = (says: RegExp) =>
        assertOneError(workplace.telemetry('expose', ...words, '-y'), 'GATEWAY_PORT_TAKEN', says)
      const port80 = service(...SERVICE, 'jsonpath={.spec.ports[?(@.port==80)].nodePort}')
      const port = { name: 'bookinfo', nodePort: 30_666, port: 666, protocol: 'TCP', targetPort: 666 }
      workplace.apply(...documented())
      try {
        service('patch', ...SERVICE.slice(1, 3), '-p', JSON.stringify({ spec: { ports: [port] } }))
        for (let attempt = 0; page(port80) !== 200 && attempt < 50; attempt++) await sleep(200)
        await sleep(1_000)
        assert.deepEqual([page(port80), page(30_666)], [200, 0])
        assertTaken(/only root may listen/)
        removePort()
        assertTaken(/Gateway bookinfo\/bookinfo already serves \* by HTTP on port 666/)
      } finally {
        removePort()
        workplace.delete(...documented())
      }
      expose(...words, '--node-port', '30666', '--path', '/productpage')
      assert.equal(page(30_666), 200)
    })
  })
