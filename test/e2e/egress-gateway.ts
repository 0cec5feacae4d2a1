/** An egress gateway in a namespace of its own, as istiod injects it. */
import type { Workplace } from './mesh.ts'
import { meshNamespace } from './mesh-workloads.ts'

export const EGRESS = 'egress'
const NAME = 'istio-egressgateway'
export const EGRESS_SERVICE = `${EGRESS}/${NAME}`
const LABELS = { istio: 'egressgateway' }

export function egressGateway(): object[] {
  const metadata = { name: NAME, namespace: EGRESS }
  const resources = { requests: { cpu: '10m', memory: '64Mi' } }
  const container = { name: 'istio-proxy', image: 'auto', imagePullPolicy: 'IfNotPresent', resources }
  const template = {
    metadata: {
      labels: { ...LABELS, 'sidecar.istio.io/inject': 'true' },
      annotations: { 'inject.istio.io/templates': 'gateway' },
    },
    spec: { terminationGracePeriodSeconds: 0, containers: [container] },
  }
  return [
    ...meshNamespace(EGRESS),
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata,
      spec: { selector: { matchLabels: LABELS }, template },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: { selector: LABELS, ports: [{ name: 'https', port: 443, targetPort: 8443 }] },
    },
  ]
}

/** How many connections it has passed on to gateways of exported services. */
export function passedConnections(workplace: Workplace): number {
  const words = ['-n', EGRESS, 'exec', `deploy/${NAME}`, '--', 'pilot-agent', 'request', 'GET', 'clusters']
  const counts = workplace.kubectl(...words).matchAll(/\.egress\.kubectl-telemetry\.internal::\S+::cx_total::(\d+)/g)
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0)
}

/** Ends its pod, or starts one, and waits for that. */
export function scaleEgress(workplace: Workplace, replicas: 0 | 1): void {
  workplace.kubectl('-n', EGRESS, 'scale', `deploy/${NAME}`, `--replicas=${replicas}`)
  workplace.kubectl('-n', EGRESS, 'rollout', 'status', `deploy/${NAME}`, '--timeout=85s')
}
