/** The end of a container's log, and lists with a field selector. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'mocha'
import type { KubeCluster } from '../../src/cluster/kube-cluster.ts'
import { EVENTS } from '../../src/cluster/resources.ts'
import { ApiServer } from './api-server.ts'
import { Clients } from './clients.ts'

const POD = { namespace: 'shop', name: 'cart-1' }
const LOG = { container: 'app', previous: false, lines: 1 }

describe('KubeCluster and what controllers and containers say', () => {
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

  it('reads the last lines of a log, also of the run before', async () => {
    server.answer = () => ({ status: 200, body: 'lock DB directory\n' })
    assert.equal(await cluster.readLog(POD, LOG), 'lock DB directory\n')
    await cluster.readLog(POD, { ...LOG, previous: true, lines: 3 })
    assert.deepEqual(
      server.asked.map(({ method, path, query }) => [method, path, query]),
      [
        ['GET', '/api/v1/namespaces/shop/pods/cart-1/log', { container: 'app', tailLines: '1' }],
        ['GET', '/api/v1/namespaces/shop/pods/cart-1/log', { container: 'app', tailLines: '3', previous: 'true' }],
      ],
    )
  })

  it('throws the error of the API server, and does not take it for a log', async () => {
    const status = { kind: 'Status', status: 'Failure', reason: 'BadRequest', message: 'no such container', code: 400 }
    server.answer = () => ({ status: 400, body: JSON.stringify(status) })
    await assert.rejects(cluster.readLog(POD, LOG), { name: 'UserError', message: /no such container/ })
  })

  it('lists with a field selector', async () => {
    server.answer = () => ({ status: 200, body: JSON.stringify({ kind: 'EventList', metadata: {}, items: [] }) })
    await cluster.list(EVENTS, { namespace: 'shop', fields: 'involvedObject.name=db,reason=FailedCreate' })
    assert.equal(server.asked[0]?.query.fieldSelector, 'involvedObject.name=db,reason=FailedCreate')
  })
})
