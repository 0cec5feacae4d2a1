/** Services, pods and ConfigMaps of add-ons as Istio's samples and the charts make them, cut to the fields that matter. */
import { ADDONS, type Addon } from '../../src/addons/catalog.ts'
import type { ConfigMap, Container, Pod, Service, ServicePort } from '../../src/cluster/objects.ts'

/** @param title of the row, in any case: names are shared */
export function addon(title: string): Addon {
  const found = ADDONS.find((row) => row.title.toLowerCase() === title)
  if (found === undefined) throw new Error(`the catalogue has no ${title}`)
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
  return podOf(containers.map(container), volumes)
}

export function podOf(containers: Container[], volumes: Pod['spec']['volumes'] = []): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'istio-system', name: 'grafana-6c' },
    spec: { containers, volumes },
  }
}

export function configMap(data: Record<string, string>): ConfigMap {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace: 'istio-system', name: 'grafana' }, data }
}

function container(variables: Record<string, string>, index: number): Container {
  return { name: `container-${index}`, env: Object.entries(variables).map(([name, value]) => ({ name, value })) }
}
