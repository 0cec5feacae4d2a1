/** Workloads to scrape, a client with a certificate of the mesh, and requests to them. */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { insideNamespace } from '../lab/network.ts'
import type { Workplace } from './mesh.ts'

const HTTPBIN = 'docker.io/mccutchen/go-httpbin:2.26.0'
const PROMETHEUS = 'docker.io/prom/prometheus:v3.10.0'

/** A container with a web server on port 8080. */
const httpbin = {
  name: 'httpbin',
  image: HTTPBIN,
  imagePullPolicy: 'IfNotPresent',
  ports: [{ name: 'web', containerPort: 8080 }],
}

/** A container with its own metrics: `prometheus_build_info` on port 9090. */
const withMetrics = {
  name: 'app',
  image: PROMETHEUS,
  imagePullPolicy: 'IfNotPresent',
  args: ['--config.file=/dev/null', '--storage.tsdb.path=/tmp/data', '--web.listen-address=:9090'],
  ports: [{ name: 'http-app', containerPort: 9090 }],
}

/** Annotations for Prometheus, and an HTTP probe, which the injector redirects to the agent. */
const annotations = { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '9090', 'prometheus.io/path': '/metrics' }
const readinessProbe = { httpGet: { path: '/status/200', port: 8080 }, periodSeconds: 2 }

function workload(
  kind: string,
  namespace: string,
  name: string,
  pod: { containers: object[]; annotations?: object },
  more = {},
): object {
  const labels = { app: name }
  const spec = { terminationGracePeriodSeconds: 1, containers: pod.containers }
  const template = { metadata: { labels, annotations: pod.annotations ?? {} }, spec }
  return {
    apiVersion: 'apps/v1',
    kind,
    metadata: { name, namespace },
    spec: { replicas: 1, selector: { matchLabels: labels }, template, ...more },
  }
}

function service(namespace: string, name: string, ports: object[], more = {}): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace },
    spec: { selector: { app: name }, ports, ...more },
  }
}

/**
 * `shop`: two Service ports, one with a named target port, and its own metrics. `till`: ports with a protocol name, and ports whose
 * protocol Istio has to detect. `vault`: a StatefulSet behind a headless Service.
 */
export function shop(namespace: string): object[] {
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels: { 'istio-injection': 'enabled' } } },
    workload('Deployment', namespace, 'shop', {
      containers: [{ ...httpbin, readinessProbe }, withMetrics],
      annotations,
    }),
    service(namespace, 'shop', [
      { name: 'http', port: 8000, targetPort: 'web' },
      { name: 'http-metrics', port: 9090 },
    ]),
    workload('Deployment', namespace, 'till', { containers: [httpbin] }),
    service(namespace, 'till', [
      { name: 'unknown', port: 8000, targetPort: 8080 },
      { name: 'tcp-raw', port: 9001 },
      { name: 'tls-raw', port: 9002 },
      { name: 'grpc-calls', port: 9003 },
      { name: 'said', port: 9004, appProtocol: 'http2' },
      { name: 'dns', port: 53, protocol: 'UDP' },
      { name: 'dns-tcp', port: 53, protocol: 'TCP' },
    ]),
    service(namespace, 'till-again', [{ port: 80, targetPort: 8080 }], { selector: { app: 'till' } }),
    workload('StatefulSet', namespace, 'vault', { containers: [httpbin] }, { serviceName: 'vault' }),
    service(namespace, 'vault', [{ name: 'http', port: 8080 }], { clusterIP: 'None' }),
  ]
}

/** A pod of the mesh like Prometheus: its proxy captures no traffic, and writes the certificate to a file. */
export function scraper(namespace: string): object[] {
  const mount = { name: 'istio-certs', mountPath: '/etc/istio-certs' }
  const pod = {
    containers: [{ ...httpbin, volumeMounts: [mount] }],
    annotations: {
      'traffic.sidecar.istio.io/includeInboundPorts': '',
      'traffic.sidecar.istio.io/includeOutboundIPRanges': '',
      'proxy.istio.io/config': 'proxyMetadata:\n  OUTPUT_CERTS: /etc/istio-certs\n',
      'sidecar.istio.io/userVolumeMount': JSON.stringify([mount]),
    },
  }
  const made = workload('Deployment', namespace, 'scraper', pod) as {
    spec: { template: { spec: { volumes?: object[] } } }
  }
  made.spec.template.spec.volumes = [{ name: mount.name, emptyDir: {} }]
  return [made]
}

export interface Certificate {
  cert: string
  key: string
  cacert: string
}

/** The scraper's certificate, as files on this machine. */
export async function certificateOf(workplace: Workplace, namespace: string): Promise<Certificate> {
  const read = (name: string) => {
    const words = [
      '-n',
      namespace,
      'exec',
      'deploy/scraper',
      '-c',
      'httpbin',
      '--',
      'cat',
      `/etc/istio-certs/${name}.pem`,
    ]
    const { stdout, exitCode } = workplace.run('kubectl', words)
    if (exitCode !== 0 || stdout === '') return undefined
    const file = join(workplace.directory, `${name}.pem`)
    writeFileSync(file, stdout, { mode: 0o600 })
    return file
  }
  for (let attempt = 0; attempt < 100; attempt++) {
    const [cert, key, cacert] = ['cert-chain', 'key', 'root-cert'].map(read)
    if (cert !== undefined && key !== undefined && cacert !== undefined) return { cert, key, cacert }
    await sleep(300)
  }
  throw new Error('the scraper has no certificate')
}

export interface Answer {
  /** 0 without an answer. */
  status: number
  body: string
}

/** One request by curl from inside the node, over a new connection. Like Prometheus, curl offers h2 and http/1.1. */
export function ask(url: string, certificate?: Certificate, ...more: string[]): Answer {
  const own =
    certificate === undefined ? [] : Object.entries(certificate).flatMap(([name, file]) => [`--${name}`, file])
  const words = ['curl', '-sk', '--max-time', '5', '-w', '\n%{http_code}', ...own, ...more, url]
  const [program, ...rest] = insideNamespace(words)
  const { stdout } = spawnSync(program, rest, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
  const end = stdout.lastIndexOf('\n')
  return { status: Number(stdout.slice(end + 1)), body: stdout.slice(0, end) }
}

/** Repeats a request until it has the wanted status. @returns the last status, also after the last attempt */
export async function awaitStatus(wanted: number, once: () => Answer): Promise<number> {
  let status = once().status
  for (let attempt = 0; status !== wanted && attempt < 60; attempt++) {
    await sleep(250)
    status = once().status
  }
  return status
}

/** Waits until every workload of the namespace runs its current template, and no old pod is left. */
export function waitForRestarts(workplace: Workplace, namespace: string): void {
  const names = workplace.kubectl('-n', namespace, 'get', 'deployments,statefulsets', '-o', 'name').trim().split('\n')
  for (const name of names) workplace.kubectl('-n', namespace, 'rollout', 'status', name, '--timeout=85s')
  const leaving = workplace
    .kubectl(
      '-n',
      namespace,
      'get',
      'pods',
      '-o',
      'jsonpath={range .items[?(@.metadata.deletionTimestamp)]}{.metadata.name} {end}',
    )
    .trim()
  if (leaving !== '')
    workplace.kubectl(
      '-n',
      namespace,
      'wait',
      '--for=delete',
      ...leaving.split(' ').map((pod) => `pod/${pod}`),
      '--timeout=60s',
    )
}

/** The addresses of a workload's pods. */
export function addresses(workplace: Workplace, namespace: string, app: string): string[] {
  const { items } = JSON.parse(workplace.kubectl('-n', namespace, 'get', 'pods', '-l', `app=${app}`, '-o', 'json')) as {
    items: { metadata: KubeObject['metadata']; status: { podIP: string } }[]
  }
  return items.filter(({ metadata }) => metadata.deletionTimestamp === undefined).map(({ status }) => status.podIP)
}
