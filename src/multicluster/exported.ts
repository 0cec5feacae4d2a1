/** A service of one or more clusters that another cluster calls through their gateways: types only. */
import type { ObjectName } from '../cluster/cluster.ts'

/** What a calling cluster has of an exported service. All of it is read from that cluster's own objects. */
export interface ExportedService {
  /** The name by which it is called: `httpbin.bar.global`. */
  readonly host: string
  /** The Service in the serving clusters. */
  readonly service: Required<ObjectName>
  readonly ports: readonly ExportedPort[]
  /** The IP address to which the host resolves in the calling cluster: `240.0.0.2`. */
  readonly address: string
  /** Name of the calling cluster. */
  readonly to: string
  /** One for each serving cluster. */
  readonly from: readonly ExportedEndpoint[]
  /** The only namespace whose pods may call it; all namespaces when left out. */
  readonly into?: string
  /** SPIFFE ids that the answering pods may have. */
  readonly identities: readonly string[]
  /** Service of the egress gateway through which callers send. */
  readonly via?: Required<ObjectName>
  readonly subsets: readonly ExportedSubset[]
  readonly dns: 'coredns' | 'proxy' | 'none'
  /** Name and namespace of its ServiceEntry and its DestinationRule in the calling cluster. */
  readonly entry: Required<ObjectName>
}

export interface ExportedPort {
  readonly number: number
  /** As in the ServiceEntry: `http-8000`. */
  readonly name: string
  /** Istio's name: `HTTP`, `HTTP2`, `GRPC`, `TCP`, `TLS`, … */
  readonly protocol: string
  /** What callers send to the gateway: `outbound_.8000_._.httpbin.bar.svc.cluster.local`. */
  readonly sni: string
}

/** A gateway of a serving cluster, as callers reach it. */
export interface ExportedEndpoint {
  /** Name of the serving cluster. */
  readonly cluster: string
  /** IP address or host name. */
  readonly address: string
  readonly port: number
}

export interface ExportedSubset {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
}
