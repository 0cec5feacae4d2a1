/** Services, pods and ConfigMaps of add-ons as in Istio's samples and the charts, cut to the fields that matter. */
import type { Addon } from '../../src/addons/addon.ts'
import { ADDONS } from '../../src/addons/catalog.ts'
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

/** Mounts the ConfigMap of `configMap` where each add-on has its configuration. @param containers environment variables of each, in order */
export function pod(containers: Record<string, string>[]): Pod {
  return podOf(containers.map(container))
}

const CONFIG: NonNullable<Pod['spec']['volumes']> = [{ name: 'config', configMap: { name: 'grafana' } }]
const MOUNTS = ['/etc/grafana', '/kiali-configuration', '/jaeger-configuration'].map((mountPath) => ({
  name: 'config',
  mountPath,
}))

/** @param volumes `config` is mounted in each container without mounts of its own */
export function podOf(containers: Container[], volumes: Pod['spec']['volumes'] = CONFIG): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'istio-system', name: 'grafana-6c' },
    spec: { containers: containers.map((one) => ({ volumeMounts: MOUNTS, ...one })), volumes },
  }
}

export function configMap(data: Record<string, string>): ConfigMap {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace: 'istio-system', name: 'grafana' }, data }
}

function container(variables: Record<string, string>, index: number): Container {
  return { name: `container-${index}`, env: Object.entries(variables).map(([name, value]) => ({ name, value })) }
}
