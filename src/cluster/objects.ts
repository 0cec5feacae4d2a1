/** The fields that we read of other people's objects. Shapes: Kubernetes API reference v1.34. */
import type { KubeObject, Metadata } from './cluster.ts'

export interface ServicePort {
  name?: string
  port: number
  targetPort?: number | string
  nodePort?: number
  protocol?: string
  appProtocol?: string
}

export interface Service extends KubeObject {
  spec: {
    type?: string
    selector?: Record<string, string>
    ports?: ServicePort[]
    externalIPs?: string[]
    externalTrafficPolicy?: string
    clusterIP?: string
  }
  status?: { loadBalancer?: { ingress?: { ip?: string; hostname?: string; ipMode?: string }[] } }
}

export interface Container {
  name: string
  image?: string
  command?: string[]
  args?: string[]
  env?: { name: string; value?: string; valueFrom?: object }[]
  envFrom?: object[]
  ports?: { name?: string; containerPort: number; hostPort?: number }[]
  volumeMounts?: { name: string; mountPath: string; readOnly?: boolean }[]
  startupProbe?: ContainerProbe
  readinessProbe?: ContainerProbe
  livenessProbe?: ContainerProbe
}

/** How the kubelet asks a container whether it is well. */
export interface ContainerProbe {
  httpGet?: { port?: number | string; scheme?: string }
}

export interface ContainerState {
  waiting?: { reason?: string; message?: string }
  terminated?: { reason?: string; exitCode: number; message?: string }
}

export interface ContainerStatus {
  name: string
  state?: ContainerState
  lastState?: ContainerState
}

export interface Pod extends KubeObject {
  spec: {
    containers: Container[]
    initContainers?: Container[]
    nodeName?: string
    serviceAccountName?: string
    hostNetwork?: boolean
    volumes?: {
      name: string
      configMap?: { name?: string }
      secret?: { secretName?: string }
      projected?: object
      emptyDir?: object
    }[]
  }
  status?: {
    phase?: string
    podIPs?: { ip: string }[]
    conditions?: { type: string; status: string; reason?: string; message?: string }[]
    initContainerStatuses?: ContainerStatus[]
    containerStatuses?: ContainerStatus[]
  }
}

export interface Deployment extends KubeObject {
  spec: { template: { metadata: Metadata; spec: Pod['spec'] } }
}

export interface EndpointSlice extends KubeObject {
  /** `null` without endpoints. */
  ports?: { name?: string; port?: number }[] | null
  endpoints?:
    | {
        conditions?: { ready?: boolean; terminating?: boolean }
        targetRef?: { kind?: string; name?: string }
      }[]
    | null
}

/** https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/: the fields of the core API. */
export interface Event extends KubeObject {
  reason?: string
  message?: string
  lastTimestamp?: string | null
  eventTime?: string | null
  series?: { lastObservedTime?: string }
}

export interface Node extends KubeObject {
  spec?: { unschedulable?: boolean }
  status?: {
    addresses?: { type: string; address: string }[]
    conditions?: { type: string; status: string }[]
  }
}

export interface Namespace extends KubeObject {
  status?: { phase?: string }
}

export interface Secret extends KubeObject {
  type?: string
  /** Base64. */
  data?: Record<string, string>
}

export interface ConfigMap extends KubeObject {
  data?: Record<string, string>
}

/** Whether an object is not being deleted. A deletion that has begun cannot be undone. */
export function isStaying({ metadata }: Pick<KubeObject, 'metadata'>): boolean {
  return metadata.deletionTimestamp === undefined
}

/** Whether a pod or a node reports Ready. */
export function isReady(object: Pod | Node): boolean {
  return (
    object.status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True') ?? false
  )
}

/** Whether no container of a pod will run any more. */
export function hasEnded({ status }: Pod): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed'
}

/** Labels as a list request wants them: `app=web,tier=front`. */
export function labelSelector(labels: Record<string, string>): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join()
}

/** Whether an object has all labels of a selector. An empty selector selects nothing, as in a Service. */
export function matchesSelector(
  object: Pick<KubeObject, 'metadata'>,
  selector: Record<string, string> | undefined,
): boolean {
  const wanted = Object.entries(selector ?? {})
  return wanted.length > 0 && wanted.every(([name, value]) => object.metadata.labels?.[name] === value)
}
