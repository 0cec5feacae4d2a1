/** Names, paths and answers that come from the cluster. */
import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, it } from 'mocha'
import type { KubeCluster } from '../../src/cluster/kube-cluster.ts'
import { boundedText } from '../../src/cluster/kube-transport.ts'
import { CONFIG_MAPS, PODS, SECRETS } from '../../src/cluster/resources.ts'
import { ApiServer } from './api-server.ts'
import { Clients } from './clients.ts'

describe('a cluster that answers what it likes', () => {
  let server: ApiServer
  let clients: Clients
  let cluster: KubeCluster
  beforeEach(async () => {
    server = await ApiServer.start()
    clients = await Clients.create()
    cluster = await clients.cluster(server)
  })
  afterEach(async () => {
    await clients.close()
    await server.close()
  })

  const item = (name: string) => ({ metadata: { name, managedFields: [{ manager: 'kubelet' }] } })
  const page = (names: string[], next?: string) => ({
    status: 200,
    body: { metadata: { continue: next }, items: names.map(item) },
  })
  const EXPIRED = { status: 410, body: { kind: 'Status', reason: 'Expired', message: 'too old' } }

  it('is asked for the whole list at once when the rest of it has expired', async () => {
    server.answer = ({ query }) =>
      query.continue ? EXPIRED : query.limit ? page(['a'], 'next') : page(['a', 'b', 'c'])
    const names = (await cluster.list(PODS)).map(({ metadata }) => metadata.name)
    assert.deepEqual(names, ['a', 'b', 'c'])
    assert.equal(server.asked.length, 3)
  })

  it('gets one error when also the whole list has expired', async () => {
    server.answer = ({ query }) => (query.limit && !query.continue ? page(['a'], 'next') : EXPIRED)
    await assert.rejects(cluster.list(PODS), { code: 'LIST_EXPIRED' })
    assert.equal(server.asked.length, 3)
  })

  it('has pods without the field managers that nobody reads, and other objects with them', async () => {
    server.answer = () => page(['a'])
    const fields = async (resource: typeof PODS) => (await cluster.list(resource))[0]?.metadata.managedFields?.length
    assert.deepEqual([await fields(PODS), await fields(CONFIG_MAPS)], [undefined, 1])
  })

  for (const name of ['.', '..', '', '\ud800']) {
    it(`is not asked for an object that is named ${JSON.stringify(name)}`, async () => {
      assert.equal(await cluster.get(SECRETS, { name, namespace: 'a' }), undefined)
      assert.equal(await cluster.get(SECRETS, { name: 'a', namespace: name }), undefined)
      assert.deepEqual(await cluster.list(SECRETS, { namespace: name }), [])
      assert.deepEqual(server.asked, [])
    })
  }

  it('is asked for other names in one segment of the path', async () => {
    server.answer = () => ({ status: 404 })
    await cluster.get(SECRETS, { name: '../../a?b#c%2e', namespace: 'd/../e' })
    assert.equal(server.asked[0]?.path, '/api/v1/namespaces/d%2F..%2Fe/secrets/..%2F..%2Fa%3Fb%23c%252e')
  })

  for (const path of ['/../../../secrets?x=', '/a/./b', '/%2e%2e/a', '/a#b', '/a\\b', 'a', '/a b']) {
    it(`does not pass ${JSON.stringify(path)} on to a pod`, async () => {
      const answer = await cluster.askPod({ namespace: 'a', name: 'b' }, { port: 9090, path })
      assert.ok('failed' in answer)
      assert.deepEqual(server.asked, [])
    })
  }

  it('gets a manifest in which no control character stands for itself: as YAML it would be refused', async () => {
    server.answer = () => ({ status: 200, body: item('a') })
    const annotations = { role: 'Viewer\u007f\u009b2J\u2028' }
    const manifest = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace: 'b', annotations } }
    await cluster.apply(CONFIG_MAPS, manifest, { manager: 'test' })
    assert.deepEqual(server.asked[0]?.body, manifest)
    assert.match(server.texts[0] ?? '', /^[\x20-\x7e]+$/)
  })

  it('cannot fill the memory with the answer of a pod', async () => {
    const parts = () => Readable.from([Buffer.from('abc'), Buffer.from('def')])
    assert.deepEqual([await boundedText(parts(), 6), await boundedText(parts(), 5)], ['abcdef', undefined])
  })
})
