import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, before, describe, it } from 'mocha'
import { issueLeaf } from '../../../src/certificates/authority.ts'
import { authorityOf, issuing } from '../../certificates/issuing.ts'
import { loadBalancer, loadBalancerAddress } from '../../lab/lab.ts'
import { rawRequest } from '../http2.ts'
import { Workplace } from '../mesh.ts'
import { runPlugin } from '../plugin-runs.ts'

const NAMESPACE = 'istio-system'
const HOST = 'shop.example.com'
const NOW = { now: new Date() }

/** A user's objects at the same gateway: another host on 443 with a route to Grafana, and a rule for it. */
async function usersObjects(): Promise<{ objects: object[]; ca: string }> {
  const authority = await authorityOf('example.com', 0, NOW)
  const leaf = await issueLeaf(authority, [HOST], issuing(1, NOW))
  const base64 = (text: string) => Buffer.from(text).toString('base64')
  const apiVersion = 'networking.istio.io/v1'
  const at = (name: string) => ({ name, namespace: NAMESPACE })
  const tls = { mode: 'SIMPLE', credentialName: 'shop-tls' }
  const objects = [
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: at('shop-tls'),
      type: 'kubernetes.io/tls',
      data: { 'tls.crt': base64(leaf.certificate), 'tls.key': base64(leaf.key) },
    },
    {
      apiVersion,
      kind: 'DestinationRule',
      metadata: at('grafana'),
      spec: { host: 'grafana', trafficPolicy: { connectionPool: { tcp: { maxConnections: 100 } } } },
    },
    {
      apiVersion,
      kind: 'VirtualService',
      metadata: at('shop'),
      spec: {
        hosts: [HOST],
        gateways: ['shop'],
        http: [{ route: [{ destination: { host: 'grafana', port: { number: 3000 } } }] }],
      },
    },
    {
      apiVersion,
      kind: 'Gateway',
      metadata: at('shop'),
      spec: {
        selector: { istio: 'ingressgateway' },
        servers: [{ port: { number: 443, name: 'https', protocol: 'HTTPS' }, hosts: [HOST], tls }],
      },
    },
  ]
  return { objects, ca: authority.certificate }
}

describe('a user’s own objects at the same gateway, on the real mesh', () => {
  const workplace = new Workplace()
  const port = { name: 'tcp-shop', port: 31400, targetPort: 31400, protocol: 'TCP' }
  let objects: object[] = []
  let ca = ''

  before(async () => {
    await loadBalancer('on')
    ;({ objects, ca } = await usersObjects())
    workplace.apply(...objects)
    patchService([{ op: 'add', path: '/spec/ports/-', value: port }])
    for (let attempt = 0; attempt < 50 && (await shop()) !== 200; attempt++) await sleep(200)
    assert.equal(await shop(), 200)
  })
  after(() => {
    workplace.end()
    const ports = JSON.parse(kubectl('get', 'service', 'istio-ingressgateway', '-o', 'json')).spec.ports as object[]
    const index = ports.findIndex((one) => 'name' in one && one.name === port.name)
    patchService([{ op: 'remove', path: `/spec/ports/${index}` }])
    workplace.delete(...objects)
  })

  const kubectl = (...words: string[]) => workplace.kubectl('-n', NAMESPACE, ...words)
  const shop = () => rawRequest(loadBalancerAddress, HOST, ca, 'GET', '/api/health')

  function patchService(patch: object[]): void {
    kubectl('patch', 'service', 'istio-ingressgateway', '--type=json', '-p', JSON.stringify(patch))
  }

  /** The user's objects as the API server stores them. */
  function bytes(): string {
    const kinds = ['destinationrules', 'virtualservices', 'gateways'].map((kind) => `${kind}.networking.istio.io`)
    const names = [`${kinds[0]}/grafana`, `${kinds[1]}/shop`, `${kinds[2]}/shop`]
    return kubectl(
      'get',
      'secret/shop-tls',
      'service/istio-ingressgateway',
      ...names,
      '-o',
      'yaml',
      '--show-managed-fields',
    )
  }

  it('are byte-identical after expose all and cleanup, and their host answers 200 throughout', async () => {
    const before = bytes()
    assert.match(before, /name: tcp-shop/)
    const statuses: number[] = []
    let looking = true
    const look = (async () => {
      for (; looking; await sleep(10)) statuses.push(await shop())
    })()
    const exposed = await runPlugin(workplace, 'expose', 'all', '--allow-anonymous', '-y')
    assert.equal(exposed.exitCode, 0, exposed.stderr)
    assert.equal(bytes(), before)
    const again = await runPlugin(workplace, 'expose', 'all', '--allow-anonymous', '-y', '--domain', 'mesh.example.com')
    assert.equal(again.exitCode, 0, again.stderr)
    assert.equal((await runPlugin(workplace, 'cleanup', 'kiali', '-y')).exitCode, 0)
    assert.equal((await runPlugin(workplace, 'cleanup', '-y')).exitCode, 0)
    await sleep(1_000) // Envoy gets the change a moment later
    looking = false
    await look
    assert.equal(bytes(), before)
    assert.ok(statuses.length > 50, `only ${statuses.length} looks`)
    assert.deepEqual(
      [...new Set(statuses)],
      [200],
      `${statuses.filter((status) => status !== 200).length} of ${statuses.length}`,
    )
  })
})
