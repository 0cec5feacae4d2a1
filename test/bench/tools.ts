/** The forwards that are compared. Each makes a local port lead to the bench's server. */

export const NAMESPACE = 'bench-forward'
/** istioctl finds SkyWalking's page by this label, at this port, and it is the only one of its dashboards at the server's port. */
export const LABELS = { app: 'skywalking-ui' }
/** As Istio's sample of SkyWalking calls it: EndpointSlices of usual names are read beside the Services. */
export const SERVICE = 'tracing-ui'
export const PORT = 8080

export interface Tool {
  /** As it is chosen. */
  name: string
  /** As its column is headed. */
  title: string
  argv(port: number): string[]
  environment: NodeJS.ProcessEnv
}

const kubectlWords = (port: number) => [
  'kubectl',
  '-n',
  NAMESPACE,
  'port-forward',
  `service/${SERVICE}`,
  `${port}:${PORT}`,
]

/** The first is the one that the others are compared with. */
export const TOOLS: readonly Tool[] = [
  { name: 'kubectl', title: 'kubectl', argv: kubectlWords, environment: {} },
  {
    name: 'kubectl-spdy',
    title: 'kubectl, SPDY',
    argv: kubectlWords,
    environment: { KUBECTL_PORT_FORWARD_WEBSOCKETS: 'false' },
  },
  {
    name: 'istioctl',
    title: 'istioctl',
    // It ignores -n without a word; -i is what it looks into first.
    argv: (port) => ['istioctl', 'dashboard', 'skywalking', '-i', NAMESPACE, '--browser=false', '-p', String(port)],
    environment: {},
  },
  {
    name: 'telemetry',
    title: 'kubectl telemetry',
    argv: (port) => ['kubectl-telemetry', 'port-forward', 'tracing', '-n', NAMESPACE, '-p', String(port)],
    environment: {},
  },
]
