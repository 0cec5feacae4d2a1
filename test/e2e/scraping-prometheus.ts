/** What tests of scraping share: the operations on the real mesh, and workloads with Istio's own secure ports. */
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Progress } from '../../src/changes/progress.ts'
import type { Cluster, KubeObject, Resource } from '../../src/cluster/cluster.ts'
import { KubeCluster } from '../../src/cluster/kube-cluster.ts'
import { awaitTargets, securePods, type TargetsReport } from '../../src/scraping/scraper/await-targets.ts'
import { applyPrometheus, planPrometheus } from '../../src/scraping/scraper/change.ts'
import { SECURE_JOB } from '../../src/scraping/scraper/secure-job.ts'
import { surveyPrometheus } from '../../src/scraping/scraper/survey.ts'
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

/** A namespace with injection and a workload that serves its metrics over mutual TLS, as verified.md, section 3, has it. */
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
        template: { metadata: { labels, annotations }, spec: { containers: [container] } },
      },
    },
  ]
}

/** Prometheus as the command changes it, waited for. */
export async function secure(cluster: Cluster, workplace: Workplace, named?: string): Promise<boolean> {
  const plan = planPrometheus(await surveyPrometheus(named, cluster))
  const changed = await applyPrometheus(cluster, plan, new Progress())
  workplace.rolledOut('prometheus')
  return changed
}

/** @param timeout milliseconds */
export async function targets(cluster: Cluster, timeout = 60_000): Promise<TargetsReport> {
  const { found } = await surveyPrometheus('istio-system/prometheus', cluster)
  return awaitTargets({ found, job: SECURE_JOB, expected: () => securePods(cluster), timeout }, { cluster, clock })
}

/** Ends whatever uses it after so many writes. */
export function cutAfter(cluster: Cluster, writes: number): Cluster {
  let left = writes
  const counted = async <T>(write: () => Promise<T>): Promise<T> => {
    if (left-- <= 0) throw new Error('cut off')
    return write()
  }
  return new Proxy(cluster, {
    get(target, name) {
      if (name === 'replace')
        return (resource: Resource, object: KubeObject) => counted(() => target.replace(resource, object))
      if (name === 'apply')
        return (resource: Resource, object: KubeObject) => counted(() => target.apply(resource, object))
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/** Puts an object back as it was, for the next test. */
export function writeBack(workplace: Workplace, { metadata, ...object }: KubeObject): void {
  const { resourceVersion: _, managedFields: _m, ...rest } = metadata
  const input = JSON.stringify({ ...object, metadata: rest })
  const { exitCode, stderr } = workplace.run('kubectl', ['replace', '-f', '-'], { input })
  if (exitCode !== 0) throw new Error(stderr)
}
