import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import type { Service } from '../../src/cluster/objects.ts'
import { UserError } from '../../src/errors.ts'
import { SECURE_JOB } from '../../src/scraping/scraper/secure-job.ts'
import { type ScrapeStatusRequest, scrapeStatus, succeeded } from '../../src/scraping/status.ts'
import { SECURE_PORT } from '../../src/scraping/workload.ts'
import type { WorkloadObject } from '../../src/workloads/workload-object.ts'
import { FakeTerminal } from '../fakes/fake-terminal.ts'
import { fakeWorld } from '../fakes/fake-world.ts'
import { prometheus, ScrapedCluster } from '../fakes/scraped-cluster.ts'
import { type RollingCluster, workload } from '../fakes/workloads.ts'
import { SAMPLE } from './istio-sample.ts'

const ADDRESS = /^https?:\/\/([^:]+):/

const shop = () => [
  ...workload('web', { pods: 2, namespace: 'shop' }),
  ...workload('db', { kind: 'StatefulSet', namespace: 'shop' }),
]
const secured = (...more: KubeObject[]) => new ScrapedCluster([...shop(), ...more]).secure()
const run = (cluster: RollingCluster, asked: Partial<ScrapeStatusRequest> = {}) =>
  scrapeStatus({ namespaces: [], prometheus: undefined, ...asked }, fakeWorld(cluster, new FakeTerminal()))
const codes = ({ warnings }: Awaited<ReturnType<typeof run>>) => warnings.map(({ code }) => code)
const forbidden = (what: string) => new UserError('FORBIDDEN', `not allowed to ${what}`)

describe('scrape-secure status', () => {
  it('finds the changed workloads, and reports their targets in Prometheus', async () => {
    const cluster = await secured(...workload('other', { namespace: 'far' }))
    const result = await run(cluster, { namespaces: ['shop'] })
    assert.deepEqual(result, {
      method: 'native',
      workloads: [
        {
          ...{ kind: 'Deployment', namespace: 'shop', name: 'web', method: 'native', pods: 2, secured: 2 },
          ...{ targets: { up: 2, total: 2 }, hardened: false, action: 'unchanged' },
        },
        {
          ...{ kind: 'StatefulSet', namespace: 'shop', name: 'db', method: 'native', pods: 1, secured: 1 },
          ...{ targets: { up: 1, total: 1 }, hardened: false, action: 'unchanged' },
        },
      ],
      prometheus: { kind: 'Deployment', namespace: 'istio-system', name: 'prometheus' },
      targets: { up: 3, total: 3, jobs: [{ name: SECURE_JOB, up: 3, total: 3 }] },
      double: [],
      plaintext: {
        open: ['deployment/web', 'statefulset/db'].flatMap((name) =>
          [15090, 15020].map((port) => `shop/${name}:${port}`),
        ),
        unchecked: [],
      },
      unsecured: { sidecars: 0, gateways: 0 },
      warnings: [],
    })
    assert.equal(succeeded(result), true, 'plaintext is no failure')
    assert.equal((await run(cluster)).workloads.length, 3)
    assert.deepEqual(cluster.writes, [])
  })

  it('reports that nothing is secured, and counts workloads that could be', async () => {
    const cluster = new ScrapedCluster([
      ...shop(),
      ...workload('edge', { proxy: 'gateway' }),
      ...workload('plain', { proxy: 'none' }),
    ])
    const result = await run(cluster)
    assert.deepEqual([result.workloads, result.unsecured, codes(result)], [[], { sidecars: 2, gateways: 1 }, []])
    assert.deepEqual([succeeded(result), cluster.asked], [true, []])
  })

  it('counts neither Prometheus’ own sidecar nor workloads with their own secure port', async () => {
    const labels = { 'kubectl-telemetry/scraping': 'true' }
    const own = workload('own', { template: { annotations: { [SECURE_PORT]: '15443' } } })
    const cluster = new ScrapedCluster([...own, ...workload('scraper', { metadata: { labels } })])
    cluster.follow()
    assert.deepEqual((await run(cluster)).unsecured, { sidecars: 0, gateways: 0 })
  })

  it('explains targets that are not up, once for each reason', async () => {
    const cluster = await secured()
    for (const { metadata } of cluster.pods.filter(({ metadata }) => metadata.name.startsWith('web')))
      cluster.targets.set(metadata.name, { health: 'down', lastError: 'connect: connection refused' })
    const result = await run(cluster)
    assert.deepEqual([result.workloads[0]?.targets, result.targets?.up], [{ up: 0, total: 2 }, 1])
    assert.deepEqual(result.warnings, [
      {
        code: 'TARGET_DOWN',
        severity: 'fails',
        message:
          'deployment/web in namespace shop: 2 of 2 pods (web-5d9f8-0 and 1 more) are not up: nothing listens at its port: the proxy does not serve secure metrics',
        remedies: ['kubectl -n shop logs web-5d9f8-0 -c istio-proxy'],
      },
    ])
    assert.equal(succeeded(result), false)
  })

  it('reports pods that two jobs scrape, as plaintext or both over mutual TLS', async () => {
    for (const scheme of ['http', 'https'] as const) {
      const cluster = await secured()
      const db = cluster.pods.find(({ metadata }) => metadata.name.startsWith('db')) ?? assert.fail()
      const [, ip] = ADDRESS.exec(cluster.target(db).scrapeUrl) ?? []
      const scrapeUrl = `${scheme}://${ip}:${scheme === 'http' ? 15020 : 15092}/stats/prometheus`
      cluster.more.push(cluster.target(db, { scrapePool: 'users', scrapeUrl }))
      const result = await run(cluster)
      assert.deepEqual(result.double, [{ namespace: 'shop', pod: db.metadata.name, jobs: [SECURE_JOB, 'users'] }])
      assert.deepEqual([codes(result), succeeded(result)], [['SCRAPED_TWICE'], false])
      assert.deepEqual(
        result.targets?.jobs.map(({ name }) => name),
        [SECURE_JOB, 'users'],
      )
    }
  })

  it('reports how many pods are secured while they are replaced', async () => {
    const cluster = await secured()
    const web = cluster.objects.find(({ metadata }) => metadata.name === 'web') as WorkloadObject
    Object.assign(web.status as object, { updatedReplicas: 1 })
    const [, second] = cluster.pods.filter(({ metadata }) => metadata.name.startsWith('web'))
    Object.assign(second?.metadata ?? {}, { annotations: { 'sidecar.istio.io/status': '{}' } })
    const result = await run(cluster)
    const [first] = result.workloads
    assert.deepEqual([first?.secured, first?.pods, first?.targets], [1, 2, { up: 1, total: 1 }])
    assert.deepEqual([codes(result), succeeded(result)], [['ROLLOUT_UNFINISHED'], false])
    assert.match(result.warnings[0]?.message ?? '', /^deployment\/web in namespace shop: 1 of 2 pods are replaced/)
    const refused = { type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message: 'exceeded quota: small' }
    Object.assign(web.status as object, { conditions: [refused] })
    assert.match((await run(cluster)).warnings[0]?.message ?? '', /2 ready; FailedCreate: exceeded quota: small$/)
  })

  it('lists a workload without pods', async () => {
    const cluster = await secured(...workload('idle', { pods: 0, namespace: 'shop' }))
    const idle = cluster.objects.find(({ metadata }) => metadata.name === 'idle') as WorkloadObject
    idle.metadata.labels = { 'kubectl-telemetry/scraping': 'true' }
    idle.metadata.managedFields = [{ manager: 'istio-telemetry-scraping', operation: 'Apply', fieldsV1: {} }]
    idle.spec.template.metadata.annotations = { [SECURE_PORT]: '15092' }
    const result = await run(cluster)
    const { pods, secured: having, targets } = result.workloads.find(({ name }) => name === 'idle') ?? assert.fail()
    assert.deepEqual([pods, having, targets, codes(result)], [0, 0, { up: 0, total: 0 }, []])
  })

  it('asks no pod that is not Ready, and reports that its ports are unchecked', async () => {
    const cluster = await secured()
    for (const { status = {} } of cluster.pods.filter(({ metadata }) => metadata.name.startsWith('web')))
      status.conditions = [{ type: 'Ready', status: 'False' }]
    const { plaintext, warnings } = await run(cluster)
    assert.deepEqual(plaintext.unchecked, ['shop/deployment/web:15090', 'shop/deployment/web:15020'])
    assert.deepEqual([cluster.asked, warnings], [['db-5d9f8-0:15090', 'db-5d9f8-0:15020'], []])
  })

  it('reports hardened workloads, and those that still serve plaintext', async () => {
    const cluster = await secured()
    for (const name of ['web', 'db']) {
      const object = cluster.objects.find(({ metadata }) => metadata.name === name) as WorkloadObject
      const { annotations = {} } = object.spec.template.metadata
      annotations['proxy.istio.io/config'] += '  METRICS_LOCALHOST_ACCESS_ONLY: "true"\n'
    }
    cluster.plaintextPorts.clear()
    cluster.plaintextPorts.add('web-5d9f8-0:15090')
    const result = await run(cluster)
    assert.deepEqual(
      [result.plaintext.open, result.workloads.map(({ hardened }) => hardened)],
      [['shop/deployment/web:15090'], [true, true]],
    )
    assert.deepEqual([codes(result), succeeded(result)], [['NOT_CLOSED'], false])
    assert.equal(cluster.asked.length, 4, 'one pod of each workload')
  })

  describe('a configuration that is no longer current', () => {
    const listed = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'web', namespace: 'shop' } }
    const service = (...ports: number[]): Service => ({
      ...listed,
      spec: { selector: { app: 'web' }, ports: ports.map((port) => ({ name: `http-${port}`, port })) },
    })
    const old = async () =>
      new ScrapedCluster([...workload('web', { namespace: 'shop', istio: '1.30.0' }), service(8080)]).secure({
        method: 'sidecar',
      })

    it('is a Sidecar without a new port of the Service', async () => {
      const cluster = await old()
      assert.deepEqual(codes(await run(cluster)), [])
      const index = cluster.objects.findIndex(({ kind }) => kind === 'Service')
      cluster.objects.splice(index, 1, service(8080, 8081))
      const result = await run(cluster)
      assert.deepEqual(
        [result.method, result.workloads[0]?.action, succeeded(result)],
        ['sidecar', 'configured', false],
      )
      assert.deepEqual(result.warnings, [
        {
          code: 'OUTDATED',
          severity: 'fails',
          message:
            'deployment/web in namespace shop: Sidecar kubectl-telemetry-deployment-web no longer matches what the workload needs',
          remedies: ['kubectl telemetry scrape-secure deployment/web -n shop --method sidecar'],
        },
      ])
    })

    it('is a deleted policy', async () => {
      const cluster = await old()
      cluster.objects.splice(
        cluster.objects.findIndex(({ kind }) => kind === 'PeerAuthentication'),
        1,
      )
      const { warnings } = await run(cluster)
      assert.match(
        warnings[0]?.message ?? '',
        /PeerAuthentication kubectl-telemetry-deployment-web no longer matches what the workload needs/,
      )
    })

    it('is a changed annotation', async () => {
      const cluster = await secured()
      const db = cluster.objects.find(({ metadata }) => metadata.name === 'db') as WorkloadObject
      Object.assign(db.spec.template.metadata.annotations ?? {}, {
        'traffic.sidecar.istio.io/excludeInboundPorts': '9',
      })
      assert.deepEqual(codes(await run(cluster)), ['OUTDATED'])
    })

    it('is unknown without read permission, and that is no failure', async () => {
      const cluster = await old()
      cluster.fail('list', 'services', forbidden('list services'))
      const result = await run(cluster)
      assert.deepEqual(
        [codes(result), result.workloads[0]?.action, succeeded(result)],
        [['FIT_UNCHECKED'], undefined, true],
      )
    })

    it('is a leftover of the former method', async () => {
      const cluster = await old()
      for (const { kind, spec } of cluster.objects)
        if (kind === 'Deployment')
          Object.assign((spec as WorkloadObject['spec']).template.metadata.annotations ?? {}, {
            [SECURE_PORT]: '15092',
          })
      const { workloads, warnings } = await run(cluster)
      assert.equal(workloads[0]?.method, 'native')
      assert.deepEqual(
        warnings.flatMap(({ code, message }) => (code === 'SCRAPING_LEFTOVERS' ? [message.split(' ')[0]] : [])),
        ['Sidecar', 'PeerAuthentication', 'AuthorizationPolicy'],
      )
    })

    it('is a leftover of a deleted workload', async () => {
      const cluster = await old()
      for (const kind of ['Deployment', 'Pod']) {
        const index = cluster.objects.findIndex((one) => one.kind === kind && one.metadata.namespace === 'shop')
        cluster.objects.splice(index, 1)
      }
      const result = await run(cluster)
      const left = result.warnings
        .map(({ code, remedies }) => `${code} ${remedies.join()}`)
        .filter((one) => !/cleanup/.test(one))
      assert.deepEqual(left.toSorted(), [
        'SCRAPING_LEFTOVERS kubectl -n shop delete authorizationpolicy.security.istio.io kubectl-telemetry-deployment-web',
        'SCRAPING_LEFTOVERS kubectl -n shop delete peerauthentication.security.istio.io kubectl-telemetry-deployment-web',
        'SCRAPING_LEFTOVERS kubectl -n shop delete sidecar.networking.istio.io kubectl-telemetry-deployment-web',
      ])
      assert.equal(succeeded(result), false)
    })
  })

  describe('without read permission', () => {
    it('for workloads the result is unknown', async () => {
      const cluster = await secured()
      cluster.fail('list', 'pods', forbidden('list pods'))
      for (const asked of [{}, { namespaces: ['shop'] }]) {
        const result = await run(cluster, asked)
        assert.deepEqual([result.workloads, codes(result), succeeded(result)], [[], ['WORKLOADS_UNREAD'], false])
      }
    })

    it('for Prometheus the workloads are still reported', async () => {
      const cluster = await secured()
      const answer = cluster.podAnswers
      cluster.podAnswers = (pod, request) => {
        if (request.port === 9090) throw forbidden('get pods/proxy')
        return answer(pod, request)
      }
      const result = await run(cluster)
      assert.deepEqual(
        [result.workloads[0]?.targets, result.targets, codes(result)],
        [undefined, undefined, ['TARGETS_UNKNOWN']],
      )
      assert.match(result.warnings[0]?.message ?? '', /not allowed to get pods\/proxy/)
      assert.deepEqual([result.plaintext.open.length, succeeded(result)], [4, false])
    })

    it('for the plaintext ports of a pod they are unchecked', async () => {
      const cluster = await secured()
      const answer = cluster.podAnswers
      cluster.podAnswers = (pod, request) => {
        if (request.port !== 9090) throw forbidden('get pods/proxy')
        return answer(pod, request)
      }
      const result = await run(cluster)
      assert.deepEqual([result.plaintext.open, result.plaintext.unchecked.length], [[], 4])
      assert.deepEqual([codes(result), succeeded(result)], [['PLAINTEXT_UNCHECKED'], true])
    })

    it('for a kind of objects that is a finding', async () => {
      const cluster = await secured()
      cluster.fail('list', 'networkpolicies', forbidden('list'))
      const result = await run(cluster, { namespaces: ['shop'] })
      assert.deepEqual([codes(result), succeeded(result)], [['NOT_SEARCHED'], true])
      assert.match(result.warnings[0]?.message ?? '', /^networkpolicies could not be listed in shop/)
      const ours = cluster.lists.filter((one) => one.endsWith('kubectl-telemetry/scraping=true'))
      assert.deepEqual(
        ours.filter((one) => !one.includes(' shop ')),
        [],
        'only in these namespaces',
      )
    })
  })

  it('asks the named Prometheus, or of several the one that was changed', async () => {
    const cluster = await secured(...prometheus('second'))
    assert.equal((await run(cluster)).prometheus?.name, 'prometheus')
    const named = await run(cluster, { prometheus: 'istio-system/second' })
    assert.deepEqual([named.prometheus?.name, codes(named)], ['second', ['PROMETHEUS_CHANGED']])
    const none = await run(cluster, { prometheus: 'none' })
    assert.deepEqual([none.prometheus, none.targets, codes(none)], [undefined, undefined, []])
    const [original] = prometheus()
    const index = cluster.objects.findIndex(
      ({ metadata, kind }) => kind === 'Deployment' && metadata.name === 'prometheus',
    )
    cluster.objects.splice(index, 1, original ?? assert.fail())
    const result = await run(cluster)
    assert.deepEqual([result.prometheus, codes(result)], [undefined, ['TARGETS_UNKNOWN']])
  })

  it('reports a prometheus.yml without our job, or one that cannot be read', async () => {
    const cluster = await secured()
    const configMap = cluster.objects.find(({ kind }) => kind === 'ConfigMap') ?? assert.fail()
    configMap.data = { 'prometheus.yml': SAMPLE }
    const result = await run(cluster)
    assert.deepEqual([codes(result), succeeded(result)], [['PROMETHEUS_CHANGED'], false])
    assert.match(
      result.warnings[0]?.message ?? '',
      /^ConfigMap istio-system\/prometheus was changed and no longer contains everything/,
    )
    configMap.data = { 'prometheus.yml': 'scrape_configs: [' }
    assert.deepEqual(codes(await run(cluster)), ['YAML_INVALID'])
    cluster.fail('get', 'configmaps', forbidden('get configmaps'))
    const unread = await run(cluster)
    assert.deepEqual([codes(unread), unread.targets?.up, succeeded(unread)], [['PROMETHEUS_UNCHECKED'], 3, true])
  })

  it('reports a changed Prometheus without any secured workload', async () => {
    const cluster = await new ScrapedCluster([]).secure()
    const result = await run(cluster)
    assert.deepEqual(codes(result), ['SCRAPING_LEFTOVERS', 'SCRAPING_LEFTOVERS'])
    assert.deepEqual(codes(await run(cluster, { namespaces: ['shop'] })), [], 'other namespaces may need it')
  })

  it('reads 500 Deployments with 1,000 pods in as many lists as one, and asks one pod of each', async () => {
    const many = Array.from({ length: 500 }, (_, n) => workload(`web-${n}`, { pods: 2, namespace: `team-${n % 50}` }))
    const one = await new ScrapedCluster(workload('web-0', { pods: 2 })).secure()
    const cluster = await new ScrapedCluster(many.flat()).secure()
    const [, result] = [await run(one), await run(cluster)]
    assert.equal(result.workloads.length, 500)
    assert.deepEqual(cluster.lists.toSorted(), one.lists.toSorted())
    assert.deepEqual([cluster.asked.length, new Set(cluster.asked.map((pod) => pod.split(':')[0])).size], [1000, 500])
  })
})
