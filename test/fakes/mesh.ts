/** Objects as `istioctl install` and Istio's sample add-ons leave them, less what nobody reads. */
import type { KubeObject } from '../../src/cluster/cluster.ts'

type Labels = Record<string, string>

export function service(
  namespace: string,
  name: string,
  labels: Labels,
  spec: object,
  status: object = {},
): KubeObject {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace, labels }, spec, status }
}

export function pod(namespace: string, name: string, labels: Labels, container: object, ready = true): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels },
    spec: { serviceAccountName: name, nodeName: 'node-1', containers: [container] },
    status: { conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
  }
}

export function node(name: string, addresses: { type: string; address: string }[]): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name },
    status: { addresses, conditions: [{ type: 'Ready', status: 'True' }] },
  }
}

const GRAFANA_LABELS = { 'app.kubernetes.io/name': 'grafana', 'app.kubernetes.io/instance': 'grafana' }

/** @param environment of the container; the sample add-on lets anyone in as Admin */
export function grafana(
  namespace = 'istio-system',
  environment: Labels = { GF_AUTH_ANONYMOUS_ENABLED: 'true', GF_AUTH_ANONYMOUS_ORG_ROLE: 'Admin' },
): KubeObject[] {
  const env = Object.entries(environment).map(([name, value]) => ({ name, value }))
  const ports = [{ name: 'service', port: 3000, targetPort: 3000 }]
  return [
    service(namespace, 'grafana', GRAFANA_LABELS, { type: 'ClusterIP', selector: GRAFANA_LABELS, ports }),
    pod(namespace, 'grafana-abc', GRAFANA_LABELS, { name: 'grafana', env }),
  ]
}

export function ingressGateway(
  namespace = 'istio-system',
  name = 'istio-ingressgateway',
  ingress: object[] = [{ ip: '192.0.2.10' }],
): KubeObject[] {
  const labels = { app: name, istio: name.replace(/^istio-/, '') }
  const ports = [
    { name: 'status-port', port: 15021, nodePort: 31021 },
    { name: 'http2', port: 80, targetPort: 8080, nodePort: 31080 },
    { name: 'https', port: 443, targetPort: 8443, nodePort: 31443 },
  ]
  return [
    service(namespace, name, labels, { type: 'LoadBalancer', selector: labels, ports }, { loadBalancer: { ingress } }),
    pod(namespace, `${name}-xyz`, labels, { name: 'istio-proxy', args: ['proxy', 'router', '--domain', 'x'] }),
  ]
}
