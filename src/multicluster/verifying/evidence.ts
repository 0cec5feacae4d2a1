/** What was seen of a call to one port, and words about it. Pure. */
import { sh } from '../../shell.ts'
import type { ExportedEndpoint, ExportedPort, ExportedService } from '../exported.ts'
import type { CallEnd } from './client.ts'
import type { ClusterTls, Counts, Endpoint, HeldCertificates } from './proxy-view.ts'
import type { Serving } from './serving.ts'

/** What was seen of a call to one port. */
export interface Evidence {
  readonly exported: ExportedService
  readonly port: ExportedPort
  /** `foo/sleep`, its pod and its context, for messages. */
  readonly caller: { readonly name: string; readonly namespace: string; readonly pod: string; readonly context: string }
  /** What was requested: `http://httpbin.bar.global:8000/`. */
  readonly url: string
  readonly call: CallEnd
  /** Of the caller's sidecar. */
  readonly sidecar: SidecarEvidence
  /** Looked at only if the call got no connection. */
  readonly serving: readonly Serving[]
  readonly contexts: ReadonlyMap<string, string>
  readonly now: Date
  /** Milliseconds of the reads of the sidecar, of the call, and of the look at the serving side. */
  readonly took: { readonly sidecar: number; readonly call: number; readonly serving: number }
}

export interface SidecarEvidence {
  /** `undefined`: it does not have the cluster. */
  readonly tls: ClusterTls | undefined
  /** Of the cluster, before the call. */
  readonly endpoints: readonly Endpoint[]
  /** During the call. */
  readonly grown: Counts
  readonly trust: HeldCertificates | undefined
}

/** Whether the serving side has to be looked at. */
export function needsServing({ sidecar, call }: Pick<Evidence, 'sidecar' | 'call'>): boolean {
  return sidecar.tls !== undefined && call.end !== 'unresolved' && !isConnected(sidecar)
}

/** Whether a connection with a finished handshake carried the call. */
export function isConnected({ grown }: SidecarEvidence): boolean {
  return grown.requests > 0
}

const HTTP = 'HTTP'

export function isHttp({ protocol }: Pick<ExportedPort, 'protocol'>): boolean {
  return protocol.toUpperCase() === HTTP
}

export function placeOf({ address, port }: ExportedEndpoint): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}

/** The command that brings an export up to date. @param flags more of them */
export function exportAgain({ exported, contexts }: Evidence, ...flags: string[]): string {
  const { service, from, to } = exported
  const serving = from.map(({ cluster }) => cluster)
  const roles = [...serving.flatMap((one) => ['--in', one]), '--to', to, ...flags]
  return sh`kubectl telemetry multicluster export ${service.name} -n ${service.namespace} ${roles} ${contextFlags([...serving, to], contexts)}`
}

/** `--context west=CONTEXT --context east=CONTEXT` */
export function contextFlags(clusters: readonly string[], contexts: Evidence['contexts']): string[] {
  return [...new Set(clusters)].flatMap((one) => {
    const context = contexts.get(one) ?? one
    return ['--context', context === one ? one : `${one}=${context}`]
  })
}
