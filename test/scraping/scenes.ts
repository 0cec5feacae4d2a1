/** Workloads and the objects around them, for tests of planners. */
import type { Wanted } from '../../src/changes/changes.ts'
import type { KubeObject } from '../../src/cluster/cluster.ts'
import type { Pod, Service } from '../../src/cluster/objects.ts'
import { DEPLOYMENTS } from '../../src/cluster/resources.ts'
import type { PlanResult, Scene } from '../../src/scraping/methods/planner.ts'
import type { Workload } from '../../src/scraping/workload.ts'

export const NAMESPACE = 'shop'
type Labels = Record<string, string>

export interface WorkloadSettings {
  labels?: Labels
  selector?: Labels
  annotations?: Labels
  containers?: Pod['spec']['containers']
  namespace?: string
  proxy?: Workload['proxy']
}

/** A Deployment `web`. */
export function workload(settings: WorkloadSettings = {}): Workload {
  const { labels = { app: 'web' }, selector = { app: 'web' }, annotations = {}, namespace = NAMESPACE } = settings
  const { containers = [{ name: 'app', ports: [{ name: 'web', containerPort: 8080 }] }], proxy = 'sidecar' } = settings
  const template = { metadata: { name: '', labels, annotations }, spec: { containers } }
  const object = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace },
    spec: { selector: { matchLabels: selector }, template },
  }
  return { resource: DEPLOYMENTS, object, proxy, istio: '1.30.0', pods: 1 }
}

export function podOf(labels: Labels, more: object = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'pod', namespace: NAMESPACE, labels },
    spec: { containers: [] },
    ...more,
  }
}

/** @param at the time of creation, by which Istio chooses */
export function meshObject(
  kind: string,
  name: string,
  spec: object,
  { namespace = NAMESPACE, at = '2026-01-01T00:00:00Z', labels = {} } = {},
): KubeObject {
  return { apiVersion: 'v1', kind, metadata: { name, namespace, labels, creationTimestamp: at }, spec }
}

export function service(name: string, ports: object[], at?: string, selector: Labels = { app: 'web' }): Service {
  return meshObject('Service', name, { selector, ports }, at === undefined ? {} : { at }) as Service
}

export function scene(settings: Partial<Scene> = {}): Scene {
  return {
    options: { harden: false },
    istioVersion: 'v1',
    pods: [],
    neighbours: [],
    services: [service('web', [{ name: 'http', port: 80, targetPort: 'web' }])],
    rootNamespace: 'istio-system',
    injector: undefined,
    objects: [],
    ...settings,
  }
}

export function writingsOf(planned: PlanResult): Wanted[] {
  if ('skip' in planned) throw new Error(planned.skip.reason)
  return planned.writings
}

export function skipOf(planned: PlanResult): string | undefined {
  return 'skip' in planned ? planned.skip.code : undefined
}

export function specOf(planned: PlanResult, kind: string): Record<string, unknown> {
  const found = writingsOf(planned).find(({ manifest }) => manifest.kind === kind)
  if (found === undefined) throw new Error(`no ${kind} is written`)
  return found.manifest.spec as Record<string, unknown>
}
