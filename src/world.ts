/** Interfaces to everything outside of the program. `adapters.ts` picks the implementations; tests use fakes. */
import type { AuthorityStore } from './certificates/authority-store.ts'
import type { TrustStores } from './certificates/trust-stores.ts'
import type { Cluster, Command, ObjectName, PodAnswer, ProgramEnd } from './cluster/cluster.ts'
import type { Prober } from './probing/prober.ts'
import type { Terminal } from './terminal/terminal.ts'
import type { Clock } from './time/clock.ts'

export interface Dependencies {
  cluster: Cluster
  terminal: Terminal
  authorities: AuthorityStore
  trustStores: TrustStores
  /** Roots of meshes of several clusters. */
  meshRoots: Pick<AuthorityStore, 'find' | 'keep' | 'certificatePath'>
  prober: Prober
  clock: Clock
  /** Name of this machine: `me@laptop`. */
  machine: string
  /** Unpredictable random bytes. */
  random(bytes: number): Uint8Array
  /** A new RSA private key, PKCS#8 PEM. @param bits 2048 by default */
  generateKey(bits?: number): Promise<string>
  /**
   * Writes a new file; never overwrites an existing one.
   * @param mode permissions: `0o600`
   * @throws UserError FILE_EXISTS, FILE_NOT_WRITTEN
   */
  writeFile(path: string, data: string | Uint8Array, mode: number): Promise<void>
  /**
   * Writes new files below a directory, which is made. Nothing is written if one of them exists.
   * @param files `path` is relative to the directory @returns the paths of the files
   * @throws UserError FILE_EXISTS, FILE_NOT_WRITTEN
   */
  writeFiles(directory: string, files: readonly { path: string[]; data: string; mode: number }[]): Promise<string[]>
}

/** A port of a pod, asked through a tunnel: it also reaches what listens only inside the pod. */
export interface InsideRequest {
  pod: Required<ObjectName>
  port: number
  path: string
  /** Milliseconds to wait for an answer. */
  timeout: number
}

/** Sends one request without TLS. @returns undefined without the permission to forward ports, or if the pod is gone */
export type AskInside = (request: InsideRequest, cluster: Cluster) => Promise<PodAnswer | undefined>

/** Which certificates a port of a pod serves, asked through a tunnel. */
export interface ChainRequest extends Omit<InsideRequest, 'path'> {
  /** SNI; none when left out. */
  serverName?: string
  /** ALPN; none when left out. */
  protocols?: readonly string[]
}

/** PEM, the server's own certificate first; or why there is none. */
export type ServedChain = { chain: string[] } | { failed: string }

/** @returns undefined without the permission to forward ports, or if the pod is gone */
export type ReadServedChain = (request: ChainRequest, cluster: Cluster) => Promise<ServedChain | undefined>

/** A name that a DNS server in a pod is asked for. */
export interface DnsQuestion extends Omit<InsideRequest, 'path'> {
  host: string
  family: 4 | 6
}

/** The addresses of the name; none where the server says that there are none. `failed`: why it gave no answer. */
export type DnsAnswer = { addresses: string[] } | { failed: string }

/** Asks by TCP through a tunnel. @returns undefined without the permission to forward ports, or if the pod is gone */
export type AskDns = (question: DnsQuestion, cluster: Cluster) => Promise<DnsAnswer | undefined>

/** A program in a container of a pod. */
export interface Program extends Command {
  pod: Required<ObjectName>
  /** Milliseconds until it must have ended. It is not killed: Kubernetes has no request for that. */
  timeout: number
  /** How many bytes of stdout and of stderr are kept; 64 KiB if left out. */
  largest?: number
}

/** @throws UserError FORBIDDEN, NOT_FOUND, REJECTED for a container that the pod does not have, CLUSTER_UNREACHABLE */
export type RunProgram = (program: Program, cluster: Cluster) => Promise<ProgramEnd>
