/** Helpers of the scraping tests: operations on the real mesh, and workloads with Istio's own secure ports. */
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Progress } from '../../src/changes/progress.ts'
import type { Cluster, KubeObject, Resource, WriteOptions } from '../../src/cluster/cluster.ts'
import { KubeCluster } from '../../src/cluster/kube-cluster.ts'
import type { Pod } from '../../src/cluster/objects.ts'
import { PODS } from '../../src/cluster/resources.ts'
import { awaitTargets, secureOf, type TargetsReport } from '../../src/scraping/scraper/await-targets.ts'
import { applyPrometheus, planPrometheus } from '../../src/scraping/scraper/change.ts'
import { SECURE_JOB } from '../../src/scraping/scraper/secure-job.ts'
import { surveyPrometheus } from '../../src/scraping/scraper/survey.ts'
import type { ExpectedPod } from '../../src/scraping/scraper/targets.ts'
import { labPaths } from '../lab/lab.ts'
import type { Workplace } from './mesh.ts'

export const clock = { now: () => new Date(), sleep: (milliseconds: number) => sleep(milliseconds).then(() => {}) }
export const timers = {
  now: () => performance.now(),
  after: (milliseconds: number, act: () => void) => {
    const timer = setTimeout(act, milliseconds)
    return () => clearTimeout(timer)
  },
}
export const issuing = {
  random: (bytes: number) => randomBytes(bytes),
  generateKey: async () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  },
}

export function labCluster(): KubeCluster {
  const choice = { file: labPaths().kubeconfig, context: undefined, environment: {} }
  return new KubeCluster(choice, {
    impersonate: { user: undefined, groups: undefined },
    timeout: 20_000,
    environment: {},
  })
}

/** A namespace with injection, and a workload that serves its metrics over mutual TLS. */
export function secureNamespace(name: string, mode: 'PERMISSIVE' | 'STRICT'): object[] {
  const ports = ['ENVOY_SECURE_METRICS_PORT: "15091"', 'ENVOY_SECURE_MERGED_METRICS_PORT: "15092"']
  const annotations = {
    'proxy.istio.io/config': `proxyMetadata:\n${ports.map((line) => `  ${line}\n`).join('')}`,
    'traffic.sidecar.istio.io/excludeInboundPorts': '15091,15092',
  }
  const container = { name: 'app', image: 'docker.io/mccutchen/go-httpbin:2.26.0', imagePullPolicy: 'Never' }
  const labels = { app: 'app' }
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: { 'istio-injection': 'enabled' } } },
    {
      apiVersion: 'security.istio.io/v1',
      kind: 'PeerAuthentication',
      metadata: { name: 'default', namespace: name },
      spec: { mtls: { mode } },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'app', namespace: name },
      spec: {
        selector: { matchLabels: labels },
        template: {
          metadata: { labels, annotations },
          spec: { terminationGracePeriodSeconds: 0, containers: [container] },
        },
      },
    },
  ]
}

/** Changes Prometheus like the command, and waits for its rollout. @returns whether anything changed */
export async function securePrometheus(cluster: Cluster, workplace: Workplace, named?: string): Promise<boolean> {
  const plan = planPrometheus(await surveyPrometheus(named, cluster))
  const progress = new CountingProgress()
  await applyPrometheus(cluster, plan, progress)
  workplace.waitForRollout('prometheus')
  return progress.changes > 0
}

class CountingProgress extends Progress {
  changes = 0

  override changed(object: string): void {
    this.changes++
    super.changed(object)
  }
}

/** Pods that contain a port at which they are scraped over mutual TLS, and have an address. */
export async function securePods(cluster: Cluster): Promise<ExpectedPod[]> {
  return (await cluster.list<Pod>(PODS)).flatMap((pod) => secureOf(pod) ?? [])
}

/** @param timeout milliseconds */
export async function readTargets(cluster: Cluster, timeout = 60_000): Promise<TargetsReport> {
  const { found } = await surveyPrometheus('istio-system/prometheus', cluster)
  return awaitTargets({ found, job: SECURE_JOB, expected: () => securePods(cluster), timeout }, { cluster, clock })
}

/** A cluster client that fails after this number of writes. */
export function failAfter(cluster: Cluster, writes: number): Cluster {
  let left = writes
  const counted = async <T>(write: () => Promise<T>): Promise<T> => {
    if (left-- <= 0) throw new Error('cut off')
    return write()
  }
  return new Proxy(cluster, {
    get(target, name) {
      if (name === 'replace')
        return (resource: Resource, object: KubeObject, options: WriteOptions) =>
          counted(() => target.replace(resource, object, options))
      if (name === 'apply')
        return (resource: Resource, object: KubeObject, options: WriteOptions) =>
          counted(() => target.apply(resource, object, options))
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/** Restores an object for the next test. */
export function restoreObject(workplace: Workplace, { metadata, ...object }: KubeObject): void {
  const { resourceVersion: _, managedFields: _m, ...rest } = metadata
  const input = JSON.stringify({ ...object, metadata: rest })
  const { exitCode, stderr } = workplace.run('kubectl', ['replace', '-f', '-'], { input })
  if (exitCode !== 0) throw new Error(stderr)
}
