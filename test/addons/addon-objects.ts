/** Services, pods and ConfigMaps of Grafana as Istio's sample and the charts make them, cut to the fields that matter. */
import { ADDONS, type Addon } from '../../src/addons/catalog.ts'
import type { ConfigMap, Container, Pod, Service, ServicePort } from '../../src/cluster/objects.ts'

export function addon(name: string): Addon {
  const found = ADDONS.find((row) => row.name === name)
  if (found === undefined) throw new Error(`the catalogue has no ${name}`)
  return found
}

export function service(namespace: string, labels: Record<string, string>, ports: ServicePort[]): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace, name: 'grafana', labels },
    spec: { type: 'ClusterIP', selector: labels, ports },
  }
}

/** @param containers environment variables of each container, in order */
export function pod(containers: Record<string, string>[], volumes: Pod['spec']['volumes'] = []): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'istio-system', name: 'grafana-6c' },
    spec: { containers: containers.map(container), volumes },
  }
}

export function configMap(data: Record<string, string>): ConfigMap {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace: 'istio-system', name: 'grafana' }, data }
}

function container(variables: Record<string, string>, index: number): Container {
  return { name: `container-${index}`, env: Object.entries(variables).map(([name, value]) => ({ name, value })) }
}
