/** The connections to one API server and the credentials they were opened with, which may be replaced while a forward runs. */
import type { Socket } from 'node:net'
import type { KubeConfig } from '@kubernetes/client-node'
import {
  type Connection,
  type ConnectionOptions,
  openConnection,
  type Reached,
  sharedTransport,
  upgradesTo,
} from './connecting/kube-connection.ts'
import { now } from './kube-clock.ts'
import type { Peer } from './kube-errors.ts'
import { Http1Transport } from './kube-http1.ts'
import type { Transport } from './kube-transport.ts'

/** @param context that has to be current in it, whatever the file says by now */
export type ReadKubeConfig = (context?: string) => KubeConfig

/** Milliseconds for which a connection is taken for one that works. */
const NEW = 1_000

export class KubeConnections {
  readonly #read: ReadKubeConfig
  readonly #options: ConnectionOptions
  #config: KubeConfig
  #shared: Promise<Connection> | undefined
  #reconnected = Number.NEGATIVE_INFINITY
  #upgrades: Transport | undefined
  readonly #opening = new Set<Socket>()
  /** Whether the credentials have been accepted: then a refusal means that they have been replaced since. */
  #accepted = false

  constructor(read: ReadKubeConfig, options: ConnectionOptions) {
    this.#read = read
    this.#config = read()
    this.#options = { ...options, opening: this.#opening }
  }

  get server(): string {
    return this.#config.getCurrentCluster()?.server ?? ''
  }

  get namespace(): string {
    return this.#config.getContextObject(this.context)?.namespace ?? 'default'
  }

  get context(): string {
    return this.#config.getCurrentContext()
  }

  /** The one that requests share. Credentials are asked for once per run: an exec plugin may open a browser. */
  shared(): Promise<Connection> {
    this.#shared ??= openConnection(this.#config, this.#options)
    return this.#shared
  }

  /** When the shared one was left for another the last time. */
  get reconnected(): number {
    return this.#reconnected
  }

  /** What upgrades. */
  async upgrades(): Promise<Transport> {
    const { transport, tls } = await this.shared()
    if (transport instanceof Http1Transport) return transport
    this.#upgrades ??= upgradesTo(this.#reached(tls), this.#options)
    return this.#upgrades
  }

  async peer(): Promise<Peer> {
    const connection = await this.#shared?.catch(() => undefined)
    return { server: this.server, context: this.context, clientCertificate: connection?.clientCertificate }
  }

  /** Leaves the shared connection for a new one, with the same credentials, unless it is new itself. */
  reconnect(): void {
    const old = this.#shared
    if (now() - this.#reconnected < NEW) return
    this.#reconnected = now()
    this.#shared = old?.then((connection) => {
      void (connection.transport.leave?.() ?? connection.transport.destroy())
      return { ...connection, transport: sharedTransport(this.#reached(connection.tls), this.#options) }
    })
    this.#shared?.catch(() => {}) // whoever asked for it first is told
  }

  accepted(): void {
    this.#accepted = true
  }

  /**
   * Asks for credentials anew: tokens are replaced while a forward runs.
   * @returns false when these were never accepted: then new ones will not be either
   */
  async renew(): Promise<boolean> {
    if (!this.#accepted) return false
    this.#accepted = false
    const old = await this.#shared
    this.#config = this.#reread()
    this.#shared = undefined
    // What is still under way on them may end.
    void this.#upgrades?.close()
    this.#upgrades = undefined
    void old?.transport.close()
    return true
  }

  async close(): Promise<void> {
    const connection = await this.#shared?.catch(() => undefined)
    await connection?.transport.destroy()
    await this.#upgrades?.destroy()
    for (const socket of this.#opening) socket.destroy()
  }

  #reached(tls: object): Reached {
    return { server: this.server, proxy: this.#config.getCurrentCluster()?.proxyUrl, tls }
  }

  /** client-node keeps what an exec plugin once said without an end to it; files may have new credentials too. */
  #reread(): KubeConfig {
    try {
      const config = this.#read(this.context)
      return config.getCurrentCluster()?.server === this.server ? config : this.#config
    } catch {
      // It may be being written.
      return this.#config
    }
  }
}
