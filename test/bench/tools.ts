/** The compared tools. Each forwards a local port to the bench's server. */

export const NAMESPACE = 'bench-forward'
/** istioctl finds SkyWalking's page by this label and port. It is its only dashboard with the server's port. */
export const LABELS = { app: 'skywalking-ui' }
/** The name in Istio's sample of SkyWalking: EndpointSlices of usual names are read at the same time as the Services. */
export const SERVICE = 'tracing-ui'
export const PORT = 8080

export interface Tool {
  /** Name in options. */
  name: string
  /** Title of the column. */
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

/** All others are compared with the first. */
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
    // It silently ignores -n, and searches the namespace of -i first.
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
