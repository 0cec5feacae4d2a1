/** A Prometheus whose strategy starts the new pod while the old one holds its volume or its port. */
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../../src/cluster/cluster.ts'
import { PROMETHEUSES, STATEFUL_SETS } from '../../../src/cluster/resources.ts'
import { UserError } from '../../../src/errors.ts'
import type { FoundPrometheus } from '../../../src/prometheus/find.ts'
import { scrapeSecure } from '../../../src/scraping/scrape-secure.ts'
import { requireRollable } from '../../../src/scraping/scraper/rolling.ts'
import { FakeTerminal } from '../../fakes/fake-terminal.ts'
import { fakeWorld } from '../../fakes/fake-world.ts'
import { ScrapedCluster } from '../../fakes/scraped-cluster.ts'
import { workload } from '../../fakes/workloads.ts'

const REQUEST = {
  ...{ names: [], selector: undefined, namespaces: [], allNamespaces: true, gateways: false },
  ...{ method: 'auto' as const, harden: false, yes: true, dryRun: 'server' as const, timeout: 1_000 },
  ...{ onlyPrometheus: false, prometheus: undefined },
}
const run = async (cluster: ScrapedCluster, asked: object = {}) => {
  const needs = { ...fakeWorld(cluster, new FakeTerminal()), askOverTls: async () => undefined }
  const { result } = await scrapeSecure({ ...REQUEST, ...asked }, needs)
  return result.warnings.map(({ code }) => code).filter((code) => code === 'PROMETHEUS_ROLLOUT_BLOCKED')
}

interface Setting {
  volume?: object
  strategy?: object
  flags?: string[]
  ports?: object[]
  labels?: Record<string, string>
}
const node = (name: string, spec = {}): KubeObject => ({ apiVersion: 'v1', kind: 'Node', metadata: { name }, spec })

function cluster({ volume, strategy, flags = [], ports = [], labels = {} }: Setting, ...nodes: KubeObject[]) {
  const made = new ScrapedCluster([...workload('web'), ...nodes])
  const object = made.objects.find(({ kind, metadata }) => kind === 'Deployment' && metadata.name === 'prometheus')
  const spec = object?.spec as {
    strategy?: object
    template: {
      spec: { volumes: object[]; containers: { args: string[]; ports?: object[]; volumeMounts: object[] }[] }
    }
  }
  const [server] = spec.template.spec.containers
  if (object === undefined || server === undefined) return assert.fail()
  Object.assign(object.metadata, { annotations: labels, labels: { 'app.kubernetes.io/managed-by': 'Helm' } })
  if (strategy !== undefined) spec.strategy = strategy
  server.args.push(...flags)
  server.ports = ports
  server.volumeMounts.push({ name: 'storage', mountPath: '/data' })
  spec.template.spec.volumes.push({ name: 'storage', ...(volume ?? { emptyDir: {} }) })
  return made
}

const CLAIM = { persistentVolumeClaim: { claimName: 'data' } }
const RECREATE = `kubectl -n istio-system patch deployment prometheus -p '{"spec":{"strategy":{"type":"Recreate","rollingUpdate":null}}}'   # then run the command again`

describe('a rolling update of Prometheus', () => {
  const refused: [string, Setting][] = [
    ['a claim and no strategy', { volume: CLAIM }],
    [
      'a claim and RollingUpdate',
      { volume: CLAIM, strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } },
    ],
    ['a directory of the node', { volume: { hostPath: { path: '/srv' } } }],
    ['a network file system', { volume: { nfs: { server: 'nas', path: '/' } } }],
  ]
  for (const [title, setting] of refused)
    it(`is refused before the first write with ${title}, with the way out`, async () => {
      const made = cluster(setting)
      await assert.rejects(run(made, { dryRun: 'none' }), (error: UserError) => {
        assert.deepEqual([error.code, error.suggestions], ['PROMETHEUS_ROLLOUT_BLOCKED', [RECREATE]])
        assert.match(error.message, /Prometheus locks its data while it runs/)
        return true
      })
      assert.deepEqual(made.writes, [])
    })

  const allowed: [string, Setting][] = [
    ['Recreate', { volume: CLAIM, strategy: { type: 'Recreate' } }],
    ['no surge', { volume: CLAIM, strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } } }],
    ['no surge in percent', { volume: CLAIM, strategy: { rollingUpdate: { maxSurge: '0%' } } }],
    ['a volume of each pod', { volume: { emptyDir: {} } }],
    ['a claim of each pod', { volume: { ephemeral: { volumeClaimTemplate: {} } } }],
    ['no lock', { volume: CLAIM, flags: ['--storage.tsdb.no-lockfile'] }],
  ]
  for (const [title, setting] of allowed)
    it(`is planned with ${title}`, async () => assert.deepEqual(await run(cluster(setting)), []))

  it('is not looked at when Prometheus does not restart', async () => {
    const made = cluster({ volume: CLAIM, strategy: { type: 'Recreate' } })
    await made.secure()
    const object = made.objects.find(({ kind, metadata }) => kind === 'Deployment' && metadata.name === 'prometheus')
    Object.assign(object?.spec as object, { strategy: { type: 'RollingUpdate' } })
    assert.deepEqual(await run(made), [])
  })

  it('is refused with a port of the only node, and a warning with several nodes or if they cannot be read', async () => {
    const ports = [{ containerPort: 9090, hostPort: 9090 }]
    const only = [node('one'), node('two', { unschedulable: true })]
    await assert.rejects(run(cluster({ ports }, ...only)), {
      code: 'PROMETHEUS_ROLLOUT_BLOCKED',
      message: /port 9090 of a node/,
    })
    const warned = ['PROMETHEUS_ROLLOUT_BLOCKED']
    assert.deepEqual(await run(cluster({ ports }, node('one'), node('two'))), warned)
    const unread = cluster({ ports }, ...only)
    unread.fail('list', 'nodes', new UserError('FORBIDDEN', 'not allowed to list nodes'))
    assert.deepEqual(await run(unread), warned)
    assert.deepEqual(await run(cluster({ ports, strategy: { type: 'Recreate' } }, ...only)), [])
  })

  it('is refused if a change does not replace the pods', async () => {
    const paused = cluster({})
    const object = paused.objects.find(({ kind, metadata }) => kind === 'Deployment' && metadata.name === 'prometheus')
    Object.assign(object?.spec as object, { paused: true })
    await assert.rejects(run(paused), {
      code: 'PROMETHEUS_ROLLOUT_BLOCKED',
      message: /does not replace its pods: its rollout is paused/,
    })
    const whole = { resource: STATEFUL_SETS, namespace: 'istio-system', name: 'prometheus' } as FoundPrometheus
    const onDelete = { spec: { updateStrategy: { type: 'OnDelete' } } } as unknown as KubeObject
    const rejected = { code: 'PROMETHEUS_ROLLOUT_BLOCKED', message: /only when the user deletes them/ }
    await assert.rejects(requireRollable({ ...whole, object: onDelete }, paused), rejected)
    const operated = { spec: { paused: true } } as unknown as KubeObject
    await assert.rejects(requireRollable({ ...whole, resource: PROMETHEUSES, object: operated }, paused), {
      message: /it is paused \(spec.paused\)/,
    })
  })

  it('names the tool that manages Prometheus', async () => {
    const labels = { 'meta.helm.sh/release-name': 'prom', 'meta.helm.sh/release-namespace': 'istio-system' }
    await assert.rejects(run(cluster({ volume: CLAIM, labels })), (error: UserError) => {
      assert.match(
        error.suggestions[1] ?? '',
        /Helm release istio-system\/prom manages it: make the change in the values/,
      )
      return true
    })
  })
})
