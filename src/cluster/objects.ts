/** The fields we read of objects that others own. Shapes: Kubernetes API reference v1.34. */
import type { KubeObject, Metadata } from './cluster.ts'

export interface ServicePort {
  name?: string
  port: number
  targetPort?: number | string
  nodePort?: number
  protocol?: string
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
  args?: string[]
  env?: { name: string; value?: string; valueFrom?: object }[]
  envFrom?: object[]
  ports?: { name?: string; containerPort: number }[]
  volumeMounts?: { name: string; mountPath: string; readOnly?: boolean }[]
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
  /** `null` while there is no endpoint. */
  ports?: { name?: string; port?: number }[] | null
  endpoints?:
    | {
        conditions?: { ready?: boolean; terminating?: boolean }
        targetRef?: { kind?: string; name?: string }
      }[]
    | null
}

export interface Node extends KubeObject {
  spec?: { unschedulable?: boolean }
  status?: {
    addresses?: { type: string; address: string }[]
    conditions?: { type: string; status: string }[]
  }
}

export interface Secret extends KubeObject {
  type?: string
  /** Base64. */
  data?: Record<string, string>
}

export interface ConfigMap extends KubeObject {
  data?: Record<string, string>
}

/** Whether a pod or a node reports Ready. */
export function isReady(object: Pod | Node): boolean {
  return (
    object.status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True') ?? false
  )
}

/** Whether every label of a selector is on the object. An empty selector selects nothing, as in a Service. */
export function matchesSelector(
  object: Pick<KubeObject, 'metadata'>,
  selector: Record<string, string> | undefined,
): boolean {
  const wanted = Object.entries(selector ?? {})
  return wanted.length > 0 && wanted.every(([name, value]) => object.metadata.labels?.[name] === value)
}
