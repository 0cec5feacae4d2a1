import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { planChanges } from '../../src/changes/changes.ts'
import { CONFIG_MAPS } from '../../src/cluster/resources.ts'
import { UserError } from '../../src/errors.ts'
import { type ScrapeSecureReport, succeeded } from '../../src/scraping/result.ts'
import { type ScrapeSecureRequest, scrapeWith } from '../../src/scraping/scrape-secure.ts'
import type { AtPrometheus } from '../../src/scraping/scraper/setup.ts'
import type { WorkloadObject } from '../../src/scraping/workload.ts'
import { FakeTerminal } from '../fakes/fake-terminal.ts'
import { fakeWorld } from '../fakes/fake-world.ts'
import { istiod, RollingCluster, workload } from '../fakes/workloads.ts'

const REQUEST: ScrapeSecureRequest = {
  names: [],
  selector: undefined,
  namespaces: [],
  allNamespaces: false,
  gateways: false,
  method: 'auto',
  harden: false,
  onlyPrometheus: false,
  prometheus: undefined,
  yes: true,
  dryRun: 'none',
  timeout: 60_000,
}

const shop = () =>
  new RollingCluster([
    istiod(),
    ...workload('web', { pods: 2 }),
    ...workload('db', { kind: 'StatefulSet' }),
    ...workload('plain', { proxy: 'none' }),
    ...workload('edge', { proxy: 'gateway' }),
    ...workload('far', { namespace: 'other' }),
  ])

function run(
  cluster: RollingCluster,
  asked: Partial<ScrapeSecureRequest> = {},
  answers?: Record<string, unknown>,
  prometheus?: AtPrometheus,
): Promise<ScrapeSecureReport> & { terminal: FakeTerminal } {
  const terminal = new FakeTerminal(answers)
  const running = scrapeWith(prometheus, { ...REQUEST, ...asked }, fakeWorld(cluster, terminal))
  return Object.assign(running, { terminal })
}

const lines = ({ result }: ScrapeSecureReport) =>
  result.workloads.map(({ kind, namespace, name, action, code }) =>
    [`${kind} ${namespace}/${name}`, action, code].filter(Boolean).join(' '),
  )
const written = ({ writes }: RollingCluster) => writes.map(({ verb, object }) => `${verb} ${object}`)
const named = (name: string, kind?: string) => ({ names: [{ kind, name }] })
const failing = (code: string) => (error: unknown) => error instanceof UserError && error.code === code

describe('scrape-secure', () => {
  it('changes the workloads that have a sidecar, in the namespace of the context', async () => {
    const cluster = shop()
    const report = await run(cluster)
    assert.deepEqual(lines(report), ['Deployment default/web configured', 'StatefulSet default/db configured'])
    assert.deepEqual(written(cluster), ['apply Deployment/web', 'apply StatefulSet/db'])
    assert.deepEqual([report.result.outcome, report.result.method, succeeded(report)], ['applied', 'native', true])
    const { spec, metadata } = cluster.objects.find(({ kind }) => kind === 'StatefulSet') ?? assert.fail()
    assert.equal(metadata.labels?.['kubectl-telemetry/scraping'], 'true')
    assert.deepEqual((spec as { template: { metadata: { annotations: object } } }).template.metadata.annotations, {
      'proxy.istio.io/config':
        'proxyMetadata:\n  ENVOY_SECURE_METRICS_PORT: "15091"\n  ENVOY_SECURE_MERGED_METRICS_PORT: "15092"\n',
      'traffic.sidecar.istio.io/excludeInboundPorts': '15091,15092',
      'prometheus.istio.io/secure-port': '15092',
    })
  })

  it('changes nothing the second time, and asks nobody', async () => {
    const cluster = shop()
    await run(cluster)
    cluster.writes.length = 0
    const report = await run(cluster, { yes: false })
    assert.deepEqual(lines(report), ['Deployment default/web unchanged', 'StatefulSet default/db unchanged'])
    assert.deepEqual(cluster.writes, [])
  })

  const choices: [string, Partial<ScrapeSecureRequest>, string[]][] = [
    ['-A', { allNamespaces: true }, ['web', 'far', 'db']],
    ['-n other', { namespaces: ['other'] }, ['far']],
    ['-n default -n other', { namespaces: ['default', 'other'] }, ['web', 'db', 'far']],
    ['web', named('web'), ['web']],
    ['sts/db', named('db', 'StatefulSet'), ['db']],
    ['plain', named('plain'), ['plain']],
    ['edge', named('edge'), ['edge']],
    ['--gateways', { gateways: true }, ['web', 'edge', 'db']],
  ]
  for (const [words, asked, names] of choices)
    it(`means ${names.join(', ')} by ${words}`, async () => {
      const { result } = await run(shop(), { ...asked, dryRun: 'client' })
      assert.deepEqual(
        result.workloads.map(({ name }) => name),
        names,
      )
    })

  const refusals: [string, Partial<ScrapeSecureRequest>][] = [
    ['WORKLOAD_NOT_FOUND', named('nobody')],
    ['WORKLOAD_NOT_FOUND', named('web', 'DaemonSet')],
    ['WORKLOAD_NOT_FOUND', { selector: 'app=nobody' }],
    ['SELECTION_INVALID', { ...named('web'), selector: 'app=web' }],
    ['SELECTION_INVALID', { ...named('web'), allNamespaces: true }],
    ['SELECTION_INVALID', { namespaces: ['other'], allNamespaces: true }],
  ]
  for (const [code, asked] of refusals)
    it(`refuses ${JSON.stringify(asked)} as ${code}`, () => assert.rejects(run(shop(), asked), failing(code)))

  it('wants to know which, where two kinds have one name', async () => {
    const cluster = new RollingCluster([istiod(), ...workload('web'), ...workload('web', { kind: 'DaemonSet' })])
    await assert.rejects(run(cluster, named('web')), (error: UserError) => {
      assert.deepEqual([error.code, error.suggestions], ['WORKLOAD_AMBIGUOUS', ['deployment/web', 'daemonset/web']])
      return true
    })
  })

  it('leaves out what cannot be done and goes on; what was named and cannot be done is a failure', async () => {
    const cluster = new RollingCluster([
      istiod(),
      ...workload('paused', { spec: { paused: true } }),
      ...workload('annotated', { template: { annotations: { 'proxy.istio.io/config': 'a: [' } } }),
      ...workload('starting', { spec: { replicas: 2 } }),
      ...workload('web'),
    ])
    const report = await run(cluster)
    assert.deepEqual(lines(report), [
      'Deployment default/paused skipped PAUSED',
      'Deployment default/annotated skipped YAML_INVALID',
      'Deployment default/starting skipped NOT_READY',
      'Deployment default/web configured',
    ])
    assert.equal(succeeded(report), true)
    assert.equal(succeeded(await run(cluster, named('paused'))), false)
  })

  it('takes what the API server refuses for the reason of that workload', async () => {
    const cluster = shop()
    cluster.fail('apply', 'statefulsets', new UserError('FORBIDDEN', 'not allowed to apply statefulset/db'), true)
    const report = await run(cluster)
    assert.deepEqual(lines(report), ['Deployment default/web configured', 'StatefulSet default/db skipped FORBIDDEN'])
  })

  it('leaves out a namespace that may not be read, unless it is the only one', async () => {
    class Guarded extends RollingCluster {
      override async list(...[resource, options]: Parameters<RollingCluster['list']>): Promise<never[]> {
        if (options?.namespace === 'secret' || (options?.namespace === undefined && options?.labels === undefined))
          throw new UserError('FORBIDDEN', `not allowed to list ${resource.plural}`, { suggestions: ['ask'] })
        return super.list(resource, options) as Promise<never[]>
      }
    }
    const cluster = new Guarded(shop().objects)
    const report = await run(cluster, { namespaces: ['other', 'secret'] })
    assert.deepEqual(lines(report), ['Deployment other/far configured'])
    assert.deepEqual(
      report.result.warnings.map(({ code }) => code),
      ['NAMESPACE_NOT_READ'],
    )
    await assert.rejects(run(cluster, { namespaces: ['other', 'secret'], ...named('hidden') }), {
      message: 'there is no workload hidden in namespaces other, secret (secret could not be read)',
    })
    await assert.rejects(run(cluster, { namespaces: ['secret'] }), failing('FORBIDDEN'))
    await assert.rejects(run(cluster, { allNamespaces: true }), {
      code: 'FORBIDDEN',
      suggestions: ['-n NAMESPACE -n ANOTHER   # only where you may', 'ask'],
    })
  })

  it('asks first and says how many pods restart', async () => {
    const question = 'Change 2 workloads and restart 3 pods, one workload after the other?'
    const declining = run(shop(), { yes: false }, { [question]: false })
    const report = await declining
    assert.deepEqual([report.result.outcome, succeeded(report)], ['declined', false])
    assert.deepEqual(declining.terminal.notes, [
      '  Deployment default/web: native, 2 pods restarted',
      '  StatefulSet default/db: native, 1 pod restarted',
    ])
    await assert.rejects(run(shop(), { yes: false }), failing('CONSENT_REQUIRED'))
  })

  it('only shows in a dry run', async () => {
    for (const dryRun of ['client', 'server'] as const) {
      const cluster = shop()
      const { result, manifests } = await run(cluster, { dryRun, yes: false })
      assert.deepEqual([result.outcome, manifests.length, cluster.writes], ['planned', 2, []])
    }
  })

  it('ends at the first that does not come back, and says what was done; the next run goes on there', async () => {
    const cluster = shop()
    cluster.stuck.add('web')
    await assert.rejects(run(cluster), (error: UserError) => {
      assert.equal(error.code, 'ROLLOUT_FAILED')
      assert.match(
        error.message,
        /deployment\/web in namespace default did not come back in 60 s: 0 of 2 pods replaced/,
      )
      assert.match(error.message, /changed before that: deployment.apps\/web/)
      assert.ok(error.suggestions.some((one) => one.includes('cleanup --scraping')))
      return true
    })
    assert.deepEqual(written(cluster), ['apply Deployment/web'])
    cluster.stuck.clear()
    assert.deepEqual(lines(await run(cluster)), [
      'Deployment default/web unchanged',
      'StatefulSet default/db configured',
    ])
  })

  it('waits for a workload that an earlier run had changed', async () => {
    const cluster = shop()
    cluster.stuck.add('web')
    await assert.rejects(run(cluster, named('web')), failing('ROLLOUT_FAILED'))
    await assert.rejects(run(cluster, named('web')), failing('ROLLOUT_FAILED'))
  })

  it('plans again what somebody changed while another was waited for', async () => {
    const cluster = shop()
    cluster.meanwhile = (objects) => {
      const db = objects.find(({ kind }) => kind === 'StatefulSet')
      Object.assign(db?.spec as object, { replicas: 4 })
    }
    assert.deepEqual(lines(await run(cluster)), [
      'Deployment default/web configured',
      'StatefulSet default/db configured',
    ])
  })

  it('reads 500 Deployments with 1,000 pods in as many lists as one', async () => {
    const many = Array.from({ length: 500 }, (_, n) => workload(`web-${n}`, { pods: 2, namespace: `team-${n % 50}` }))
    const cluster = new RollingCluster([istiod(), ...many.flat()])
    const { result } = await run(cluster, { allNamespaces: true, dryRun: 'client' })
    assert.equal(result.workloads.length, 500)
    assert.deepEqual(cluster.lists.toSorted(), [
      'daemonsets *',
      'deployments *',
      'deployments * app=istiod',
      'pods *',
      'statefulsets *',
    ])
  })

  describe('with Prometheus', () => {
    /** @param up how many of two targets are up at each look */
    const prometheus = (told: string[], ...up: number[]): AtPrometheus => ({
      found: { kind: 'Deployment', namespace: 'default', name: 'db' },
      scraper: { namespace: 'default', serviceAccount: 'prometheus', labels: { app: 'prometheus' } },
      changes: planChanges([{ resource: CONFIG_MAPS, manifest: CONFIG, by: 'owning' }], []),
      warnings: [{ code: 'PROMETHEUS_DATA_LOST', message: 'what it has collected is lost', remedy: '' }],
      apply: async () => {
        told.push('apply')
      },
      prove: async (workloads) => {
        told.push(`prove ${workloads.length}`)
        const now = up.length > 1 ? up.shift() : up[0]
        const targets = { up: now ?? 2, total: 2, jobs: [] }
        return { targets, plaintext: { open: [] }, warnings: [], breached: now === 0 }
      },
    })
    const CONFIG = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'prometheus', namespace: 'default' } }
    const annotation = ({ objects }: RollingCluster) => {
      const web = objects.find(({ metadata }) => metadata.name === 'web') as WorkloadObject
      return web.spec.template.metadata.annotations?.['proxy.istio.io/config'] ?? ''
    }

    it('comes before the first workload, and fails when a target is not up', async () => {
      const told: string[] = []
      const report = await run(shop(), {}, undefined, prometheus(told, 2))
      assert.deepEqual(told, ['apply', 'prove 2'])
      assert.deepEqual([succeeded(report), report.result.targets?.up], [true, 2])
      assert.equal(succeeded(await run(shop(), {}, undefined, prometheus(told, 1))), false)
    })

    it('fails when somebody is answered who is to be refused', async () => {
      const breached = {
        ...prometheus([], 2),
        prove: async () => ({ ...(await prometheus([], 2).prove([])), breached: true }),
      }
      assert.equal(succeeded(await run(shop(), {}, undefined, breached)), false)
    })

    it('is no workload itself', async () => {
      const cluster = new RollingCluster([istiod(), ...workload('db'), ...workload('web')])
      assert.deepEqual(lines(await run(cluster, {}, undefined, prometheus([], 2))), [
        'Deployment default/web configured',
      ])
    })

    it('is asked about, with what it loses', async () => {
      const question = 'Change Prometheus and 2 workloads and restart 3 pods, one workload after the other?'
      const declining = run(shop(), { yes: false }, { [question]: false }, prometheus([], 2))
      assert.equal((await declining).result.outcome, 'declined')
      assert.deepEqual(declining.terminal.notes.slice(0, 2), [
        'what it has collected is lost',
        '  ConfigMap default/prometheus: create',
      ])
    })

    it('stays as it is where no workload can be done', async () => {
      const told: string[] = []
      const cluster = new RollingCluster([istiod(), ...workload('plain', { proxy: 'none' })])
      await run(cluster, named('plain'), undefined, prometheus(told, 2))
      assert.deepEqual(told, ['prove 1'])
    })

    it('has the ports in clear closed when all targets are up, and never before', async () => {
      const told: string[] = []
      const cluster = shop()
      const report = await run(cluster, { harden: true }, undefined, prometheus(told, 2))
      assert.deepEqual(told, ['apply', 'prove 2', 'prove 2'])
      assert.match(annotation(cluster), /METRICS_LOCALHOST_ACCESS_ONLY: "true"/)
      assert.deepEqual([succeeded(report), lines(report)[0]], [true, 'Deployment default/web configured'])
      await run(cluster, {}, undefined, prometheus(told, 2))
      assert.match(annotation(cluster), /METRICS_LOCALHOST_ACCESS_ONLY/, 'what was closed stays closed')

      const other = shop()
      const down = await run(other, { harden: true }, undefined, prometheus(told, 1))
      assert.doesNotMatch(annotation(other), /METRICS_LOCALHOST_ACCESS_ONLY/)
      assert.ok(down.result.warnings.some(({ code }) => code === 'NOT_HARDENED'))
      assert.equal(succeeded(down), false)
    })
  })
})
