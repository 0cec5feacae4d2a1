/** Workloads of other kinds: they are listed with the reason, never changed, and --harden is not done while their plaintext ports answer. */
import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import type { Pod } from '../../src/cluster/objects.ts'
import { renderScrapeStatus } from '../../src/rendering/scrape-status.ts'
import { succeeded } from '../../src/scraping/result.ts'
import { type ScrapeSecureRequest, scrapeWith } from '../../src/scraping/scrape-secure.ts'
import type { ScraperSetup } from '../../src/scraping/scraper/setup.ts'
import { scrapeStatus } from '../../src/scraping/status.ts'
import { FakeTerminal } from '../fakes/fake-terminal.ts'
import { fakeWorld } from '../fakes/fake-world.ts'
import { ScrapedCluster } from '../fakes/scraped-cluster.ts'
import { type FakeWorkload, istiod, RollingCluster, workload } from '../fakes/workloads.ts'

const REQUEST: ScrapeSecureRequest = {
  ...{ names: [], selector: undefined, namespaces: ['default'], allNamespaces: false, gateways: false },
  ...{ method: 'auto', harden: false, yes: true, dryRun: 'none', timeout: 1_000 },
  ...{ onlyPrometheus: false, prometheus: undefined },
}
/** Every target is up. */
const PROMETHEUS: ScraperSetup = {
  found: { kind: 'Deployment', namespace: 'istio-system', name: 'prometheus' },
  scraper: { namespace: 'istio-system', serviceAccount: 'prometheus', labels: {} },
  changes: [],
  warnings: [],
  apply: async () => {},
  prove: async () => ({ targets: { up: 1, total: 1, jobs: [] }, plaintext: { open: [] }, warnings: [] }),
}

/** The pods of a workload of another kind. */
function podsOf(name: string, owner: object | undefined, labels: object = {}, wanted: FakeWorkload = {}): Pod[] {
  const [, ...pods] = workload(name, wanted) as [KubeObject, ...Pod[]]
  return pods.map((pod) => {
    const { 'pod-template-hash': _, ...own } = pod.metadata.labels ?? {}
    const ownerReferences = owner === undefined ? [] : [{ controller: true, ...owner }]
    return { ...pod, metadata: { ...pod.metadata, labels: { ...own, ...labels }, ownerReferences } }
  })
}

const apps = { apiVersion: 'apps/v1' }
const HASH = { 'rollouts-pod-template-hash': '7f9c' }
const rollout = () => podsOf('web', { ...apps, kind: 'ReplicaSet', name: 'web-7f9c' }, HASH, { pods: 2 })
const OTHERS: Record<string, Pod[]> = {
  'Rollout default/web': rollout(),
  'ReplicaSet default/old-5d9f8': podsOf('old', { ...apps, kind: 'ReplicaSet', name: 'old-5d9f8' }),
  'Pod default/debug-5d9f8-0': podsOf('debug', undefined),
  'Job default/import': podsOf('import', { apiVersion: 'batch/v1', kind: 'Job', name: 'import' }),
  'Node default/node-1': podsOf('static', { apiVersion: 'v1', kind: 'Node', name: 'node-1' }),
  'StatefulSet default/kruise': podsOf('kruise', {
    apiVersion: 'apps.kruise.io/v1beta1',
    kind: 'StatefulSet',
    name: 'kruise',
  }),
  'StrimziPodSet default/kafka': podsOf('kafka', {
    apiVersion: 'core.strimzi.io/v1beta2',
    kind: 'StrimziPodSet',
    name: 'kafka',
  }),
}

async function run(cluster: RollingCluster, asked: Partial<ScrapeSecureRequest> = {}) {
  const terminal = new FakeTerminal()
  const report = await scrapeWith(PROMETHEUS, { ...REQUEST, ...asked }, fakeWorld(cluster, terminal))
  const rows = report.result.workloads.map(({ kind, namespace, name, action, code }) =>
    [`${kind} ${namespace}/${name}`, action, code].filter(Boolean).join(' '),
  )
  return { rows, ok: succeeded(report), findings: report.result.warnings, pods: report.result.workloads.at(-1)?.pods }
}
const mesh = (...objects: KubeObject[]) => new RollingCluster([istiod(), ...workload('sound'), ...objects])
const SOUND = 'Deployment default/sound configured'
const answering = (cluster: RollingCluster, ...ports: string[]) => {
  cluster.podAnswers = ({ name }, { port }) =>
    ports.includes(`${name}:${port}`) ? { status: 200, body: '' } : { failed: 'connection refused' }
  return cluster
}

describe('scrape-secure and workloads of other kinds', () => {
  for (const [title, pods] of Object.entries(OTHERS))
    it(`lists ${title} as left out, with the reason, and never changes it`, async () => {
      const cluster = mesh(...pods)
      const { rows, ok, findings } = await run(cluster)
      assert.deepEqual([rows, ok, findings], [[SOUND, `${title} skipped OTHER_KIND`], true, []])
      assert.deepEqual(
        cluster.writes.map(({ object }) => object),
        ['Deployment/sound'],
      )
    })

  it('counts the pods of an owner together, and ignores pods without a proxy and pods that have ended', async () => {
    const ended = podsOf('import', { kind: 'Job', name: 'import' }).map((pod) => ({
      ...pod,
      status: { phase: 'Succeeded' },
    }))
    const cluster = mesh(
      ...rollout(),
      ...ended,
      ...podsOf('plain', { kind: 'Job', name: 'plain' }, {}, { proxy: 'none' }),
    )
    assert.deepEqual(await run(cluster), {
      rows: [SOUND, 'Rollout default/web skipped OTHER_KIND'],
      ok: true,
      findings: [],
      pods: 2,
    })
  })

  it('fails if nothing else was selected, or if it was named; a workload of the same name is preferred', async () => {
    const alone = new RollingCluster([istiod(), ...rollout()])
    assert.equal((await run(alone)).ok, false)
    const web = { names: [{ kind: undefined, name: 'web' }] }
    const named = await run(mesh(...rollout()), web)
    assert.deepEqual([named.rows, named.ok], [['Rollout default/web skipped OTHER_KIND'], false])
    const both = await run(mesh(...rollout(), ...workload('web')), web)
    assert.deepEqual([both.rows, both.ok], [['Deployment default/web configured'], true])
  })

  it('follows the selector and --gateways', async () => {
    const edge = podsOf('edge', { kind: 'Job', name: 'edge' }, {}, { proxy: 'gateway' })
    const sound = workload('sound', { metadata: { labels: { app: 'sound' } } })
    const cluster = new RollingCluster([istiod(), ...sound, ...rollout(), ...edge])
    assert.deepEqual((await run(cluster, { selector: 'app=web' })).rows, ['Rollout default/web skipped OTHER_KIND'])
    assert.deepEqual((await run(cluster, { selector: 'app=sound', dryRun: 'client' })).rows, [SOUND])
    assert.deepEqual((await run(cluster, { gateways: true })).rows.at(-1), 'Job default/edge skipped OTHER_KIND')
  })

  it('is not hardened while their plaintext ports answer', async () => {
    const cluster = answering(
      mesh(...rollout(), ...podsOf('debug', undefined)),
      'web-5d9f8-0:15090',
      'debug-5d9f8-0:15020',
    )
    const { ok, findings } = await run(cluster, { harden: true })
    assert.equal(ok, false)
    assert.deepEqual(
      findings.map(({ code, severity }) => [code, severity]),
      [['PLAINTEXT_LEFT', 'fails']],
    )
    assert.match(
      findings[0]?.message ?? '',
      /^rollout\/web in namespace default, pod\/debug-5d9f8-0 in namespace default were left out and still serve their metrics as plaintext: it is a Rollout of Argo Rollouts/,
    )
    assert.equal((await run(answering(mesh(...rollout())), { harden: true })).ok, true, 'their ports are closed')
    assert.equal((await run(cluster)).ok, true, 'only --harden promises it')
  })

  it('counts neither Prometheus nor the StatefulSets that an operator makes for it', async () => {
    const made = workload('prometheus-k8s', {
      ...{ kind: 'StatefulSet', namespace: 'istio-system' },
      metadata: { ownerReferences: [{ kind: 'Prometheus', name: 'k8s' }] },
    })
    const cluster = answering(mesh(...made), 'prometheus-k8s-5d9f8-0:15090')
    const request = { ...REQUEST, namespaces: ['default', 'istio-system'], harden: true }
    const found = { kind: 'Prometheus', namespace: 'istio-system', name: 'k8s' }
    const report = await scrapeWith({ ...PROMETHEUS, found }, request, fakeWorld(cluster, new FakeTerminal()))
    assert.deepEqual([report.result.workloads.length, succeeded(report)], [1, true])
  })

  it('is not hardened while the ports of a Deployment that was skipped answer', async () => {
    const owner = { ownerReferences: [{ kind: 'App', name: 'shop' }] }
    const cluster = answering(mesh(...workload('owned', { metadata: owner })), 'owned-5d9f8-0:15020')
    const { ok, findings } = await run(cluster, { harden: true })
    assert.deepEqual([ok, findings.map(({ code }) => code)], [false, ['PLAINTEXT_LEFT']])
    assert.match(findings[0]?.message ?? '', /deployment\/owned .* \(OPERATOR_OWNED\)/)
    assert.deepEqual(findings[0]?.remedies, ['remove that reason, then run the command again'])
  })

  describe('parts of ambient mode', () => {
    const container = (image: string, args: string[]) => ({ containers: [{ name: 'istio-proxy', image, args }] })
    const parts: Record<string, KubeObject[]> = {
      ZTUNNEL: workload('node-proxy', { kind: 'DaemonSet', proxy: 'ztunnel' }),
      WAYPOINT: workload('way', {
        proxy: 'none',
        podSpec: container('docker.io/istio/proxyv2:1.31.0', ['proxy', 'waypoint']),
      }),
      ISTIO_CNI: workload('cni', {
        kind: 'DaemonSet',
        proxy: 'none',
        podSpec: container('docker.io/istio/install-cni:1.31.0', []),
      }),
    }
    for (const [code, objects] of Object.entries(parts))
      it(`are listed and never changed: ${code}`, async () => {
        const name = `${objects[0]?.kind} default/${objects[0]?.metadata.name}`
        const cluster = answering(mesh(...objects), ...objects.map(({ metadata }) => `${metadata.name}:15020`))
        const { rows, ok } = await run(cluster, { harden: true, gateways: true })
        assert.deepEqual([rows.toSorted(), ok], [[SOUND, `${name} skipped ${code}`].toSorted(), true])
        assert.ok(cluster.writes.every(({ object }) => object === 'Deployment/sound'))
        const alone = await run(new RollingCluster([istiod(), ...objects]))
        assert.deepEqual([alone.ok, alone.findings.map((one) => one.code)], [true, ['NO_WORKLOADS']])
      })
  })

  it('names them in scrape-secure status', async () => {
    const cluster = await new ScrapedCluster([...workload('sound'), ...rollout()]).secure()
    const result = await scrapeStatus({ namespaces: [], prometheus: undefined }, fakeWorld(cluster, new FakeTerminal()))
    assert.deepEqual(
      result.leftOut?.map(({ kind, name, pods, code }) => [kind, name, pods, code]),
      [['Rollout', 'web', 2, 'OTHER_KIND']],
    )
    assert.match(renderScrapeStatus(result, [], undefined), /^left out {5}default\/rollout\/web: it is a Rollout/m)
  })
})
