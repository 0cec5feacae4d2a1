/** Prometheus Operator's objects, validated by its own definitions. The operator itself does not run. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import { rehearse } from '../../../src/changes/changes.ts'
import { at } from '../../../src/changes/fields.ts'
import { Progress } from '../../../src/changes/progress.ts'
import type { KubeObject } from '../../../src/cluster/cluster.ts'
import { POD_MONITORS, PROMETHEUSES } from '../../../src/cluster/resources.ts'
import { applyPrometheus, planPrometheus } from '../../../src/scraping/scraper/change.ts'
import { SECURE_JOB } from '../../../src/scraping/scraper/secure-job.ts'
import { surveyPrometheus } from '../../../src/scraping/scraper/survey.ts'
import { difference, dump } from '../dump.ts'
import { Workplace } from '../mesh.ts'
import { applyDefinitions, deleteDefinitions } from '../operator-definitions.ts'
import { failAfter, labCluster } from '../scraping-prometheus.ts'

const NAMESPACE = 'scrape-operator'
const NAMED = `${NAMESPACE}/k8s`

const keep = (label: string) => ({ action: 'keep', sourceLabels: [label] })
const OBJECTS = [
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } },
  {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'Prometheus',
    metadata: { name: 'k8s', namespace: NAMESPACE },
    spec: {
      podMonitorSelector: { matchLabels: { release: 'kps' } },
      podMonitorNamespaceSelector: {},
      volumes: [{ name: 'mine', emptyDir: {} }],
      podMetadata: { annotations: { mine: 'yes' } },
    },
  },
  {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PodMonitor',
    metadata: { name: 'envoy-stats-monitor', namespace: NAMESPACE },
    spec: {
      selector: {},
      namespaceSelector: { any: true },
      podMetricsEndpoints: [
        {
          path: '/stats/prometheus',
          relabelings: [keep('__meta_kubernetes_pod_annotationpresent_prometheus_io_scrape')],
        },
        { port: 'metrics' },
      ],
    },
  },
]

describe('Prometheus Operator’s objects, on the real API server', () => {
  const workplace = new Workplace()
  const cluster = labCluster()
  let untouched: Map<string, string>

  before(async function () {
    this.timeout(120_000)
    await applyDefinitions(workplace)
    workplace.apply(...OBJECTS)
    untouched = dump(workplace)
  })
  after(async () => {
    restore()
    await cluster.close()
    workplace.kubectl('delete', 'namespace', NAMESPACE)
    deleteDefinitions(workplace)
    workplace.end()
  })

  const restore = () => assert.equal(workplace.telemetry('cleanup', '--scraping', '-y').exitCode, 0)
  const plan = async () => planPrometheus(await surveyPrometheus(NAMED, cluster))
  const actions = async () => (await rehearse(cluster, (await plan()).changes)).map(({ action }) => action)
  const objectOf = async (kind: typeof PROMETHEUSES, name: string) =>
    (await cluster.get<KubeObject>(kind, { name, namespace: NAMESPACE })) as KubeObject

  it('need a flag, because another Prometheus runs in the mesh', async () => {
    await assert.rejects(surveyPrometheus(undefined, cluster), {
      code: 'SEVERAL_PROMETHEUS',
      suggestions: [`--prometheus ${NAMED}`, '--prometheus istio-system/prometheus'],
    })
  })

  it('are accepted by its definitions after the change, and a second run changes nothing', async () => {
    assert.deepEqual(await actions(), ['created', 'configured', 'configured'])
    await applyPrometheus(cluster, await plan(), new Progress())
    const prometheus = await objectOf(PROMETHEUSES, 'k8s')
    assert.deepEqual(at(prometheus, ['spec', 'volumes', { name: 'mine' }]), { name: 'mine', emptyDir: {} })
    assert.equal(at(prometheus, ['spec', 'volumeMounts', { name: 'istio-certs' }, 'mountPath']), '/etc/istio-certs')
    assert.equal(
      at(prometheus, ['spec', 'scrapeClasses', { name: 'kubectl-telemetry-istio' }, 'tlsConfig', 'keyFile']),
      '/etc/istio-certs/key.pem',
    )
    assert.equal(at(prometheus, ['spec', 'podMetadata', 'labels', 'sidecar.istio.io/inject']), 'true')
    assert.equal(at(prometheus, ['spec', 'podMetadata', 'annotations', 'mine']), 'yes')
    const own = await objectOf(POD_MONITORS, SECURE_JOB)
    assert.equal(own.metadata.labels?.release, 'kps')
    const [first, second] = at(await objectOf(POD_MONITORS, 'envoy-stats-monitor'), [
      'spec',
      'podMetricsEndpoints',
    ]) as { relabelings?: { action: string }[] }[]
    assert.deepEqual([first?.relabelings?.map(({ action }) => action), second], [['keep', 'drop'], { port: 'metrics' }])
    assert.deepEqual(await actions(), ['unchanged', 'unchanged', 'unchanged'])
  })

  it('are restored by cleanup without a difference', async () => {
    restore()
    assert.deepEqual(difference(untouched, dump(workplace)), [])
  })

  for (let writes = 1; writes <= 3; writes++)
    it(`are restored by cleanup after a run that failed after write ${writes} of 3`, async () => {
      await applyPrometheus(failAfter(cluster, writes), await plan(), new Progress()).catch((error: Error) =>
        assert.equal(error.message, 'cut off'),
      )
      assert.ok(difference(untouched, dump(workplace)).length >= writes)
      restore()
      assert.deepEqual(difference(untouched, dump(workplace)), [])
    })
})
