/** Meshes without add-ons, and runs of `addons` on them. */
import { outside, sampleFiles } from '../../src/adapters.ts'
import { uninstall } from '../../src/cleaning/uninstall.ts'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import { requireSamples } from '../../src/installing/catalog.ts'
import { install } from '../../src/installing/install.ts'
import type { InstallRequest } from '../../src/installing/plan.ts'
import type { InstallReport } from '../../src/installing/result.ts'
import { requireOrigin } from '../../src/installing/source/origin.ts'
import type { Outside } from '../../src/installing/source/source.ts'
import type { FakeCluster } from '../fakes/fake-cluster.ts'
import { FakeTerminal } from '../fakes/fake-terminal.ts'
import { fakeWorld } from '../fakes/fake-world.ts'
import { RollingCluster } from '../fakes/workloads.ts'

const STARTED = { observedGeneration: 1, replicas: 1, updatedReplicas: 1, availableReplicas: 1 }

export function deployment(
  namespace: string,
  name: string,
  image: string,
  labels: Record<string, string> = {},
): KubeObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace, labels },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec: { containers: [{ name, image }] } },
    },
    status: STARTED,
  }
}

export function istiod(version = '1.31.0', namespace = 'istio-system', revision = 'default'): KubeObject {
  const name = revision === 'default' ? 'istiod' : `istiod-${revision}`
  const labels = { app: 'istiod', 'istio.io/rev': revision }
  return deployment(namespace, name, `docker.io/istio/pilot:${version}`, labels)
}

export function namespace(name: string): KubeObject {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }
}

export function mesh(...more: KubeObject[]): RollingCluster {
  return new RollingCluster([istiod(), namespace('istio-system'), ...more])
}

/** One for all, which has read them once. */
export const SAMPLES = sampleFiles()

export function needsOf(cluster: FakeCluster, answers?: Record<string, unknown>) {
  return { ...fakeWorld(cluster, new FakeTerminal(answers)), samples: SAMPLES, outside: outside() }
}

export function installing(
  cluster: FakeCluster,
  words: string[] | undefined,
  request: Partial<InstallRequest> = {},
  answers?: Record<string, unknown>,
): Promise<InstallReport> {
  const samples = words === undefined ? undefined : requireSamples(words)
  const defaults = { samples, timeout: 30_000, yes: true, dryRun: 'none' } as const
  return install({ ...defaults, ...request }, needsOf(cluster, answers))
}

/** With `--from`. */
export function installingFrom(
  { cluster, outside: files }: { cluster: FakeCluster; outside: Outside },
  words: string[] | undefined,
  from: string,
  request: Partial<InstallRequest> = {},
): Promise<InstallReport> {
  const samples = words === undefined ? undefined : requireSamples(words)
  const defaults = { samples, from: requireOrigin(from), timeout: 30_000, yes: true, dryRun: 'none' } as const
  return install({ ...defaults, ...request }, { ...needsOf(cluster), outside: files })
}

export function uninstalling(cluster: FakeCluster, words: string[], namespaceOf?: string) {
  return uninstall(
    { samples: requireSamples(words), namespace: namespaceOf, yes: true, dryRun: 'none' },
    needsOf(cluster),
  )
}
