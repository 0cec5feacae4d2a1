import type { KubeObject, Resource } from '../cluster/cluster.ts'
import { MULTICLUSTER, ownedLabels } from '../cluster/ownership.ts'
import { typeOf } from '../cluster/resources.ts'

/** A port of an exported service, as a caller sends to it. */
export interface CalledPort {
  number: number
  /** The server name in the serving cluster: `outbound_.8000_._.httpbin.bar.svc.cluster.local`. */
  sni: string
}

export interface CallingRequest {
  name: string
  namespace: string
  host: string
  /** Only for the namespace of the rule. */
  isPrivate: boolean
  ports: readonly CalledPort[]
  /** SPIFFE ids of which the answering pod has one. */
  identities: readonly string[]
  /** Whether another endpoint takes the calls of one that does not answer. */
  failsOver: boolean
  subsets: readonly { name: string; labels: Readonly<Record<string, string>>; ports: readonly CalledPort[] }[]
}

/**
 * How callers send to a service of another cluster. Without it a sidecar sends plaintext to an endpoint of a ServiceEntry. Each port has a
 * server name of its own, and settings of a port are all that apply to it, so each of them is whole. A subset that named one port would
 * inherit the server names of the others without the subset (tried).
 * https://istio.io/latest/docs/reference/config/networking/destination-rule/
 */
export function callingRule(resource: Resource, request: CallingRequest): KubeObject {
  const { name, namespace, host, isPrivate, subsets } = request
  return {
    ...typeOf(resource),
    metadata: { name, namespace, labels: ownedLabels(MULTICLUSTER) },
    spec: {
      host,
      ...(isPrivate ? { exportTo: ['.'] } : {}),
      trafficPolicy: policyFor(request.ports, request),
      ...(subsets.length === 0
        ? {}
        : {
            subsets: subsets.map(({ name: subset, labels, ports }) => ({
              name: subset,
              ...(Object.keys(labels).length === 0 ? {} : { labels }),
              trafficPolicy: policyFor(ports, request),
            })),
          }),
    },
  }
}

/**
 * A gateway without a pod to pass calls on to resets connections, which count as errors of its address. Where no address is left, all are
 * tried again (`minHealthPercent`): one of them may work since.
 */
const OUTLIERS = {
  consecutive5xxErrors: 3,
  consecutiveGatewayErrors: 3,
  interval: '5s',
  baseEjectionTime: '15s',
  maxEjectionPercent: 100,
  minHealthPercent: 1,
}

function policyFor(ports: readonly CalledPort[], { identities, failsOver }: CallingRequest): object {
  return {
    portLevelSettings: ports.map(({ number, sni }) => ({
      port: { number },
      tls: { mode: 'ISTIO_MUTUAL', sni, subjectAltNames: [...identities] },
      ...(failsOver ? { outlierDetection: OUTLIERS } : {}),
    })),
  }
}

/**
 * The subsets of an exported service, for the gateway of its cluster, which has a chain for each of them. Only for the gateway's namespace:
 * nothing changes for the cluster's own callers.
 */
export function servingRule(
  resource: Resource,
  { name, namespace, host }: { name: string; namespace: string; host: string },
  subsets: readonly { name: string; labels: Readonly<Record<string, string>> }[],
): KubeObject {
  return {
    ...typeOf(resource),
    metadata: { name, namespace, labels: ownedLabels(MULTICLUSTER) },
    spec: { host, exportTo: ['.'], subsets: subsets.map(({ name: subset, labels }) => ({ name: subset, labels })) },
  }
}
