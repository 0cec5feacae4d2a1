import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import { SCRAPING } from '../../src/cluster/ownership.ts'
import { ApiServer } from './api-server.ts'
import { Clients } from './clients.ts'

describe('KubeCluster.replace', () => {
  const CONFIG_MAPS = { group: '', version: 'v1', plural: 'configmaps', kind: 'ConfigMap' }
  const object = (text: string, resourceVersion: string) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'kiali', namespace: 'mesh', resourceVersion },
    data: { text },
  })
  const conflict = { kind: 'Status', status: 'Failure', code: 409, reason: 'Conflict', message: 'has been modified' }
  let server: ApiServer
  let clients: Clients
  before(async () => {
    server = await ApiServer.start()
    clients = await Clients.create()
  })
  after(async () => {
    await clients.close()
    await server.close()
  })

  /** The first answer is lost in the middle, so the request is repeated and conflicts with itself. */
  async function replacing(there: string): Promise<unknown> {
    server.asked.length = 0
    server.answer = ({ method }, nth) =>
      method === 'GET'
        ? { status: 200, body: object(there, '2') }
        : nth === 1
          ? 'half'
          : { status: 409, body: conflict }
    const cluster = await clients.cluster(server, { options: { pauses: [1] } })
    return cluster.replace(CONFIG_MAPS, object('ours', '1'), SCRAPING)
  }

  it('succeeds when the answer was lost and the object has the wanted content', async () => {
    assert.deepEqual(await replacing('ours'), object('ours', '2'))
  })

  it('fails with a conflict when another client has changed the object', async () => {
    await assert.rejects(replacing('theirs'), { code: 'CONFLICT' })
  })
})
