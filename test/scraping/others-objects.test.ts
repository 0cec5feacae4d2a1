/** What scrape-secure says about objects that other tools manage, and what it does to the user's policies. */
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { requireAddons } from '../../src/addons/catalog.ts'
import { cleanup } from '../../src/cleaning/cleanup.ts'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { scrapeWith } from '../../src/scraping/scrape-secure.ts'
import { scrapeStatus } from '../../src/scraping/status.ts'
import { FakeTerminal } from '../fakes/fake-terminal.ts'
import { fakeWorld } from '../fakes/fake-world.ts'
import { istiod, RollingCluster, workload } from '../fakes/workloads.ts'

const SCRAPE = {
  ...{ names: [], selector: undefined, namespaces: [], allNamespaces: true, gateways: false },
  ...{ method: 'auto' as const, harden: false, yes: true, dryRun: 'none' as const, timeout: 1_000 },
  ...{ onlyPrometheus: false, prometheus: undefined },
}
const HELM = {
  labels: { 'app.kubernetes.io/managed-by': 'Helm' },
  annotations: { 'meta.helm.sh/release-name': 'shop', 'meta.helm.sh/release-namespace': 'shop' },
}
const TILL = { to: [{ operation: { ports: ['8080'] } }] }
const RULE = { to: [{ operation: { ports: ['15091'], paths: ['/stats/prometheus'] } }] }
const allow = (more = {}): KubeObject => ({
  apiVersion: 'security.istio.io/v1',
  kind: 'AuthorizationPolicy',
  metadata: { name: 'pages', namespace: 'default', uid: 'p', managedFields: [], ...more },
  spec: { rules: [TILL] },
})
const scrape = async (cluster: RollingCluster, more = {}, answers?: Record<string, unknown>) => {
  const terminal = new FakeTerminal(answers)
  const { result } = await scrapeWith(undefined, { ...SCRAPE, ...more }, fakeWorld(cluster, terminal))
  return { ...result, codes: result.warnings.map(({ severity, code }) => `${severity} ${code}`), terminal }
}
const undo = (cluster: RollingCluster) =>
  cleanup(
    { addons: requireAddons([]), scraping: { timeout: 1_000 }, yes: true, dryRun: 'none' },
    fakeWorld(cluster, new FakeTerminal()),
  )
const rules = (cluster: RollingCluster) =>
  (
    cluster.objects.find(({ kind, metadata }) => kind === 'AuthorizationPolicy' && metadata.name === 'pages')?.spec as {
      rules: object[]
    }
  ).rules
const own = (cluster: RollingCluster) =>
  cluster.objects.filter(({ kind, metadata }) => kind === 'AuthorizationPolicy' && metadata.name !== 'pages')

describe('scrape-secure and objects that other tools manage', () => {
  it('names the tool before anything is written, once for all workloads of a chart', async () => {
    const many = Array.from({ length: 10 }, (_, number) => workload(`web-${number}`, { metadata: HELM }))
    const cluster = new RollingCluster([istiod(), ...many.flat(), ...workload('free')])
    const { codes, warnings } = await scrape(cluster, { dryRun: 'client' })
    assert.deepEqual(codes, ['notes MANAGED_ELSEWHERE'])
    assert.match(
      warnings[0]?.message ?? '',
      /^Deployment default\/web-0 and 9 more are managed by Helm release shop\/shop: /,
    )
    assert.deepEqual(cluster.writes, [])
  })

  it('warns if the values that it changes will be reset', async () => {
    const annotations = { 'proxy.istio.io/config': 'concurrency: 1\n' }
    const cluster = new RollingCluster([istiod(), ...workload('web', { metadata: HELM, template: { annotations } })])
    assert.deepEqual((await scrape(cluster)).codes, ['warns MANAGED_ELSEWHERE'])
  })

  it('keeps its fields where Flux removes those of kubectl: kustomize-controller/internal/controller, fluxcd/pkg/ssa/patch.go', async () => {
    const removed = [
      { name: 'kubectl', operation: 'Apply' },
      { name: 'kubectl', operation: 'Update' },
      { name: 'before-first-apply', operation: 'Update' },
      { name: 'kustomize-controller', operation: 'Update' },
    ]
    const cluster = new RollingCluster([istiod(), ...workload('web'), allow()])
    await scrape(cluster, { method: 'sidecar' })
    const entries = cluster.objects.flatMap(
      ({ metadata }) => (metadata.managedFields ?? []) as { manager: string; operation: string }[],
    )
    assert.ok(entries.length > 0)
    const taken = entries.filter((entry) =>
      removed.some(({ name, operation }) => entry.manager.startsWith(name) && entry.operation === operation),
    )
    assert.deepEqual(taken, [])
    const keys = cluster.objects.flatMap(({ metadata }) => Object.keys({ ...metadata.annotations, ...metadata.labels }))
    assert.deepEqual(
      keys.filter((key) => /^(kubectl\.kubernetes\.io|fluxcd\.io|kustomize\.toolkit)/.test(key)),
      [],
    )
  })
})

describe('a policy of the user that several workloads share', () => {
  const objects = () => [istiod(), ...workload('web'), ...workload('api'), allow()]

  it('gets the rule once, is named in the question, and is restored', async () => {
    const cluster = new RollingCluster(objects())
    const question = 'Change 2 workloads and restart 2 pods, one workload after the other?'
    const { workloads, terminal } = await scrape(cluster, { method: 'sidecar', yes: false }, { [question]: true })
    assert.deepEqual(
      workloads.map(({ action }) => action),
      ['configured', 'configured'],
    )
    assert.ok(
      terminal.notes.some((line) => line.includes('AuthorizationPolicy default/pages: change')),
      terminal.notes.join('\n'),
    )
    assert.deepEqual(rules(cluster), [TILL, RULE])
    assert.deepEqual(
      own(cluster).map(({ spec }) => (spec as { action: string }).action),
      ['DENY', 'DENY'],
    )
    assert.deepEqual((await undo(cluster)).remaining, [])
    assert.deepEqual([rules(cluster), own(cluster)], [[TILL], []])
  })

  it('leaves nothing that closes the workloads when the user deletes it', async () => {
    const cluster = new RollingCluster(objects())
    await scrape(cluster, { method: 'sidecar' })
    const gone = cluster.objects.findIndex(({ metadata }) => metadata.name === 'pages')
    cluster.objects.splice(gone, 1)
    const { warnings } = await scrapeStatus(
      { namespaces: [], prometheus: 'none' },
      fakeWorld(cluster, new FakeTerminal()),
    )
    assert.deepEqual(
      warnings.map(({ code }) => code).filter((code) => code !== 'PLAINTEXT_UNCHECKED'),
      [],
    )
  })

  it('without its rule, which a sync of its tool removed, is reported with that tool', async () => {
    const id = 'apps:security.istio.io/AuthorizationPolicy:default/pages'
    const cluster = new RollingCluster([
      istiod(),
      ...workload('web'),
      allow({ annotations: { 'argocd.argoproj.io/tracking-id': id } }),
    ])
    assert.deepEqual((await scrape(cluster, { method: 'sidecar' })).codes, ['warns MANAGED_ELSEWHERE'])
    const policy = cluster.objects.find(({ metadata }) => metadata.name === 'pages') ?? assert.fail()
    Object.assign(policy, allow({ annotations: { 'argocd.argoproj.io/tracking-id': id } }))
    const { warnings } = await scrapeStatus(
      { namespaces: [], prometheus: 'none' },
      fakeWorld(cluster, new FakeTerminal()),
    )
    const [outdated] = warnings.filter(({ code }) => code === 'OUTDATED')
    assert.match(
      outdated?.message ?? '',
      /AuthorizationPolicy pages no longer matches .*; Argo CD application apps manages it/,
    )
    await scrape(cluster, { method: 'sidecar' })
    assert.deepEqual(rules(cluster), [TILL, RULE])
  })

  it('is left unchanged by an undo if its record is invalid, and everything else is restored', async () => {
    const cluster = new RollingCluster(objects())
    await scrape(cluster, { method: 'sidecar' })
    const policy = cluster.objects.find(({ metadata }) => metadata.name === 'pages') ?? assert.fail()
    policy.metadata.annotations = { 'kubectl-telemetry/before-scraping': '{' }
    const { restored, warnings } = await undo(cluster)
    assert.deepEqual(restored.map(({ name }) => name).sort(), ['api', 'web'])
    assert.deepEqual(warnings.length, 1)
  })
})

describe('an undo of a text that cannot be restored exactly', () => {
  it('leaves that object unchanged with a finding, and restores the others', async () => {
    const annotations = { 'proxy.istio.io/config': 'concurrency: 1\n' }
    const cluster = new RollingCluster([
      istiod(),
      ...workload('web', { template: { annotations } }),
      ...workload('api'),
    ])
    await scrape(cluster)
    const web = cluster.objects.find(({ kind, metadata }) => kind === 'Deployment' && metadata.name === 'web')
    const since = (web?.spec as { template: KubeObject }).template.metadata.annotations ?? assert.fail()
    since['proxy.istio.io/config'] = `${since['proxy.istio.io/config']}---\nsecond: document\n`
    const { restored, warnings, remaining } = await undo(cluster)
    assert.deepEqual(
      restored.map(({ name }) => name),
      ['api'],
    )
    assert.deepEqual(
      remaining.map(({ name }) => name),
      ['web'],
    )
    assert.deepEqual(
      warnings.map(({ code }) => code),
      ['YAML_INVALID'],
    )
    assert.match(since['proxy.istio.io/config'] ?? '', /second: document/)
  })
})
