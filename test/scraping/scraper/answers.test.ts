/** Prometheus is asked before anything is changed, and in the way that it serves its API. */
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject, PodAnswer, PodRequest } from '../../../src/cluster/cluster.ts'
import type { Pod } from '../../../src/cluster/objects.ts'
import { DEPLOYMENTS } from '../../../src/cluster/resources.ts'
import type { UserError } from '../../../src/errors.ts'
import { findPrometheuses } from '../../../src/prometheus/find.ts'
import { UNDO } from '../../../src/scraping/naming-undo.ts'
import { scrapeSecure } from '../../../src/scraping/scrape-secure.ts'
import { readTargets } from '../../../src/scraping/scraper/await-targets.ts'
import { surveyPrometheus } from '../../../src/scraping/scraper/survey.ts'
import { FakeTerminal } from '../../fakes/fake-terminal.ts'
import { fakeWorld } from '../../fakes/fake-world.ts'
import { prometheus, ScrapedCluster } from '../../fakes/scraped-cluster.ts'
import { workload } from '../../fakes/workloads.ts'

const REQUEST = {
  ...{ names: [], selector: undefined, namespaces: [], allNamespaces: true, gateways: false },
  ...{ method: 'auto' as const, harden: false, yes: true, dryRun: 'none' as const, timeout: 1_000 },
  ...{ onlyPrometheus: false, prometheus: undefined },
}
const run = (cluster: ScrapedCluster, asked: object = {}) =>
  scrapeSecure(
    { ...REQUEST, ...asked },
    { ...fakeWorld(cluster, new FakeTerminal()), askOverTls: async () => undefined },
  )

/** A Prometheus that answers in another way. */
function answering(how: (request: PodRequest, usual: () => PodAnswer) => PodAnswer): ScrapedCluster {
  const cluster = new ScrapedCluster(workload('web'))
  const usual = cluster.podAnswers
  cluster.podAnswers = (pod, request) =>
    request.port === 9090 ? how(request, () => usual(pod, request)) : usual(pod, request)
  return cluster
}
const always = (answer: PodAnswer) => answering(() => answer)
const PLAINTEXT_REFUSED = { status: 400, body: 'Client sent an HTTP request to an HTTPS server.\n' }
const podOf = (cluster: ScrapedCluster) =>
  (cluster.pods.find(({ metadata }) => metadata.name.startsWith('prometheus')) ?? assert.fail()) as Pod

describe('Prometheus, asked before anything is changed', () => {
  const refused: [string, ScrapedCluster, string, RegExp][] = [
    [
      'with a password',
      always({ status: 401, body: 'Unauthorized\n' }),
      'PROMETHEUS_PROTECTED',
      /answers 401: it wants a login/,
    ],
    ['behind a login page', always({ status: 302, body: '' }), 'PROMETHEUS_PROTECTED', /wants a login/],
    [
      'with client certificates',
      answering(({ scheme }) =>
        scheme === 'https' ? { failed: 'remote error: tls: certificate required' } : PLAINTEXT_REFUSED,
      ),
      'PROMETHEUS_PROTECTED',
      /wants a client certificate/,
    ],
    ['that does not answer', always({ failed: 'no answer in 10 s' }), 'PROMETHEUS_UNREACHABLE', /no answer in 10 s/],
    ['of another program', always({ status: 200, body: '<html>' }), 'PROMETHEUS_UNREACHABLE', /does not serve the API/],
  ]
  for (const [title, cluster, code, message] of refused)
    it(`is refused ${title}, and nothing was changed`, async () => {
      await assert.rejects(run(cluster), { code, message })
      assert.deepEqual(cluster.writes, [])
      assert.equal((await run(cluster, { prometheus: 'none' })).result.outcome, 'applied')
    })

  it('is refused without a Ready pod, unless an earlier run has changed it', async () => {
    const cluster = new ScrapedCluster(workload('web'))
    podOf(cluster).status = { phase: 'Running', conditions: [{ type: 'Ready', status: 'False' }] }
    await assert.rejects(run(cluster), { code: 'PROMETHEUS_UNREACHABLE', message: /no pod .* is Ready/ })
    assert.deepEqual(cluster.writes, [])
    const changed = await new ScrapedCluster(workload('web')).secure()
    podOf(changed).status = { phase: 'Running', conditions: [] }
    assert.equal((await run(changed, { dryRun: 'server' })).result.outcome, 'planned')
  })

  it('names the way back if an earlier run has changed it', async () => {
    const cluster = await always({ status: 401, body: 'Unauthorized\n' }).secure()
    await assert.rejects(run(cluster), (error: UserError) => error.suggestions.includes(UNDO))
  })

  it('is not refused because its own sidecar refuses plaintext: after the change the sidecar captures nothing', async () => {
    const cluster = always({ failed: 'connection reset by peer' })
    podOf(cluster).spec.containers.push({
      name: 'istio-proxy',
      image: 'istio/proxyv2:1.31.0',
      args: ['proxy', 'sidecar'],
    })
    assert.equal((await run(cluster, { dryRun: 'server' })).result.outcome, 'planned')
  })

  it('is not another server whose pods have the same labels', async () => {
    const [, pod] = workload('prometheus-two', { namespace: 'istio-system', proxy: 'none' }) as [KubeObject, Pod]
    const labels = { ...pod.metadata.labels, app: 'prometheus' }
    const cluster = await new ScrapedCluster([
      ...workload('web'),
      { ...pod, metadata: { ...pod.metadata, labels } },
    ]).secure()
    const usual = cluster.podAnswers
    cluster.podAnswers = (asked, request) =>
      asked.name === pod.metadata.name ? { status: 401, body: '' } : usual(asked, request)
    assert.equal((await run(cluster)).result.targets?.up, 1)
  })

  it('is asked over TLS if it serves TLS', async () => {
    const schemes: string[] = []
    const cluster = answering(({ scheme = 'http' }, usual) => {
      schemes.push(scheme)
      return scheme === 'https' ? usual() : PLAINTEXT_REFUSED
    })
    await cluster.secure()
    const { result } = await run(cluster)
    assert.deepEqual([result.outcome, result.targets?.up], ['applied', 1])
    assert.ok(schemes.includes('https'))
  })

  it('says that a Prometheus behind a proxy in its pod listens only there', async () => {
    const cluster = always({ failed: 'connection refused' })
    const object = cluster.objects.find(({ kind, metadata }) => kind === 'Deployment' && metadata.name === 'prometheus')
    const { containers } = (object?.spec as { template: { spec: { containers: { args: string[] }[] } } }).template.spec
    containers[0]?.args.push('--web.listen-address=127.0.0.1:9090')
    await assert.rejects(run(cluster), {
      message: /connection refused; it listens only inside its pod \(127.0.0.1:9090\)/,
    })
  })
})

describe('the flags of Prometheus', () => {
  const found = (container: object) => {
    const [object] = prometheus() as [KubeObject]
    const spec = (object.spec as { template: { spec: { containers: object[] } } }).template.spec
    spec.containers = [{ name: 'server', volumeMounts: [{ name: 'config', mountPath: '/etc/config' }], ...container }]
    return findPrometheuses([{ resource: DEPLOYMENTS, object: object as never }], [])[0]
  }
  const flags = ['--config.file=/etc/config/own.yml', '--web.listen-address=:9999', '--storage.tsdb.path', '/data']
  const forms: [string, object][] = [
    ['args', { args: flags }],
    ['command', { command: ['/bin/prometheus', ...flags] }],
    ['both', { command: ['/bin/prometheus', flags[0]], args: flags.slice(1) }],
    ['a line for a shell', { command: ['sh', '-c'], args: [`exec /bin/prometheus ${flags.join(' ')}`] }],
    [
      'a line with quotes',
      {
        command: [
          'sh',
          '-c',
          `exec prometheus \\\n "--config.file=/etc/config/own.yml" --web.listen-address=':9999' --storage.tsdb.path=/data`,
        ],
      },
    ],
  ]
  for (const [title, container] of forms)
    it(`are read in ${title}`, () => {
      const { configFile, port, configuration } = found(container) ?? assert.fail('not found')
      assert.deepEqual([configFile, port, configuration?.key], ['/etc/config/own.yml', 9999, 'own.yml'])
    })
})

describe('targets of a Prometheus in several pods', () => {
  /** Prometheus with shards, each of them with these replicas. @param seen which pods each server scrapes, and how */
  async function report(servers: { shard: string; scrapes: Record<string, 'up' | 'down'> }[]) {
    const cluster = await new ScrapedCluster([...workload('web'), ...workload('db')]).secure()
    const first = podOf(cluster)
    cluster.objects.splice(cluster.objects.indexOf(first), 1)
    for (const [index, { shard }] of servers.entries()) {
      const labels = { ...first.metadata.labels, ...(shard === '' ? {} : { 'operator.prometheus.io/shard': shard }) }
      cluster.objects.push({
        ...first,
        metadata: { ...first.metadata, name: `server-${index}`, uid: `server-${index}`, labels },
      })
    }
    cluster.podAnswers = ({ name }, { path }) => {
      if (!path.endsWith('/targets'))
        return { status: 200, body: JSON.stringify({ data: { yaml: '', result: [0, '0'] } }) }
      const { scrapes } = servers[Number(name.split('-')[1])] ?? assert.fail()
      const activeTargets = Object.entries(scrapes).map(([pod, health]) => {
        const own = cluster.pods.find(({ metadata }) => metadata.name.startsWith(pod)) ?? assert.fail()
        return cluster.target(own, { health })
      })
      return { status: 200, body: JSON.stringify({ data: { activeTargets } }) }
    }
    const { found } = await surveyPrometheus('istio-system/prometheus', cluster)
    const expected = cluster.pods.flatMap(({ metadata, status }) => {
      const { podIP: ip = '' } = status as { podIP?: string }
      const isScraped = metadata.annotations?.['prometheus.istio.io/secure-port'] !== undefined
      return isScraped ? [{ namespace: 'default', name: metadata.name, ip, port: 15092 }] : []
    })
    const { up, total, jobs } = await readTargets(found, expected, fakeWorld(cluster, new FakeTerminal()))
    return [up, total, jobs.map((job) => `${job.up} of ${job.total}`).join()]
  }

  it('count if one shard has them', async () => {
    const shards = [
      { shard: '0', scrapes: { web: 'up' as const } },
      { shard: '1', scrapes: { db: 'up' as const } },
    ]
    assert.deepEqual(await report(shards), [2, 2, '2 of 2'])
    assert.deepEqual(await report(shards.slice(0, 1)), [1, 2, '1 of 1'])
  })

  it('count only if each replica of that shard has them', async () => {
    const [web, none] = [{ web: 'up' as const }, {}]
    const db = { db: 'up' as const }
    assert.deepEqual(
      await report([
        { shard: '0', scrapes: web },
        { shard: '0', scrapes: none },
        { shard: '1', scrapes: db },
      ]),
      [1, 2, '2 of 2'],
    )
    assert.equal(
      (
        await report([
          { shard: '', scrapes: { ...web, ...db } },
          { shard: '', scrapes: db },
        ])
      )[0],
      1,
    )
  })

  it('are down if the shard that has them reports that', async () => {
    const shards = [
      { shard: '0', scrapes: { web: 'down' as const } },
      { shard: '1', scrapes: { db: 'up' as const } },
    ]
    assert.deepEqual(await report(shards), [1, 2, '1 of 2'])
  })
})
