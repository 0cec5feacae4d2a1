/** Anything may answer in place of Prometheus. */
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { Cluster, PodRequest } from '../../src/cluster/cluster.ts'
import type { Pod } from '../../src/cluster/objects.ts'
import { DEPLOYMENTS } from '../../src/cluster/resources.ts'
import { PrometheusApi } from '../../src/prometheus/api.ts'
import type { FoundPrometheus } from '../../src/prometheus/find.ts'

const POD = { metadata: { name: 'prometheus-0', namespace: 'mesh' } } as Pod

function apiThatAnswers(body: unknown, basePath = '') {
  const asked: PodRequest[] = []
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const cluster = {
    askPod: async (_: unknown, request: PodRequest) => {
      asked.push(request)
      return { status: 200, body: text }
    },
  } as unknown as Cluster
  const object = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'prometheus', namespace: 'mesh' } }
  const found = { namespace: 'mesh', name: 'prometheus', port: 9090, basePath, object, resource: DEPLOYMENTS }
  return { api: new PrometheusApi(cluster, found as unknown as FoundPrometheus), asked }
}

describe('the API of Prometheus', () => {
  const wrong = [
    null,
    {},
    [],
    'text',
    '',
    { data: null },
    { data: [] },
    { data: { activeTargets: 'x', result: 'y', yaml: 1 } },
  ]
  for (const body of wrong) {
    it(`is missing where ${JSON.stringify(body)} answers`, async () => {
      const { api } = apiThatAnswers(body)
      for (const ask of [() => api.targets(POD), () => api.time(POD), () => api.configuration(POD)])
        await assert.rejects(ask, { name: 'UserError', code: 'PROMETHEUS_UNREACHABLE' })
    })
  }

  it('has targets whose fields are of the right type, with errors of a bounded length', async () => {
    const odd = { labels: { a: 1, b: 'c' }, lastError: 'x'.repeat(900_000), health: { up: true }, scrapePool: null }
    const { api } = apiThatAnswers({ data: { activeTargets: [odd, null, 'text'] } })
    const [first, second] = await api.targets(POD)
    assert.deepEqual([first?.labels, first?.health, first?.scrapePool], [{ b: 'c' }, 'unknown', ''])
    assert.ok((first?.lastError.length ?? 0) <= 1_000)
    assert.equal(second?.scrapeUrl, '')
  })

  for (const basePath of ['/../../../../../namespaces/kube-system/secrets?x=', '/a#', '/%2e%2e', '/a/../b', '/a\\b']) {
    it(`is not asked below ${basePath}`, async () => {
      const { api, asked } = apiThatAnswers({ data: { activeTargets: [] } }, basePath)
      await assert.rejects(api.targets(POD), { code: 'PROMETHEUS_UNREACHABLE', message: /not a plain one/ })
      assert.deepEqual(asked, [])
    })
  }

  it('is asked below a plain prefix', async () => {
    const { api, asked } = apiThatAnswers({ data: { activeTargets: [] } }, '/prometheus/v2.0')
    await api.targets(POD)
    assert.equal(asked[0]?.path, '/prometheus/v2.0/api/v1/targets')
  })
})
