/** The recipe of Istio's page "Securing Prometheus scraping", applied by hand as a control: our methods do not break what it breaks. */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, before, describe, it } from 'mocha'
import { planMetricsGateway } from '../../../src/scraping/methods/metrics-gateway.ts'
import type { Planner } from '../../../src/scraping/methods/planner.ts'
import { planSidecar } from '../../../src/scraping/methods/sidecar-method.ts'
import { Workplace } from '../mesh.ts'
import { analysis, inboundChains } from '../proxy-config.ts'
import {
  addresses,
  ask,
  awaitStatus,
  type Certificate,
  certificateOf,
  scraper,
  shop,
  waitForRestarts,
} from '../scraping.ts'
import { Plans, type WorkloadName } from '../scraping-plans.ts'

const NAMESPACE = 'documented'
const INGRESS = 'istio-system'
const NETWORKING = 'networking.istio.io/v1'
const GATEWAY: WorkloadName = { kind: 'Deployment', namespace: INGRESS, name: 'istio-ingressgateway' }
const SHOP: WorkloadName = { kind: 'Deployment', namespace: NAMESPACE, name: 'shop' }
const PATH = '/stats/prometheus'

/** The page's objects, unchanged except for the namespaces. */
const recipe = [
  {
    apiVersion: NETWORKING,
    kind: 'Sidecar',
    metadata: { name: 'secure-metrics', namespace: NAMESPACE },
    spec: {
      ingress: [
        { port: { number: 15091, name: 'https-metrics', protocol: 'HTTP' }, defaultEndpoint: '127.0.0.1:15020' },
      ],
    },
  },
  {
    apiVersion: NETWORKING,
    kind: 'Gateway',
    metadata: { name: 'httpbin-gateway', namespace: NAMESPACE },
    spec: {
      selector: { istio: 'ingressgateway' },
      servers: [
        { port: { number: 80, name: 'http', protocol: 'HTTP' }, hosts: ['*'] },
        {
          port: { number: 15091, name: 'https-metrics', protocol: 'HTTPS' },
          tls: { mode: 'ISTIO_MUTUAL' },
          hosts: ['*'],
        },
      ],
    },
  },
  {
    apiVersion: NETWORKING,
    kind: 'ServiceEntry',
    metadata: { name: 'gateway-admin', namespace: INGRESS },
    spec: {
      hosts: ['gateway-admin.local'],
      location: 'MESH_INTERNAL',
      ports: [{ number: 15020, name: 'http-metrics', protocol: 'HTTP' }],
      resolution: 'STATIC',
      endpoints: [{ address: '127.0.0.1' }],
    },
  },
  {
    apiVersion: NETWORKING,
    kind: 'VirtualService',
    metadata: { name: 'gateway-metrics', namespace: NAMESPACE },
    spec: {
      hosts: ['*'],
      gateways: ['httpbin-gateway'],
      http: [
        {
          match: [{ uri: { prefix: PATH } }],
          route: [{ destination: { host: 'gateway-admin.local', port: { number: 15020 } } }],
        },
      ],
    },
  },
]

/** A user's page on port 80 of the gateway, as most gateways have one. */
const page = [
  {
    apiVersion: NETWORKING,
    kind: 'Gateway',
    metadata: { name: 'page', namespace: NAMESPACE },
    spec: {
      selector: { istio: 'ingressgateway' },
      servers: [{ port: { number: 80, name: 'http', protocol: 'HTTP' }, hosts: ['*'] }],
    },
  },
  {
    apiVersion: NETWORKING,
    kind: 'VirtualService',
    metadata: { name: 'page', namespace: NAMESPACE },
    spec: {
      hosts: ['*'],
      gateways: ['page'],
      http: [
        { match: [{ uri: { prefix: '/status' } }], route: [{ destination: { host: 'shop', port: { number: 8000 } } }] },
      ],
    },
  },
]

describe('what the documented recipe breaks, on the real mesh', () => {
  const workplace = new Workplace()
  const plans = new Plans()
  let certificate: Certificate
  let ports: number[][]

  const url = (app: string, port: number, path: string, namespace = NAMESPACE) =>
    `${addresses(workplace, namespace, app)[0]}:${port}${path}`
  const gateway = (port: number, path = PATH) => url('istio-ingressgateway', port, path, INGRESS)
  const plaintext = (address: string) => () => ask(`http://${address}`)
  const secure = (address: string) => () => ask(`https://${address}`, certificate)
  const chains = () =>
    ['shop', 'till'].map((app) => [...inboundChains(workplace, NAMESPACE, `deployment/${app}`).keys()])
  /** Waits until the proxy of `till` has this number of restarts. @returns the number */
  const restarts = async (wanted: number) => {
    const of = () => {
      const { items } = JSON.parse(workplace.kubectl('-n', NAMESPACE, 'get', 'pods', '-l', 'app=till', '-o', 'json'))
      const { containerStatuses = [], initContainerStatuses = [] } = items[0].status
      const all = [...containerStatuses, ...initContainerStatuses] as { name: string; restartCount: number }[]
      return all.find(({ name }) => name === 'istio-proxy')?.restartCount ?? 0
    }
    for (let attempt = 0; of() < wanted && attempt < 60; attempt++) await sleep(250)
    return of()
  }

  before(async () => {
    workplace.apply(...shop(NAMESPACE), ...scraper(NAMESPACE))
    waitForRestarts(workplace, NAMESPACE)
    certificate = await certificateOf(workplace, NAMESPACE)
    ports = chains()
  })
  after(async () => {
    await plans.cluster.close()
    workplace.delete(...recipe, ...page)
    workplace.telemetry('cleanup', '--scraping', '-y')
    workplace.waitForRollout('istio-ingressgateway')
    workplace.kubectl('delete', 'namespace', NAMESPACE, '--wait=true', '--timeout=90s')
    workplace.end()
  })

  it('the recipe removes listeners, serves metrics in plaintext, lets anyone end the proxy, and refuses Prometheus', async () => {
    workplace.apply(...recipe)
    assert.equal(await awaitStatus(200, plaintext(url('shop', 15091, PATH))), 200)
    assert.equal(await awaitStatus(200, plaintext(url('till', 15091, PATH))), 200, 'in every pod of the namespace')
    assert.deepEqual(chains(), [
      [0, 15006, 15091],
      [0, 15006, 15091],
    ])
    assert.equal(secure(url('shop', 15091, PATH))().status, 0, 'with Prometheus’ ALPN')
    assert.equal(await awaitStatus(200, plaintext(gateway(8080))), 200, 'in plaintext on the port of every page')
    ask(`http://${url('till', 15091, '/quitquitquit')}`, undefined, '-X', 'POST')
    assert.equal(await restarts(1), 1, 'anyone can end the proxy')
    workplace.delete(...recipe)
    workplace.kubectl('-n', NAMESPACE, 'delete', 'pod', '-l', 'app=till')
    waitForRestarts(workplace, NAMESPACE)
  })

  it('our methods keep the listeners, serve nothing in plaintext or on other ports, and let Prometheus in', async () => {
    workplace.apply(...page)
    const works: [WorkloadName, Planner][] = [
      [SHOP, planSidecar],
      [GATEWAY, planMetricsGateway],
    ]
    for (const [named, planner] of works) await plans.applyPlan(named, planner)
    waitForRestarts(workplace, NAMESPACE)
    waitForRestarts(workplace, INGRESS)
    assert.equal(await awaitStatus(200, secure(url('shop', 15091, PATH))), 200)
    assert.equal(plaintext(url('shop', 15091, PATH))().status, 0)
    assert.equal(plaintext(url('till', 15091, PATH))().status, 503, 'nothing listens there')
    const [atShop = [], atTill = []] = ports
    assert.deepEqual(chains(), [[...atShop, 15091].sort((a, b) => a - b), atTill])
    assert.equal(await awaitStatus(200, secure(gateway(15091))), 200)
    assert.deepEqual([plaintext(gateway(15091))().status, ask(`https://${gateway(15091)}`).status], [0, 0])
    for (const path of ['/quitquitquit', '/healthz/ready', '/metrics'])
      assert.equal(secure(gateway(15091, path))().status, 404, path)
    assert.equal(await awaitStatus(200, plaintext(gateway(8080, '/status/200'))), 200, 'the user’s page')
    assert.equal(plaintext(gateway(8080))().status, 404, 'no metrics on its port')
    const codes = analysis(workplace, INGRESS).filter((message) => message.includes('kubectl-telemetry'))
    assert.deepEqual(codes, ['IST0162 Gateway istio-system/kubectl-telemetry-metrics-istio-ingressgateway'])
  })

  it('--harden closes the gateway’s plaintext ports to other clients', async () => {
    assert.deepEqual([plaintext(gateway(15020))().status, plaintext(gateway(15090))().status], [200, 200])
    await plans.applyPlan(GATEWAY, planMetricsGateway, { harden: true })
    waitForRestarts(workplace, INGRESS)
    assert.equal(await awaitStatus(200, secure(gateway(15091))), 200)
    assert.deepEqual([plaintext(gateway(15020))().status, plaintext(gateway(15090))().status], [403, 0])
  })
})
