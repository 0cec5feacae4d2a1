/** Objects that decide which requests are traced. */
import type { KubeObject } from '../../src/cluster/cluster.ts'
import type { ConfigMap } from '../../src/cluster/objects.ts'

export function meshOf(mesh: string, name = 'istio'): ConfigMap {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'istio-system' }, data: { mesh } }
}

export function telemetry(namespace: string, name: string, tracing: unknown[], more: object = {}): KubeObject {
  return {
    apiVersion: 'telemetry.istio.io/v1',
    kind: 'Telemetry',
    metadata: { name, namespace },
    spec: { tracing, ...more },
  }
}
