import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'mocha'
import type { Access, KubeObject } from '../../src/cluster/cluster.ts'
import type { KubeCluster } from '../../src/cluster/kube-cluster.ts'
import { EXPOSING } from '../../src/cluster/ownership.ts'
import { gateways, NODES, PODS, SECRETS } from '../../src/cluster/resources.ts'
import { type Answer, ApiServer } from './api-server.ts'
import { Clients } from './clients.ts'

const GATEWAYS = gateways('v1beta1')
const GATEWAY: KubeObject = {
  apiVersion: 'networking.istio.io/v1beta1',
  kind: 'Gateway',
  metadata: { name: 'ours', namespace: 'istio-system', uid: 'u-1' },
  spec: { selector: { istio: 'ingressgateway' } },
}

describe('KubeCluster', () => {
  let server: ApiServer
  let clients: Clients
  let cluster: KubeCluster
  before(async () => {
    server = await ApiServer.start()
    clients = await Clients.create()
    cluster = await clients.cluster(server, { config: { context: 'lab' } })
  })
  beforeEach(() => {
    server.asked.length = 0
  })
  after(async () => {
    await clients.close()
    await server.close()
  })
  const answers = (...list: Answer[]) => {
    server.answer = (_, nth) => list[nth - 1] ?? { status: 500, body: 'asked too often' }
  }
  const failure = (code: number, reason: string, message: string, details?: object): Answer => ({
    status: code,
    body: { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message, details },
  })

  it('has its context and server', () => {
    assert.deepEqual([cluster.context, cluster.server], ['lab', server.url])
  })

  describe('servedVersions', () => {
    it('returns the versions of the API group, in its order', async () => {
      const versions = ['v1', 'v1beta1', 'v1alpha3'].map((version) => ({ version, groupVersion: `x/${version}` }))
      answers({ status: 200, body: { kind: 'APIGroup', name: 'networking.istio.io', versions } })
      assert.deepEqual(await cluster.servedVersions('networking.istio.io'), ['v1', 'v1beta1', 'v1alpha3'])
      assert.equal(server.asked[0]?.path, '/apis/networking.istio.io')
    })

    it('returns none when the group is not served', async () => {
      answers({ status: 404, body: '404 page not found' })
      assert.deepEqual(await cluster.servedVersions('networking.istio.io'), [])
    })
  })

  describe('list', () => {
    const page = (names: string[], next?: string) => ({
      status: 200,
      body: { metadata: { continue: next }, items: names.map((name) => ({ metadata: { name } })) },
    })

    it('reads all pages', async () => {
      answers(page(['a', 'b'], 'token/1='), page(['c'], 'token/2='), page(['d'], ''))
      const found = await cluster.list(PODS, { namespace: 'x', labels: 'app in (a,b)' })
      assert.deepEqual(
        found.map(({ metadata }) => metadata.name),
        ['a', 'b', 'c', 'd'],
      )
      const always = { labelSelector: 'app in (a,b)', limit: '500' }
      assert.deepEqual(
        server.asked.map(({ query }) => query),
        [always, { ...always, continue: 'token/1=' }, { ...always, continue: 'token/2=' }],
      )
    })

    it('adds the type that lists leave out to each object', async () => {
      answers(page(['a']))
      assert.deepEqual(await cluster.list(GATEWAYS), [
        { apiVersion: 'networking.istio.io/v1beta1', kind: 'Gateway', metadata: { name: 'a' } },
      ])
    })

    const paths: [string, () => Promise<unknown>, string][] = [
      ['the core group', () => cluster.list(PODS), '/api/v1/pods'],
      [
        'one namespace',
        () => cluster.list(PODS, { namespace: 'istio-system' }),
        '/api/v1/namespaces/istio-system/pods',
      ],
      ['another group', () => cluster.list(GATEWAYS), '/apis/networking.istio.io/v1beta1/gateways'],
      ['what has no namespace', () => cluster.list(NODES), '/api/v1/nodes'],
    ]
    for (const [name, list, path] of paths) {
      it(`asks for ${name} at ${path}`, async () => {
        answers(page([]))
        await list()
        assert.deepEqual([server.asked[0]?.method, server.asked[0]?.path], ['GET', path])
        assert.deepEqual(server.asked[0]?.query, { limit: '500' })
      })
    }

    it('does not read the data of Secrets for metadata only', async () => {
      answers(page(['tls']), page(['tls']))
      const found = await cluster.list(SECRETS, { metadataOnly: true })
      assert.deepEqual(found, [{ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'tls' } }])
      await cluster.list(SECRETS)
      assert.deepEqual(
        server.asked.map(({ headers }) => headers.accept),
        [['application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1'], ['application/json']],
      )
    })

    it("reports a missing permission with the API server's text and the namespace", async () => {
      const message = 'pods is forbidden: User "jane" cannot list resource "pods" in API group "" in the namespace "x"'
      answers(failure(403, 'Forbidden', message))
      await assert.rejects(cluster.list(PODS, { namespace: 'x' }), {
        code: 'FORBIDDEN',
        message: `not allowed to list pods in namespace x: ${message}`,
      })
    })
  })

  describe('get', () => {
    it('reads one object', async () => {
      answers({ status: 200, body: GATEWAY })
      assert.deepEqual(await cluster.get(GATEWAYS, { name: 'ours', namespace: 'istio-system' }), GATEWAY)
      const { method, path, query } = server.asked[0] ?? {}
      assert.deepEqual(
        [method, path, query],
        ['GET', '/apis/networking.istio.io/v1beta1/namespaces/istio-system/gateways/ours', {}],
      )
    })

    it('returns undefined when there is no object', async () => {
      answers(failure(404, 'NotFound', 'gateways "ours" not found'))
      assert.equal(await cluster.get(GATEWAYS, { name: 'ours', namespace: 'istio-system' }), undefined)
    })

    it('escapes names in paths', async () => {
      answers({ status: 200, body: { metadata: { name: 'x' } } })
      await cluster.get(PODS, { name: '../secrets/x', namespace: 'a?b' })
      assert.equal(server.asked[0]?.path, '/api/v1/namespaces/a%3Fb/pods/..%2Fsecrets%2Fx')
    })
  })

  describe('apply', () => {
    it('sends one server-side apply with our field manager, without force', async () => {
      answers({ status: 200, body: { ...GATEWAY, status: {} } })
      assert.deepEqual(await cluster.apply(GATEWAYS, GATEWAY, EXPOSING), { ...GATEWAY, status: {} })
      assert.equal(server.asked.length, 1)
      const { method, path, query, headers, body } = server.asked[0] ?? {}
      assert.equal(method, 'PATCH')
      assert.equal(path, '/apis/networking.istio.io/v1beta1/namespaces/istio-system/gateways/ours')
      assert.deepEqual(query, { fieldManager: 'istio-telemetry-exposing' })
      assert.deepEqual(headers?.['content-type'], ['application/apply-patch+yaml'])
      assert.deepEqual(body, GATEWAY)
    })

    it('does not persist a dry run', async () => {
      answers({ status: 200, body: GATEWAY })
      await cluster.apply(GATEWAYS, GATEWAY, { ...EXPOSING, dryRun: true })
      assert.deepEqual(server.asked[0]?.query, { fieldManager: 'istio-telemetry-exposing', dryRun: 'All' })
    })

    it('lists the fields of other managers', async () => {
      const causes = [{ reason: 'FieldManagerConflict', message: 'conflict with "helm"', field: '.spec.selector' }]
      answers(failure(409, 'Conflict', 'Apply failed with 1 conflict', { causes }))
      await assert.rejects(cluster.apply(GATEWAYS, GATEWAY, EXPOSING), {
        code: 'FIELD_CONFLICT',
        message:
          'cannot apply gateway.networking.istio.io/ours in namespace istio-system: other field managers own .spec.selector (conflict with "helm"); nothing was overwritten',
      })
      assert.equal(server.asked.length, 1)
    })

    it('reports why an object is rejected', async () => {
      answers(failure(422, 'Invalid', 'Gateway "ours" is invalid: spec.servers: Required value'))
      await assert.rejects(cluster.apply(GATEWAYS, GATEWAY, EXPOSING), {
        code: 'REJECTED',
        message: /^the API server rejects it \(apply gateway.*\): Gateway "ours" is invalid/,
      })
    })

    it('fails when the kind is not served', async () => {
      answers({ status: 404, body: '404 page not found' })
      await assert.rejects(cluster.apply(GATEWAYS, GATEWAY, EXPOSING), {
        code: 'NOT_FOUND',
        message: /404 page not found$/,
      })
    })
  })

  it('changes who manages fields, and nothing else, in the object that was read', async () => {
    answers({ status: 200, body: GATEWAY })
    const read = { ...GATEWAY, metadata: { ...GATEWAY.metadata, resourceVersion: '7' } }
    await cluster.setManagedFields(GATEWAYS, read, [{ manager: EXPOSING.manager }])
    const { method, path, headers, body } = server.asked[0] ?? {}
    assert.deepEqual(
      [method, path],
      ['PATCH', '/apis/networking.istio.io/v1beta1/namespaces/istio-system/gateways/ours'],
    )
    assert.deepEqual(headers?.['content-type'], ['application/merge-patch+json'])
    assert.deepEqual(body, { metadata: { resourceVersion: '7', managedFields: [{ manager: EXPOSING.manager }] } })
  })

  describe('delete', () => {
    it('deletes only the object with the same uid', async () => {
      answers({ status: 200, body: { kind: 'Status', status: 'Success' } })
      assert.equal(await cluster.delete(GATEWAYS, GATEWAY), 'deleted')
      const { method, path, query, body } = server.asked[0] ?? {}
      assert.equal(method, 'DELETE')
      assert.equal(path, '/apis/networking.istio.io/v1beta1/namespaces/istio-system/gateways/ours')
      assert.deepEqual(query, {})
      assert.deepEqual(body, { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid: 'u-1' } })
    })

    it('deletes nothing in a dry run, which is set in the body because the API server ignores the query', async () => {
      answers({ status: 200, body: {} })
      await cluster.delete(GATEWAYS, GATEWAY, { dryRun: true })
      assert.deepEqual((server.asked[0]?.body as { dryRun: unknown }).dryRun, ['All'])
      assert.deepEqual(server.asked[0]?.query, {})
    })

    it('returns gone when the object does not exist any more', async () => {
      answers(failure(404, 'NotFound', 'gateways "ours" not found'))
      assert.equal(await cluster.delete(GATEWAYS, GATEWAY), 'gone')
    })

    it('returns gone when another object has the name, and does not delete that', async () => {
      answers(failure(409, 'Conflict', 'Precondition failed: UID in precondition: u-1, UID in object meta: u-2'))
      assert.equal(await cluster.delete(GATEWAYS, GATEWAY), 'gone')
      assert.equal(server.asked.length, 1)
    })

    it('fails when it is refused', async () => {
      answers(failure(403, 'Forbidden', 'gateways "ours" is forbidden'))
      await assert.rejects(cluster.delete(GATEWAYS, GATEWAY), { code: 'FORBIDDEN' })
    })
  })

  describe('mayAccess', () => {
    const access: Access = {
      user: 'system:serviceaccount:istio-system:gateway',
      groups: ['system:authenticated'],
      verb: 'list',
      group: '',
      resource: 'secrets',
      namespace: 'istio-system',
    }

    for (const allowed of [true, false]) {
      it(`returns ${allowed} when the API server answers so`, async () => {
        answers({ status: 201, body: { status: { allowed } } })
        assert.equal(await cluster.mayAccess(access), allowed)
      })
    }

    it('sends the user, groups and access', async () => {
      answers({ status: 201, body: { status: { allowed: true } } })
      await cluster.mayAccess(access)
      const { method, path, body } = server.asked[0] ?? {}
      assert.deepEqual([method, path], ['POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews'])
      const { user, groups, ...resourceAttributes } = access
      assert.deepEqual((body as { spec: unknown }).spec, { user, groups, resourceAttributes })
    })

    it('returns undefined without the permission to ask', async () => {
      answers(failure(403, 'Forbidden', 'subjectaccessreviews is forbidden'))
      assert.equal(await cluster.mayAccess(access), undefined)
    })

    it('fails on other errors', async () => {
      const refused = failure(401, 'Unauthorized', 'Unauthorized')
      // The second request follows new credentials, which are read when accepted ones are refused.
      answers(refused, refused)
      await assert.rejects(cluster.mayAccess(access), { code: 'UNAUTHENTICATED' })
    })
  })
})
