/** Two connected clusters: httpbin in bar, and sleep in foo, each with a gateway, CoreDNS and a record of its name. */
import type { KubeObject } from '../../../src/cluster/cluster.ts'
import { type CleanupResult, cleanupExports } from '../../../src/multicluster/exporting/cleanup.ts'
import { namesIn } from '../../../src/multicluster/exporting/dns/corefile.ts'
import { exportService } from '../../../src/multicluster/exporting/export.ts'
import type { ExportRequest } from '../../../src/multicluster/exporting/request.ts'
import type { ExportReport } from '../../../src/multicluster/exporting/result.ts'
import { type RecordedGateway, recordObject } from '../../../src/multicluster/record.ts'
import type { DnsAnswer } from '../../../src/world.ts'
import type { FakeCluster } from '../../fakes/fake-cluster.ts'
import { FakeTerminal } from '../../fakes/fake-terminal.ts'
import { FakeClock } from '../../fakes/fake-world.ts'
import { ingressGateway, service } from '../../fakes/mesh.ts'
import { istiod, RollingCluster, workload } from '../../fakes/workloads.ts'

export const COREFILE = `.:53 {
    errors
    health
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure
    }
    reload
    loop
}
`

export const GATEWAY: RecordedGateway = { namespace: 'istio-system', service: 'istio-ingressgateway', port: 15443 }

export interface ExportWorld {
  west: FakeCluster
  east: FakeCluster
  terminal: FakeTerminal
  clock: FakeClock
}

export function configMap(namespace: string, name: string, data: Record<string, string>): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data }
}

/** A cluster as `connect` leaves it. @param address of its load balancer */
export function connected(name: string, address: string, more: KubeObject[] = []): KubeObject[] {
  const [gateway, pod] = ingressGateway('istio-system', 'istio-ingressgateway', [{ ip: address }]) as [
    KubeObject,
    KubeObject,
  ]
  const spec = gateway.spec as { ports: object[] }
  const ports = [...spec.ports, { name: 'tls-multicluster', port: 15443, targetPort: 15443, nodePort: 31543 }]
  return structuredClone([
    istiod(),
    configMap('istio-system', 'istio', { mesh: `trustDomain: ${name}.example\n` }),
    recordObject({ name, gateway: GATEWAY }, 'istio-system'),
    { ...gateway, spec: { ...spec, ports, clusterIP: '10.90.0.7' } },
    pod,
    configMap('kube-system', 'coredns', { Corefile: COREFILE }),
    corednsPod(),
    ...['istio-system', 'bar', 'foo', 'kube-system'].map(
      (one): KubeObject => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: one } }),
    ),
    ...more,
  ])
}

function corednsPod(): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'coredns-1', namespace: 'kube-system', labels: { 'k8s-app': 'kube-dns' } },
    spec: { containers: [{ name: 'coredns' }] },
    status: { conditions: [{ type: 'Ready', status: 'True' }] },
  }
}

export const PORTS = [
  { name: 'http', port: 8000, targetPort: 8080 },
  { name: 'tcp-wire', port: 9000, targetPort: 9000 },
]

/** httpbin in bar, with a sidecar and a service account of its own. */
export function httpbin(ports: object[] = PORTS, proxy: 'native' | 'none' = 'native'): KubeObject[] {
  const template = { labels: { version: 'v1' } }
  return [
    service('bar', 'httpbin', {}, { selector: { app: 'httpbin' }, ports, clusterIP: '10.90.0.8' }),
    ...workload('httpbin', { namespace: 'bar', proxy, template, podSpec: { serviceAccountName: 'httpbin' } }),
  ]
}

export function sleep(namespace = 'foo'): KubeObject[] {
  return workload('sleep', { namespace, podSpec: { serviceAccountName: 'sleep' } })
}

export function exportWorld(
  west = connected('west', '192.0.2.10', httpbin()),
  east = connected('east', '192.0.2.20', sleep()),
  answers?: Record<string, unknown>,
): ExportWorld {
  return {
    west: new RollingCluster(west),
    east: new RollingCluster(east),
    terminal: new FakeTerminal(answers),
    clock: new FakeClock(),
  }
}

export const REQUEST: ExportRequest = {
  service: { name: 'httpbin', namespace: 'bar' },
  in: ['west'],
  suffix: 'global',
  dns: 'auto',
  timeout: 60_000,
  yes: true,
  dryRun: 'none',
}

export const members = ({ west, east }: Pick<ExportWorld, 'west' | 'east'>) => [
  { name: 'west', cluster: west },
  { name: 'east', cluster: east },
]

/** CoreDNS that has read its file at once. */
function answerOf(cluster: FakeCluster, host: string): DnsAnswer {
  const map = cluster.objects.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === 'coredns')
  const address = namesIn((map?.data as Record<string, string>).Corefile ?? '')[host]
  return { addresses: address === undefined ? [] : [address] }
}

/** A call that arrived. */
const HOPS = (['name', 'sidecar', 'gateway', 'identity', 'call'] as const).map((hop) => ({
  port: 8000,
  hop,
  ok: true,
  milliseconds: 2,
  text: `the ${hop} is right`,
}))

export function exporting(world: ExportWorld, request: Partial<ExportRequest> = {}): Promise<ExportReport> {
  const askDns = async ({ host }: { host: string }) => answersIn(world, host)
  const callOnce = async ({ to }: { to: string }) => ({ to, from: 'foo/sleep', hops: HOPS, problems: [] })
  return exportService({ ...REQUEST, ...request }, members(world), { ...world, askDns, callOnce })
}

/** The answer of whichever cluster knows the host. */
export function answersIn({ west, east }: ExportWorld, host: string): DnsAnswer {
  const answers = [west, east].map((one) => answerOf(one, host))
  return answers.find((one) => 'addresses' in one && one.addresses.length > 0) ?? { addresses: [] }
}

/** None of the tests here has killed a run of verify. */
const leftPods = async () => []

export function cleaning(world: ExportWorld, ...hosts: string[]): Promise<CleanupResult> {
  return cleanupExports({ hosts, timeout: 60_000, yes: true, dryRun: 'none' }, members(world), { ...world, leftPods })
}

/** What is in a cluster, without what the API server counts. */
export function state({ objects }: FakeCluster): unknown[] {
  return objects
    .map(({ metadata, status: _, ...rest }) => {
      const { uid: _u, resourceVersion: _r, generation: _g, labels, annotations, managedFields, ...kept } = metadata
      const filled = (map: object | undefined) => (Object.keys(map ?? {}).length === 0 ? undefined : map)
      return JSON.stringify({
        ...rest,
        metadata: {
          ...kept,
          labels: filled(labels),
          annotations: filled(annotations),
          managedFields: filled(managedFields),
        },
      })
    })
    .sort()
}

export function objectsOf({ objects }: FakeCluster, kind: string): KubeObject[] {
  return objects.filter((one) => one.kind === kind && one.metadata.name.startsWith('kubectl-telemetry'))
}

export function corefileOf({ objects }: FakeCluster): string {
  const map = objects.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === 'coredns')
  return (map?.data as Record<string, string>).Corefile ?? ''
}
