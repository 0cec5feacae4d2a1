import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, afterEach, before, describe, it } from 'mocha'
import { loadBalancer, loadBalancerAddress } from '../../lab/lab.ts'
import { difference, dump } from '../dump.ts'
import { Workplace } from '../mesh.ts'
import { runPlugin } from '../plugin-runs.ts'
import { askOnce, type Door, Stranger } from '../stranger.ts'

const DOMAIN = `${loadBalancerAddress}.nip.io`
const PROMETHEUS: Door = { host: `prometheus.${DOMAIN}`, port: 443, secure: true, path: '/-/healthy' }
const KIALI: Door = { host: `kiali.${DOMAIN}`, port: 80, secure: false, path: '/kiali/' }
const NOBODY = '192.0.2.1'
const ROUTE = ['-n', 'istio-system', 'patch', 'virtualservices.networking.istio.io', 'kubectl-telemetry-prometheus']
const GATEWAY = ['-n', 'istio-system', 'patch', 'gateways.networking.istio.io', 'kubectl-telemetry']
/** A gateway behind a load balancer that ends TLS; connections that are older than its filters end soon. */
const PROXY_CONFIG = 'gatewayTopology:\n  numTrustedProxies: 1\ndrainDuration: 3s\n'
const ANNOTATION = '/spec/template/metadata/annotations/proxy.istio.io~1config'

describe('ways past a guard, on the real mesh, with trusted proxies', () => {
  const workplace = new Workplace()
  let untouched: Map<string, string>

  const configure = (patch: object) => {
    const deployment = ['-n', 'istio-system', 'patch', 'deployment', 'istio-ingressgateway', '--type=json']
    workplace.kubectl(...deployment, '-p', JSON.stringify([patch]))
    workplace.waitForRollout('istio-ingressgateway')
  }

  before(async () => {
    await loadBalancer('on')
    configure({ op: 'add', path: ANNOTATION, value: PROXY_CONFIG })
    untouched = dump(workplace)
  })
  afterEach(() => {
    assert.equal(workplace.telemetry('cleanup', '-y').exitCode, 0)
    assert.deepEqual(difference(untouched, dump(workplace)), [])
  })
  after(() => {
    configure({ op: 'remove', path: ANNOTATION })
    workplace.end()
  })

  async function run(...words: string[]): Promise<void> {
    const { exitCode, stdout, stderr } = await runPlugin(workplace, ...words, '-y')
    assert.equal(exitCode, 0, `${words.join(' ')}\n${stdout}${stderr}`)
  }
  const asIfByHttps = (door: Door) =>
    askOnce({ ...door, port: 80, secure: false }, { 'x-forwarded-proto': 'https', 'x-forwarded-for': '198.51.100.7' })
  async function until(ask: () => Promise<number>, status: number): Promise<void> {
    for (let attempt = 0; (await ask()) !== status && attempt < 200; attempt++) await sleep(100)
    assert.equal(await ask(), status)
  }

  it('port 80 leads nowhere, whatever X-Forwarded-Proto says', async () => {
    await run('expose', 'prometheus', '--auth', 'basic', '--allow-cidr', NOBODY)
    assert.equal(await askOnce({ ...PROMETHEUS, port: 80, secure: false }), 301)
    assert.equal(await asIfByHttps(PROMETHEUS), 404)
    assert.equal(await askOnce(PROMETHEUS), 403)
    // The control: the route of a former version, for all ports.
    const rule = {
      route: [{ destination: { host: 'prometheus.istio-system.svc.cluster.local', port: { number: 9090 } } }],
    }
    workplace.kubectl(...ROUTE, '--type=merge', '-p', JSON.stringify({ spec: { http: [rule] } }))
    await until(() => asIfByHttps(PROMETHEUS), 200)
  })

  it('routes of other namespaces do not join our hosts', async () => {
    const route = {
      apiVersion: 'networking.istio.io/v1',
      kind: 'VirtualService',
      metadata: { name: 'joining', namespace: 'default' },
      spec: {
        hosts: [PROMETHEUS.host],
        gateways: ['istio-system/kubectl-telemetry'],
        http: [
          {
            match: [{ uri: { prefix: '/-/quit' } }],
            rewrite: { uri: '/-/ready' },
            route: [{ destination: { host: 'prometheus.istio-system.svc.cluster.local', port: { number: 9090 } } }],
          },
        ],
      },
    }
    workplace.apply(route)
    try {
      await run('expose', 'prometheus', '--allow-anonymous')
      const quit = { ...PROMETHEUS, path: '/-/quit' }
      assert.equal(await askOnce(quit), 403)
      // The control: a host without a namespace.
      const hosts = JSON.stringify([{ op: 'replace', path: '/spec/servers/0/hosts/0', value: PROMETHEUS.host }])
      workplace.kubectl(...GATEWAY, '--type=json', '-p', hosts)
      await until(() => askOnce(quit), 200)
    } finally {
      workplace.delete(route)
    }
  })

  it('connections over HTTP that are older than a guard never get a page', async () => {
    await run('expose', 'prometheus', '--insecure', '--allow-anonymous')
    const stranger = new Stranger(KIALI)
    await stranger.connectBefore(40, undefined, KIALI)
    stranger.start()
    await run('expose', 'kiali', '--insecure', '--auth', 'basic')
    await sleep(1_000)
    const seen = await stranger.end()
    assert.deepEqual(stranger.pages, [], JSON.stringify(seen))
    assert.ok((seen['new 401'] ?? 0) > 0 && (seen['old connection 403'] ?? 0) > 0, JSON.stringify(seen))
  })
})
