import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../../src/cluster/cluster.ts'
import type { Pod } from '../../../src/cluster/objects.ts'
import type { Target } from '../../../src/prometheus/target.ts'
import { awaitTargets, type TargetsReport } from '../../../src/scraping/scraper/await-targets.ts'
import { planPrometheus } from '../../../src/scraping/scraper/change.ts'
import { surveyPrometheus } from '../../../src/scraping/scraper/survey.ts'
import { FakeCluster } from '../../fakes/fake-cluster.ts'
import { WEBHOOK } from '../../fakes/scraped-cluster.ts'
import { SAMPLE } from '../istio-sample.ts'

interface Variant {
  name?: string
  metadata?: object
  labels?: object
  spec?: object
  volumes?: object[]
}
const VOLUMES = [{ name: 'config', configMap: { name: 'prometheus' } }]
const object = (kind: string, name: string, rest: object = {}, metadata: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind,
  metadata: { name, namespace: 'istio-system', ...metadata },
  ...rest,
})
const deployment = ({ name = 'prometheus', metadata, labels, spec, volumes = VOLUMES }: Variant = {}) => {
  const container = {
    name: 'server',
    args: ['--config.file=/etc/config/prometheus.yml', '--storage.tsdb.path=/data'],
    volumeMounts: [{ name: 'config', mountPath: '/etc/config' }],
  }
  const template = {
    metadata: { labels: { app: name, ...labels } },
    spec: { containers: [container], volumes, ...spec },
  }
  return object('Deployment', name, { spec: { selector: { matchLabels: { app: name } }, template } }, metadata)
}
const configMap = (text = SAMPLE, rest: object = {}, metadata = {}) =>
  object('ConfigMap', 'prometheus', { data: { 'prometheus.yml': text }, ...rest }, metadata)
const namespace = (labels: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: 'istio-system', labels: labels as Record<string, string> },
})
const survey = (objects: KubeObject[], named?: string) => surveyPrometheus(named, new FakeCluster(objects))
const mesh = [namespace(), WEBHOOK, configMap()]

describe('the Prometheus that scrapes over mutual TLS', () => {
  it('is the only one, and its plan changes two objects, prometheus.yml first', async () => {
    const plan = planPrometheus(await survey([...mesh, deployment()]))
    assert.deepEqual(
      plan.changes.map(({ resource }) => resource.kind),
      ['ConfigMap', 'Deployment'],
    )
    assert.deepEqual([plan.restarts, plan.warnings.map(({ code }) => code)], [true, ['PROMETHEUS_DATA_LOST']])
  })

  it('is the named one of several', async () => {
    const both = [...mesh, deployment(), deployment({ name: 'other' })]
    await assert.rejects(survey(both), {
      code: 'SEVERAL_PROMETHEUS',
      suggestions: ['--prometheus istio-system/prometheus', '--prometheus istio-system/other'],
    })
    assert.equal((await survey(both, 'istio-system/other')).found.name, 'other')
    await assert.rejects(survey(both, 'istio-system/third'), { code: 'PROMETHEUS_NOT_FOUND' })
  })

  const owned = { ownerReferences: [{ kind: 'Tenant', name: 'a' }] }
  const refusals: [string, KubeObject[], string, RegExp][] = [
    ['none is there', mesh, 'PROMETHEUS_NOT_FOUND', /no Prometheus was found/],
    [
      'it is managed by something else',
      [...mesh, deployment({ metadata: owned })],
      'PROMETHEUS_NOT_INJECTABLE',
      /Tenant a manages it/,
    ],
    [
      'it is on the node’s network',
      [...mesh, deployment({ spec: { hostNetwork: true } })],
      'PROMETHEUS_NOT_INJECTABLE',
      /hostNetwork/,
    ],
    [
      'it is in ambient mode',
      [namespace({ 'istio.io/dataplane-mode': 'ambient' }), WEBHOOK, configMap(), deployment()],
      'PROMETHEUS_NOT_INJECTABLE',
      /ambient/,
    ],
    [
      'its namespace is kept out',
      [namespace({ 'istio-injection': 'disabled' }), WEBHOOK, configMap(), deployment()],
      'PROMETHEUS_NOT_INJECTABLE',
      /istio-injection=disabled/,
    ],
    [
      'there is no injector',
      [namespace(), configMap(), deployment()],
      'PROMETHEUS_NOT_INJECTABLE',
      /no injection webhook/,
    ],
    [
      'its configuration is in a Secret',
      [...mesh, deployment({ volumes: [{ name: 'config', secret: {} }] })],
      'PROMETHEUS_CONFIG_FIXED',
      /does not come from a ConfigMap/,
    ],
    [
      'its ConfigMap is immutable',
      [namespace(), WEBHOOK, configMap(SAMPLE, { immutable: true }), deployment()],
      'PROMETHEUS_CONFIG_FIXED',
      /immutable/,
    ],
    [
      'its ConfigMap is managed by something else',
      [namespace(), WEBHOOK, configMap(SAMPLE, {}, owned), deployment()],
      'PROMETHEUS_CONFIG_FIXED',
      /Tenant a manages ConfigMap/,
    ],
  ]
  for (const [name, objects, code, message] of refusals)
    it(`is refused with the reason when ${name}`, () => assert.rejects(survey(objects), { code, message }))
})

describe('waiting for targets', () => {
  const POD = { namespace: 'shop', name: 'cart', ip: '10.0.0.9', port: 15092 }
  const server = {
    ...object('Pod', 'prometheus-1', { spec: { containers: [] } }, { labels: { app: 'prometheus' } }),
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
  } as unknown as Pod
  const target = (second: number, health: Target['health'] = 'up'): Target => ({
    discoveredLabels: {},
    labels: {},
    scrapePool: 'ours',
    scrapeUrl: 'https://10.0.0.9:15092/stats/prometheus',
    lastError: 'connection refused',
    lastScrape: new Date(second * 1000).toISOString(),
    health,
  })
  const wait = async (looks: Target[][], timeout: number): Promise<TargetsReport[]> => {
    const cluster = new FakeCluster([...mesh, deployment(), server])
    const told: TargetsReport[] = []
    let [now, asked] = [0, 0]
    cluster.podAnswers = (_, { path }) => {
      if (path.endsWith('/query')) return { status: 200, body: JSON.stringify({ data: { result: [0, '1000'] } }) }
      const activeTargets = looks[Math.min(asked++, looks.length - 1)]
      return { status: 200, body: JSON.stringify({ data: { activeTargets } }) }
    }
    const sleep = async (milliseconds: number) => {
      now += milliseconds
    }
    const clock = { now: () => new Date(now), sleep }
    const { found } = await surveyPrometheus(undefined, cluster)
    const tell = (report: TargetsReport) => void told.push(report)
    await awaitTargets({ found, expected: async () => [POD], timeout, tell }, { cluster, clock })
    return told
  }

  it('ends with the first scrape that began after the wait', async () => {
    const told = await wait([[], [target(999)], [target(1001, 'down')], [target(1015)]], 60_000)
    assert.deepEqual(
      told.map(({ up, total }) => [up, total]),
      [
        [0, 1],
        [0, 1],
        [0, 1],
        [1, 1],
      ],
    )
    assert.match(told[2]?.pods[0]?.reason ?? '', /nothing listens/)
  })

  it('returns the last look when the time is over, and looks at least once', async () => {
    assert.equal((await wait([[target(999)]], 0)).length, 1)
    const told = await wait([[target(999)]], 3_000)
    assert.equal(told.at(-1)?.pods[0]?.reason, 'it has not been scraped since the change')
  })
})
