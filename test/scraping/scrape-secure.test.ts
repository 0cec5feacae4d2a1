import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { planChanges } from '../../src/changes/changes.ts'
import { SCRAPING } from '../../src/cluster/ownership.ts'
import { CONFIG_MAPS } from '../../src/cluster/resources.ts'
import { UserError } from '../../src/errors.ts'
import { fails } from '../../src/findings.ts'
import { UNDO } from '../../src/scraping/naming-undo.ts'
import { type ScrapeSecureReport, succeeded } from '../../src/scraping/result.ts'
import { type ScrapeSecureRequest, scrapeWith } from '../../src/scraping/scrape-secure.ts'
import type { ScraperSetup } from '../../src/scraping/scraper/setup.ts'
import type { WorkloadObject } from '../../src/workloads/workload-object.ts'
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
  prometheus?: ScraperSetup,
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

  it('changes nothing the second time, and asks no question', async () => {
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
    it(`selects ${names.join(', ')} with ${words}`, async () => {
      const { result } = await run(shop(), { ...asked, dryRun: 'client' })
      assert.deepEqual(
        result.workloads.map(({ name }) => name),
        names,
      )
    })

  const refusals: [string, Partial<ScrapeSecureRequest>][] = [
    ['WORKLOAD_NOT_FOUND', named('absent')],
    ['WORKLOAD_NOT_FOUND', named('web', 'DaemonSet')],
    ['WORKLOAD_NOT_FOUND', { selector: 'app=absent' }],
    ['SELECTION_INVALID', { ...named('web'), selector: 'app=web' }],
    ['SELECTION_INVALID', { ...named('web'), allNamespaces: true }],
    ['SELECTION_INVALID', { namespaces: ['other'], allNamespaces: true }],
  ]
  for (const [code, asked] of refusals)
    it(`refuses ${JSON.stringify(asked)} as ${code}`, () => assert.rejects(run(shop(), asked), failing(code)))

  it('requires a kind if workloads of two kinds have the same name', async () => {
    const cluster = new RollingCluster([istiod(), ...workload('web'), ...workload('web', { kind: 'DaemonSet' })])
    await assert.rejects(run(cluster, named('web')), (error: UserError) => {
      assert.deepEqual([error.code, error.suggestions], ['WORKLOAD_AMBIGUOUS', ['deployment/web', 'daemonset/web']])
      return true
    })
  })

  it('skips workloads that cannot be changed and continues; a named workload that is skipped is a failure', async () => {
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
      'Deployment default/starting skipped PODS_NOT_READY',
      'Deployment default/web configured',
    ])
    assert.equal(succeeded(report), true)
    assert.equal(succeeded(await run(cluster, named('paused'))), false)
  })

  it('rolls a DaemonSet, whose changes the API server counts in an annotation', async () => {
    const cluster = new RollingCluster([istiod(), ...workload('agent', { kind: 'DaemonSet', pods: 3 })])
    assert.deepEqual(lines(await run(cluster)), ['DaemonSet default/agent configured'])
    const agent = cluster.objects.find(({ kind }) => kind === 'DaemonSet') ?? assert.fail()
    assert.equal(agent.metadata.annotations?.['deprecated.daemonset.template.generation'], '2')
    cluster.writes.length = 0
    assert.deepEqual(lines(await run(cluster)), ['DaemonSet default/agent unchanged'])
    assert.deepEqual(cluster.writes, [])
  })

  it('lists ztunnel with the reason; it is a failure if it is named', async () => {
    const cluster = new RollingCluster([
      istiod(),
      ...workload('node-proxy', { kind: 'DaemonSet', proxy: 'ztunnel', namespace: 'default' }),
      ...workload('web'),
    ])
    const skipped = 'DaemonSet default/node-proxy skipped ZTUNNEL'
    assert.deepEqual(lines(await run(cluster, { gateways: true })), ['Deployment default/web configured', skipped])
    const report = await run(cluster, named('node-proxy'))
    assert.deepEqual(lines(report), [skipped])
    assert.equal(succeeded(report), false)
  })

  it('skips a workload that the API server refuses, with that reason', async () => {
    const cluster = shop()
    cluster.fail('apply', 'statefulsets', new UserError('FORBIDDEN', 'not allowed to apply statefulset/db'), true)
    const report = await run(cluster)
    assert.deepEqual(lines(report), ['Deployment default/web configured', 'StatefulSet default/db skipped FORBIDDEN'])
  })

  it('skips a namespace without read permission, unless it is the only one', async () => {
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
      suggestions: ['-n NAMESPACE -n ANOTHER   # namespaces that you may read', 'ask'],
    })
  })

  it('asks first, with the number of pods that restart', async () => {
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

  it('writes nothing in a dry run', async () => {
    for (const dryRun of ['client', 'server'] as const) {
      const cluster = shop()
      const { result, manifests } = await run(cluster, { dryRun, yes: false })
      assert.deepEqual([result.outcome, manifests.length, cluster.writes], ['planned', 2, []])
    }
  })

  it('stops at the first workload that does not become ready, and reports what was changed; the next run continues there', async () => {
    const cluster = shop()
    cluster.stuck.add('web')
    await assert.rejects(run(cluster), (error: UserError) => {
      assert.equal(error.code, 'ROLLOUT_FAILED')
      assert.match(
        error.message,
        /deployment\/web in namespace default did not become ready within 60 s: 0 of 2 pods replaced/,
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

  it('waits for a workload that an interrupted run had changed', async () => {
    const cluster = shop()
    cluster.stuck.add('web')
    await assert.rejects(run(cluster, named('web')), failing('ROLLOUT_FAILED'))
    cluster.writes.length = 0
    await assert.rejects(run(cluster, named('web')), (error: UserError) => {
      assert.deepEqual([error.code, cluster.writes], ['ROLLOUT_FAILED', []])
      assert.equal(error.suggestions.at(-1), UNDO, 'the way back is named although this run changed nothing')
      return true
    })
  })

  it('plans a workload again that was changed while an earlier one rolled out', async () => {
    const cluster = shop()
    cluster.afterNextWrite = (objects) => {
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
    const prometheus = (told: string[], ...up: number[]): ScraperSetup => ({
      found: { kind: 'Deployment', namespace: 'default', name: 'db' },
      scraper: { namespace: 'default', serviceAccount: 'prometheus', labels: { app: 'prometheus' } },
      changes: planChanges([{ resource: CONFIG_MAPS, manifest: CONFIG, by: 'owning' }], [], SCRAPING),
      warnings: [
        { code: 'PROMETHEUS_DATA_LOST', severity: 'warns', message: 'what it has collected is lost', remedies: [] },
      ],
      apply: async () => {
        told.push('apply')
      },
      prove: async (workloads) => {
        told.push(`prove ${workloads.length}`)
        const now = up.length > 1 ? up.shift() : up[0]
        const targets = { up: now ?? 2, total: 2, jobs: [] }
        const down = fails('TARGET_DOWN', `${2 - targets.up} of 2 pods are not up`)
        return { targets, plaintext: { open: [] }, warnings: targets.up < 2 ? [down] : [] }
      },
    })
    const CONFIG = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'prometheus', namespace: 'default' } }
    const annotation = ({ objects }: RollingCluster) => {
      const web = objects.find(({ metadata }) => metadata.name === 'web') as WorkloadObject
      return web.spec.template.metadata.annotations?.['proxy.istio.io/config'] ?? ''
    }

    it('is changed before the first workload, and a target that is not up is a failure', async () => {
      const told: string[] = []
      const report = await run(shop(), {}, undefined, prometheus(told, 2))
      assert.deepEqual(told, ['apply', 'prove 2'])
      assert.deepEqual([succeeded(report), report.result.targets?.up], [true, 2])
      assert.equal(succeeded(await run(shop(), {}, undefined, prometheus(told, 1))), false)
    })

    it('that does not answer any more ends the run with the way back', async () => {
      const prove = async () => {
        throw new UserError('PROMETHEUS_UNREACHABLE', 'it does not answer', { suggestions: ['look'] })
      }
      const cluster = shop()
      for (let time = 0; time < 2; time++)
        await assert.rejects(run(cluster, {}, undefined, { ...prometheus([], 2), prove }), {
          code: 'PROMETHEUS_UNREACHABLE',
          suggestions: ['look', UNDO],
        })
    })

    it('proves that ports refuse others, and an answer is a failure', async () => {
      const breached = {
        ...prometheus([], 2),
        prove: async () => ({
          ...(await prometheus([], 2).prove([])),
          warnings: [fails('NOT_REFUSED', 'port 15091 of pod shop/web-0 answers a stranger')],
        }),
      }
      assert.equal(succeeded(await run(shop(), {}, undefined, breached)), false)
    })

    it('is not one of the workloads', async () => {
      const cluster = new RollingCluster([istiod(), ...workload('db'), ...workload('web')])
      assert.deepEqual(lines(await run(cluster, {}, undefined, prometheus([], 2))), [
        'Deployment default/web configured',
      ])
    })

    it('is named in the question, with the data that it loses', async () => {
      const question = 'Change Prometheus and 2 workloads and restart 3 pods, one workload after the other?'
      const declining = run(shop(), { yes: false }, { [question]: false }, prometheus([], 2))
      assert.equal((await declining).result.outcome, 'declined')
      assert.deepEqual(declining.terminal.notes.slice(0, 2), [
        'what it has collected is lost',
        '  ConfigMap default/prometheus: create',
      ])
    })

    it('stays unchanged, and is not mentioned, if every workload is skipped', async () => {
      const told: string[] = []
      const cluster = new RollingCluster([istiod(), ...workload('plain', { proxy: 'none' })])
      const { result } = await run(cluster, named('plain'), undefined, prometheus(told, 2))
      assert.deepEqual([told, result.warnings], [[], []])
    })

    it('stays unchanged, without a question, if the API server refuses every workload', async () => {
      const told: string[] = []
      const cluster = shop()
      for (const plural of ['deployments', 'statefulsets'])
        cluster.fail('apply', plural, new UserError('FIELD_CONFLICT', 'others own it'), true)
      for (const asked of [{ yes: false }, { harden: true }, { dryRun: 'server' as const }]) {
        const report = await run(cluster, asked, undefined, prometheus(told, 0))
        assert.deepEqual(
          lines(report),
          ['Deployment default/web skipped FIELD_CONFLICT', 'StatefulSet default/db skipped FIELD_CONFLICT'].slice(
            0,
            lines(report).length,
          ),
        )
        assert.deepEqual([report.refused, report.result.objects, report.result.warnings], [true, [], []])
      }
      assert.deepEqual([cluster.writes, told.filter((one) => one === 'apply')], [[], []])
    })

    it('must have all targets up before the plaintext ports are closed', async () => {
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
