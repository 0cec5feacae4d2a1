import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import type { KubeCluster } from '../../src/cluster/kube-cluster.ts'
import { PODS, SECRETS } from '../../src/cluster/resources.ts'
import { ApiServer } from './api-server.ts'
import { Clients } from './clients.ts'

/** What a broken aggregated API, a proxy or a fault of the API server may answer with HTTP 200. */
describe('an unexpected answer of the API server', () => {
  let server: ApiServer
  let clients: Clients
  let cluster: KubeCluster
  before(async () => {
    server = await ApiServer.start()
    clients = await Clients.create()
    cluster = await clients.cluster(server)
  })
  after(async () => {
    await clients.close()
    await server.close()
  })

  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web', namespace: 'shop' } }
  const review = { user: 'jane', groups: [], verb: 'list', group: '', resource: 'secrets', namespace: 'shop' }
  const cases: [string, () => Promise<unknown>, unknown, string][] = [
    ['an APIGroup without versions', () => cluster.servedVersions('a.io'), { kind: 'APIGroup' }, 'GET /apis/a.io'],
    ['an APIGroup of null', () => cluster.servedVersions('a.io'), 'null', 'GET /apis/a.io'],
    ['a list without items', () => cluster.list(PODS), { kind: 'PodList', metadata: {} }, 'GET /api/v1/pods'],
    ['a list without metadata', () => cluster.list(PODS), { items: [] }, 'GET /api/v1/pods'],
    ['a list of something else', () => cluster.list(PODS), { metadata: {}, items: [1] }, 'GET /api/v1/pods'],
    ['an object without a name', () => cluster.get(PODS, pod.metadata), {}, 'GET /api/v1/namespaces/shop/pods/web'],
    [
      'an apply without an object',
      () => cluster.apply(PODS, pod, { manager: 'tester' }),
      [],
      'PATCH /api/v1/namespaces/shop/pods/web',
    ],
    [
      'a review without a verdict',
      () => cluster.mayAccess(review),
      {},
      'POST /apis/authorization.k8s.io/v1/subjectaccessreviews',
    ],
    ['a page', () => cluster.list(PODS), '<title>Log in</title>\u001b[2J', 'GET /api/v1/pods'],
  ]
  it('shows nothing of an answer about Secrets, which may contain their values', async () => {
    server.answer = () => ({ status: 200, body: { data: { password: 'aHVudGVyMg==' } } })
    await assert.rejects(cluster.get(SECRETS, { name: 'web', namespace: 'shop' }), ({ message }) => {
      assert.match(message, /GET \/api\/v1\/namespaces\/shop\/secrets\/web with something .*: not shown/)
      assert.ok(!message.includes('aHVudGVyMg'), message)
      return true
    })
  })

  for (const [name, ask, body, request] of cases) {
    it(`such as ${name} is one clear error, at once`, async () => {
      server.answer = () => ({ status: 200, body })
      const before = server.asked.length
      await assert.rejects(ask(), ({ name, code, message, suggestions, exitCode }) => {
        assert.deepEqual([name, code, exitCode], ['UserError', 'ANSWER_UNEXPECTED', 1])
        assert.ok(message.startsWith(`the API server at ${server.url} answered ${request} with something`), message)
        assert.match(suggestions.join('\n'), /^kubectl get apiservices[\s\S]*report it/)
        assert.ok(!message.includes('\u001b'))
        return true
      })
      assert.equal(server.asked.length, before + 1)
    })
  }

  it('is not an empty list, which Go may write as null', async () => {
    server.answer = () => ({ status: 200, body: { metadata: {}, items: null } })
    assert.deepEqual(await cluster.list(PODS), [])
  })
})
