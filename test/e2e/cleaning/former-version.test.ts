import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { after, before, describe, it } from 'mocha'
import type { KubeObject, Resource } from '../../../src/cluster/cluster.ts'
import { CONFIG_MAPS, DEPLOYMENTS } from '../../../src/cluster/resources.ts'
import { loadBalancer } from '../../lab/lab.ts'
import { difference, dump } from '../dump.ts'
import { Workplace } from '../mesh.ts'
import { meshNamespace, meshWorkload, waitUntilReady } from '../mesh-workloads.ts'
import { runPlugin } from '../plugin-runs.ts'
import { labCluster } from '../scraping-prometheus.ts'

const NAMESPACE = 'former-version'
const MANAGER = 'kubectl-telemetry'
/** Manifests that the version before parts applied on this mesh (layout `ports`, basic authentication, method `sidecar`), each with its manager. */
const APPLIED = JSON.parse(readFileSync(new URL('former-version.json', import.meta.url), 'utf8')) as {
  manager: string
  manifest: KubeObject
}[]

/** For a raw PATCH like that version's: `kubectl apply --server-side` would take over the fields of an earlier `kubectl apply`. */
function resourceOf({ kind, apiVersion }: KubeObject): Resource {
  const [group = '', version = ''] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion]
  const plural = kind.toLowerCase().replace(/cy$/, 'cie')
  return { group, version, kind, plural: `${plural}s` }
}

/** A Kiali whose configuration that version linked to Grafana. */
function linked(configMap: KubeObject): KubeObject {
  const { 'config.yaml': text = '' } = configMap.data as Record<string, string>
  const { labels, annotations, managedFields, ...metadata } = configMap.metadata
  const changed = `${text}# linked\n`
  const record = {
    ...{ text, managedFields, urls: { grafana: 'https://grafana.example.com/' }, replaced: { grafana: null } },
    ...{ digest: createHash('sha256').update(changed).digest('hex'), deployment: 'kiali' },
  }
  return {
    ...configMap,
    metadata: {
      ...metadata,
      labels: { ...labels, 'kubectl-telemetry/linked': 'true' },
      annotations: { ...annotations, 'kubectl-telemetry/before-link': JSON.stringify(record) },
    },
    data: { 'config.yaml': changed },
  }
}

/** A workload with its own annotations, which that version replaced as a whole. */
function scraped(workload: KubeObject): KubeObject {
  const { labels, annotations, managedFields, ...metadata } = workload.metadata
  const path = ['spec', 'template', 'metadata', 'annotations', 'prometheus.istio.io/secure-port']
  const record = { fields: [{ path, existed: 4, before: {}, after: '15091' }], managedFields }
  const after = structuredClone(workload) as KubeObject & {
    spec: { template: { metadata: { annotations: Record<string, string> } } }
  }
  after.spec.template.metadata.annotations['prometheus.istio.io/secure-port'] = '15091'
  const marked = {
    labels: { ...labels, 'kubectl-telemetry/scraping': 'true' },
    annotations: { ...annotations, 'kubectl-telemetry/before-scraping': JSON.stringify(record) },
  }
  return { ...after, metadata: { ...metadata, ...marked } }
}

describe('objects of the version before parts, on the real mesh', () => {
  const workplace = new Workplace()
  const cluster = labCluster()
  let untouched: Map<string, string>

  const read = async (resource: Resource, namespace: string, name: string) =>
    (await cluster.get(resource, { name, namespace })) ?? assert.fail(`no ${name}`)
  const changed = () => difference(untouched, dump(workplace))
  const isScraping = (name: string) => name.includes(`${NAMESPACE}/`)

  before(async () => {
    await loadBalancer('on')
    workplace.apply(
      ...meshNamespace(NAMESPACE),
      ...meshWorkload({ name: 'web', namespace: NAMESPACE, annotations: { mine: 'yes' } }),
      ...meshWorkload({ name: 'queue', namespace: NAMESPACE, kind: 'StatefulSet' }),
    )
    waitUntilReady(workplace, NAMESPACE, 'deploy/web', 'sts/queue')
    untouched = dump(workplace)
    for (const { manager, manifest } of APPLIED) await cluster.apply(resourceOf(manifest), manifest, { manager })
    const kiali = linked(await read(CONFIG_MAPS, 'istio-system', 'kiali'))
    await cluster.replace(CONFIG_MAPS, kiali, { manager: MANAGER })
    await cluster.replace(DEPLOYMENTS, scraped(await read(DEPLOYMENTS, NAMESPACE, 'web')), { manager: MANAGER })
  })
  after(async () => {
    await cluster.close()
    workplace.telemetry('cleanup', '--scraping', '-y')
    workplace.kubectl('delete', 'namespace', NAMESPACE)
    workplace.end()
    workplace.waitForRollout('kiali')
  })

  it('exist before cleanup', () => assert.equal(changed().length, APPLIED.length + 2))

  it('of exposing are removed by cleanup; only those of scraping are left', () => {
    const { stdout, exitCode } = workplace.telemetry('cleanup', '-y')
    assert.equal(exitCode, 0, stdout)
    const left = changed()
    assert.deepEqual(
      left.filter((name) => !isScraping(name)),
      [],
    )
    assert.equal(left.length, APPLIED.filter(({ manifest }) => manifest.metadata.namespace === NAMESPACE).length + 1)
  })

  it('of scraping are removed by cleanup --scraping; nothing is left', async () => {
    const { stdout, stderr, exitCode } = await runPlugin(workplace, 'cleanup', '--scraping', '-y')
    assert.equal(exitCode, 0, stdout + stderr)
    assert.deepEqual(changed(), [])
  })
})
