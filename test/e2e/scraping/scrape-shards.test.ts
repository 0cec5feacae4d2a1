/**
 * Prometheus Operator with `shards: 2` (C27): each server has a part of the targets. The operator itself does not run; the servers are real,
 * with the configuration and the labels that it would give them, and its own definitions validate its objects.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'mocha'
import { stringify } from 'yaml'
import type { ScrapeSecureResult } from '../../../src/scraping/result.ts'
import { SECURE_JOB, secureJob } from '../../../src/scraping/scraper/secure-job.ts'
import { difference, dump } from '../dump.ts'
import { Workplace } from '../mesh.ts'
import { HTTPBIN, meshNamespace, meshWorkload, waitUntilReady } from '../mesh-workloads.ts'
import { applyDefinitions, deleteDefinitions } from '../operator-definitions.ts'
import { runPlugin } from '../plugin-runs.ts'

const NAMESPACE = 'scrape-shards'
const WORKLOADS = 'scrape-sharded'
const CERTIFICATES = '/etc/istio-certs'
const RBAC = 'rbac.authorization.k8s.io'
const own = { name: 'k8s', namespace: NAMESPACE }

/** What the operator makes of our PodMonitor for a shard. */
function configuration(shard: number): string {
  const { job_name: _, relabel_configs: rules, ...job } = secureJob(CERTIFICATES, true)
  const sharding = [
    { source_labels: ['__address__'], target_label: '__tmp_hash', modulus: 2, action: 'hashmod' },
    { source_labels: ['__tmp_hash'], regex: String(shard), action: 'keep' },
  ]
  return stringify({
    global: { scrape_interval: '1s' },
    scrape_configs: [
      {
        job_name: `podMonitor/${NAMESPACE}/${SECURE_JOB}/0`,
        ...job,
        kubernetes_sd_configs: [{ role: 'pod', namespaces: { names: [WORKLOADS] } }],
        relabel_configs: [...(rules as object[]), ...sharding],
      },
    ],
  })
}

/** One server, with a certificate of the mesh as our change of the Prometheus object asks for it. */
function server(shard: number): object[] {
  const name = shard === 0 ? 'prometheus-k8s' : `prometheus-k8s-shard-${shard}`
  const mount = { name: 'istio-certs', mountPath: CERTIFICATES }
  const [set] = meshWorkload({
    ...{ name, namespace: NAMESPACE, kind: 'StatefulSet', image: 'docker.io/prom/prometheus:v3.10.0' },
    labels: {
      'app.kubernetes.io/name': 'prometheus',
      'operator.prometheus.io/name': 'k8s',
      'operator.prometheus.io/shard': String(shard),
      'sidecar.istio.io/inject': 'true',
    },
    annotations: {
      'traffic.sidecar.istio.io/includeInboundPorts': '',
      'traffic.sidecar.istio.io/includeOutboundIPRanges': '',
      'proxy.istio.io/config': `proxyMetadata:\n  OUTPUT_CERTS: ${CERTIFICATES}\n`,
      'sidecar.istio.io/userVolumeMount': JSON.stringify([mount]),
    },
    pod: {
      serviceAccountName: 'k8s',
      volumes: [
        { name: 'config', configMap: { name } },
        { name: mount.name, emptyDir: { medium: 'Memory' } },
      ],
    },
    container: {
      args: ['--config.file=/etc/config/prometheus.yml', '--storage.tsdb.path=/tmp/data'],
      volumeMounts: [{ name: 'config', mountPath: '/etc/config' }, mount],
    },
  })
  const data = { 'prometheus.yml': configuration(shard) }
  return [{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: NAMESPACE }, data }, set ?? {}]
}

const OBJECTS = [
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } },
  { apiVersion: 'v1', kind: 'ServiceAccount', metadata: own },
  {
    ...{ apiVersion: `${RBAC}/v1`, kind: 'ClusterRole', metadata: { name: NAMESPACE } },
    rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['list', 'watch', 'get'] }],
  },
  {
    ...{ apiVersion: `${RBAC}/v1`, kind: 'ClusterRoleBinding', metadata: { name: NAMESPACE } },
    roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: NAMESPACE },
    subjects: [{ kind: 'ServiceAccount', ...own }],
  },
  {
    ...{ apiVersion: 'monitoring.coreos.com/v1', kind: 'Prometheus', metadata: own },
    spec: { shards: 2, serviceAccountName: 'k8s', podMonitorSelector: {}, podMonitorNamespaceSelector: {} },
  },
  ...server(0),
  ...server(1),
]

describe('Prometheus with two shards, on the real mesh', () => {
  const workplace = new Workplace()
  let untouched: Map<string, string>

  before(async function () {
    this.timeout(180_000)
    await applyDefinitions(workplace)
    const strategy = { rollingUpdate: { maxSurge: '100%', maxUnavailable: '100%' } }
    const web = meshWorkload({ name: 'web', namespace: WORKLOADS, image: HTTPBIN, spec: { replicas: 4, strategy } })
    workplace.apply(...meshNamespace(WORKLOADS), ...OBJECTS, ...web)
    waitUntilReady(workplace, WORKLOADS, 'deploy/web')
    waitUntilReady(workplace, NAMESPACE, 'sts/prometheus-k8s', 'sts/prometheus-k8s-shard-1')
    untouched = dump(workplace)
  })
  after(function () {
    this.timeout(180_000)
    workplace.telemetry('cleanup', '--scraping', '-y')
    workplace.kubectl('delete', 'namespace', NAMESPACE, WORKLOADS, '--ignore-not-found', '--timeout=85s')
    workplace.kubectl('delete', 'clusterrole,clusterrolebinding', NAMESPACE, '--ignore-not-found')
    deleteDefinitions(workplace)
    workplace.end()
  })

  /** The pods that one server scrapes. */
  function targetsOf(name: string): string[] {
    const path = `/api/v1/namespaces/${NAMESPACE}/pods/${name}:9090/proxy/api/v1/targets?state=active`
    const { data } = JSON.parse(workplace.kubectl('get', '--raw', path)) as {
      data: { activeTargets: { labels: { pod: string } }[] }
    }
    return data.activeTargets.map(({ labels }) => labels.pod)
  }

  it('counts a target when one shard has it, so that --harden is allowed', async () => {
    const words = ['scrape-secure', '-n', WORKLOADS, '-y', '--prometheus', `${NAMESPACE}/k8s`, '--harden', '-o', 'json']
    const { stdout, stderr, exitCode } = await runPlugin(workplace, ...words)
    assert.equal(exitCode, 0, stdout + stderr)
    const { targets, plaintext } = JSON.parse(stdout) as ScrapeSecureResult
    assert.deepEqual([targets?.up, targets?.total, plaintext?.open], [4, 4, []])

    const shards = ['prometheus-k8s-0', 'prometheus-k8s-shard-1-0'].map(targetsOf)
    assert.deepEqual([new Set(shards.flat()).size, shards.flat().length], [4, 4], 'each pod is in one shard')

    const status = await runPlugin(
      workplace,
      'scrape-secure',
      'status',
      '-n',
      WORKLOADS,
      '--prometheus',
      `${NAMESPACE}/k8s`,
    )
    assert.match(status.stdout, /4 of 4/, status.stdout + status.stderr)
    assert.equal((await runPlugin(workplace, 'cleanup', '--scraping', '-y')).exitCode, 0)
    assert.deepEqual(difference(untouched, dump(workplace)), [])
  })
})
