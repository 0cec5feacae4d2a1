/** A mesh whose workloads are scraped over mutual TLS by a Prometheus, and whose pods also answer without TLS. */
import assert from 'node:assert/strict'
import { Progress } from '../../src/changes/progress.ts'
import type { KubeObject, PodAnswer, PodRequest } from '../../src/cluster/cluster.ts'
import type { Pod } from '../../src/cluster/objects.ts'
import type { Target } from '../../src/prometheus/target.ts'
import { scrapeWith } from '../../src/scraping/scrape-secure.ts'
import { applyPrometheus, planPrometheus } from '../../src/scraping/scraper/change.ts'
import { SECURE_JOB } from '../../src/scraping/scraper/secure-job.ts'
import { surveyPrometheus } from '../../src/scraping/scraper/survey.ts'
import { SECURE_PORT } from '../../src/scraping/workload.ts'
import type { WorkloadObject } from '../../src/workloads/workload-object.ts'
import { SAMPLE } from '../scraping/istio-sample.ts'
import { FakeTerminal } from './fake-terminal.ts'
import { fakeWorld } from './fake-world.ts'
import { istiod, RollingCluster, workload } from './workloads.ts'

const SCRAPE = {
  ...{ names: [], selector: undefined, namespaces: [], allNamespaces: true, gateways: false },
  ...{ method: 'auto' as const, harden: false, yes: true, dryRun: 'none' as const, timeout: 1_000 },
  ...{ onlyPrometheus: false, prometheus: undefined },
}

/** A Prometheus, and Istio's injection webhook. */
export function prometheus(name = 'prometheus'): KubeObject[] {
  const [object, pod] = workload(name, { namespace: 'istio-system', proxy: 'none' }) as [WorkloadObject, Pod]
  const server = {
    name: 'server',
    args: ['--config.file=/etc/config/prometheus.yml', '--storage.tsdb.path=/data'],
    volumeMounts: [{ name: 'config', mountPath: '/etc/config' }],
  }
  Object.assign(object.spec.template.spec, { containers: [server], volumes: [{ name: 'config', configMap: { name } }] })
  const metadata = { name, namespace: 'istio-system' }
  return [object, pod, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { 'prometheus.yml': SAMPLE } }]
}

const NAMESPACE = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'istio-system' } }
/** Istio's injection webhook. */
export const WEBHOOK: KubeObject = {
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'MutatingWebhookConfiguration',
  metadata: { name: 'istio', labels: { 'istio.io/rev': 'default' } },
  webhooks: [
    {
      name: 'object.sidecar-injector.istio.io',
      namespaceSelector: { matchExpressions: [{ key: 'istio-injection', operator: 'NotIn', values: ['disabled'] }] },
      objectSelector: { matchLabels: { 'sidecar.istio.io/inject': 'true' } },
    },
  ],
}

/** Pods that follow their template, and a Prometheus that scrapes them. */
export class ScrapedCluster extends RollingCluster {
  /** Faults by the name of a pod. */
  readonly targets = new Map<string, Partial<Target>>()
  readonly more: Target[] = []
  /** Ports of pods that answer in plaintext: `web-5d9f8-0:15090`. */
  readonly plaintextPorts = new Set<string>()
  readonly asked: string[] = []

  constructor(objects: KubeObject[]) {
    super([istiod(), NAMESPACE, WEBHOOK, ...prometheus(), ...objects])
    this.podAnswers = ({ name }, request) => this.#answer(name, request)
  }

  get pods(): Pod[] {
    return this.objects.filter((one) => one.kind === 'Pod') as Pod[]
  }

  /** Secures all workloads, and waits until the pods follow. */
  async secure(asked: Partial<Parameters<typeof scrapeWith>[1]> = {}): Promise<this> {
    await applyPrometheus(this, planPrometheus(await surveyPrometheus('istio-system/prometheus', this)), new Progress())
    await scrapeWith(undefined, { ...SCRAPE, ...asked }, fakeWorld(this, new FakeTerminal()))
    this.follow()
    this.writes.length = 0
    this.lists.length = 0
    return this
  }

  follow(): void {
    for (const [index, pod] of this.pods.entries()) {
      pod.status = Object.assign(pod.status ?? {}, { podIP: `10.0.0.${index}` })
      const owner = this.objects.find(
        ({ kind, metadata }) =>
          ['Deployment', 'StatefulSet', 'DaemonSet'].includes(kind) &&
          metadata.namespace === pod.metadata.namespace &&
          metadata.name === pod.metadata.labels?.app,
      ) as WorkloadObject | undefined
      pod.metadata.annotations = { ...pod.metadata.annotations, ...owner?.spec.template.metadata.annotations }
      if (pod.metadata.annotations[SECURE_PORT] === undefined) continue
      for (const port of [15090, 15020]) this.plaintextPorts.add(`${pod.metadata.name}:${port}`)
    }
  }

  /** The target of our job for a pod. */
  target(pod: Pod, change: Partial<Target> = {}): Target {
    const { podIP } = (pod.status ?? {}) as { podIP?: string }
    return {
      discoveredLabels: {},
      labels: {},
      scrapePool: SECURE_JOB,
      scrapeUrl: `https://${podIP}:${pod.metadata.annotations?.[SECURE_PORT]}/stats/prometheus`,
      lastError: '',
      lastScrape: '2026-11-21T11:59:59Z',
      health: 'up',
      ...change,
    }
  }

  #answer(name: string, { port, path }: PodRequest): PodAnswer {
    if (port !== 9090) {
      this.asked.push(`${name}:${port}`)
      return this.plaintextPorts.has(`${name}:${port}`) ? { status: 200, body: '' } : { failed: 'connection refused' }
    }
    if (path.endsWith('/query')) return { status: 200, body: JSON.stringify({ data: { result: [0, '0'] } }) }
    assert.match(path, /targets$/)
    const secured = this.pods.filter(({ metadata }) => metadata.annotations?.[SECURE_PORT] !== undefined)
    const activeTargets = secured.map((pod) => this.target(pod, this.targets.get(pod.metadata.name)))
    return { status: 200, body: JSON.stringify({ data: { activeTargets: [...activeTargets, ...this.more] } }) }
  }
}
