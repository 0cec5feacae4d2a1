import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'mocha'
import type { KubeCluster } from '../../src/cluster/kube-cluster.ts'
import { ApiServer } from './api-server.ts'
import { Clients } from './clients.ts'

const POD = { namespace: 'shop', name: 'cart-1' }
const ASKED = { port: 15092, path: '/stats/prometheus' }

describe('KubeCluster.askPod', () => {
  let server: ApiServer
  let clients: Clients
  let cluster: KubeCluster
  before(async () => {
    server = await ApiServer.start()
    clients = await Clients.create()
    cluster = await clients.cluster(server)
  })
  beforeEach(() => {
    server.asked.length = 0
  })
  after(async () => {
    await clients.close()
    await server.close()
  })
  const status = (code: number, message: string, reason = 'x') => {
    server.answer = () => ({
      status: code,
      body: { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message },
    })
  }

  it('sends a GET to the port, with or without TLS', async () => {
    server.answer = () => ({ status: 200, body: 'metrics' })
    assert.deepEqual(await cluster.askPod(POD, { ...ASKED, query: { a: 'b&c' } }), { status: 200, body: 'metrics' })
    await cluster.askPod(POD, { ...ASKED, scheme: 'https' })
    assert.deepEqual(
      server.asked.map(({ method, path, query }) => [method, path, query]),
      [
        ['GET', '/api/v1/namespaces/shop/pods/cart-1:15092/proxy/stats/prometheus', { a: 'b&c' }],
        ['GET', '/api/v1/namespaces/shop/pods/https:cart-1:15092/proxy/stats/prometheus', {}],
      ],
    )
  })

  it('returns any answer of the pod, and sends only one request', async () => {
    for (const [code, body] of [
      [503, 'upstream connect error'],
      [403, ''],
      [500, '{"error": "x"}'],
    ] as const) {
      server.answer = () => ({ status: code, body })
      assert.equal(((await cluster.askPod(POD, ASKED)) as { status: number }).status, code)
    }
    assert.equal(server.asked.length, 3)
  })

  // The text of Kubernetes 1.34.
  for (const why of [
    'remote error: tls: certificate required',
    'read tcp 10.0.0.1:1->10.0.0.2:15092: read: connection reset by peer',
    'dial tcp 10.0.0.2:15092: connect: connection refused',
  ])
    it(`reports why there is no answer: ${why}`, async () => {
      status(503, `error trying to reach service: ${why}`, 'ServiceUnavailable')
      assert.deepEqual(await cluster.askPod(POD, ASKED), { failed: why })
    })

  it('reports a missing permission and a missing pod', async () => {
    status(403, 'pods "cart-1:15092" is forbidden: User "jane" cannot get resource "pods/proxy"', 'Forbidden')
    await assert.rejects(cluster.askPod(POD, ASKED), {
      code: 'FORBIDDEN',
      message: /through the API server's proxy: pods "cart-1:15092" is forbidden/,
    })
    status(404, 'pods "cart-1" not found', 'NotFound')
    await assert.rejects(cluster.askPod(POD, ASKED), { code: 'NOT_FOUND' })
  })
})
