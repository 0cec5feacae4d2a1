/** The connections to one API server and their credentials, which may be renewed while a forward runs. */
import type { Socket } from 'node:net'
import {
  type Connection,
  type ConnectionOptions,
  openConnection,
  sharedTransport,
  upgradeTransport,
} from './connecting/kube-connection.ts'
import { now } from './kube-clock.ts'
import type { Peer } from './kube-errors.ts'
import { Http1Transport } from './kube-http1.ts'
import type { Transport } from './kube-transport.ts'
import { type KubeConfig, verifierOf } from './kubeconfig/kube-config.ts'

/** @param context overrides the current context of the file */
export type ReadKubeConfig = (context?: string) => KubeConfig

/** Milliseconds for which a new connection is not replaced. */
const NEW = 1_000

export class KubeConnections {
  readonly #read: ReadKubeConfig
  readonly #options: ConnectionOptions
  #config: KubeConfig
  #shared: Promise<Connection> | undefined
  #reconnected = Number.NEGATIVE_INFINITY
  /** When the credentials end, in milliseconds since 1970. */
  #expires = Number.POSITIVE_INFINITY
  #upgrades: Promise<Transport> | undefined
  readonly #opening = new Set<Socket>()
  /** Whether the credentials have been accepted before: then a refusal means that they have expired or been replaced. */
  #accepted = false
  /** Whether a plugin ran a second time since then. */
  #askedAgain = false

  constructor(read: ReadKubeConfig, options: ConnectionOptions) {
    this.#read = read
    this.#config = read()
    this.#options = { ...options, opening: this.#opening }
  }

  /** Without user and password, which no page may show. */
  get server(): string {
    return this.#config.server
  }

  get verifiedBy(): string {
    return verifierOf(this.#config) ?? this.server
  }

  get namespace(): string {
    return this.#config.namespace
  }

  get context(): string {
    return this.#config.context
  }

  /** The connection that requests share. Credentials are read once, because a plugin may open a browser, and again when they have expired. */
  shared(): Promise<Connection> {
    if (Date.now() > this.#expires) this.#replace(this.#shared)
    this.#shared ??= this.#open()
    return this.#shared
  }

  async #open(): Promise<Connection> {
    const connection = await openConnection(this.#config, this.#options)
    const { expires = Number.POSITIVE_INFINITY } = connection.credentials
    // Those that have expired when they come would be asked for without an end.
    this.#expires = expires > Date.now() ? expires : Number.POSITIVE_INFINITY
    return connection
  }

  /** When the shared connection was last replaced. */
  get reconnected(): number {
    return this.#reconnected
  }

  /** The transport for upgrades. */
  async upgrades(): Promise<Transport> {
    const connection = await this.shared()
    const { transport, endpoint } = connection
    if (transport instanceof Http1Transport) return transport
    this.#upgrades ??= upgradeTransport(endpoint, this.#options)
    return this.#upgrades
  }

  async peer(): Promise<Peer> {
    const connection = await this.#shared?.catch(() => undefined)
    return { server: this.server, context: this.context, clientCertificate: connection?.credentials.certificate }
  }

  /** Replaces the shared connection by a new one with the same credentials, unless it is new itself. */
  reconnect(): void {
    const old = this.#shared
    if (now() - this.#reconnected < NEW) return
    this.#reconnected = now()
    this.#shared = old?.then(async (connection) => {
      void (connection.transport.leave?.() ?? connection.transport.destroy())
      return { ...connection, transport: await sharedTransport(connection.endpoint, this.#options) }
    })
    this.#shared?.catch(() => {}) // the first caller handles it
  }

  accepted(): void {
    this.#accepted = true
    this.#askedAgain = false
  }

  /**
   * Reads the credentials again: tokens expire while a forward runs, and a plugin may keep a token for too long.
   * @returns false when the credentials were never accepted: then new ones will not be accepted either
   */
  async renew(): Promise<boolean> {
    const old = this.#shared
    const { ofPlugin = false } = (await old)?.credentials ?? {}
    if (!this.#accepted && (!ofPlugin || this.#askedAgain)) return false
    this.#accepted = false
    this.#askedAgain = true
    if (this.#shared === old) this.#replace(old)
    return true
  }

  #replace(old: Promise<Connection> | undefined): void {
    this.#expires = Number.POSITIVE_INFINITY
    this.#config = this.#reread()
    this.#shared = undefined
    // Pending requests may end.
    void this.#upgrades?.then((upgrades) => upgrades.close())
    this.#upgrades = undefined
    void old?.then(({ transport }) => transport.close())
  }

  async close(): Promise<void> {
    const connection = await this.#shared?.catch(() => undefined)
    await connection?.transport.destroy()
    await (await this.#upgrades)?.destroy()
    for (const socket of this.#opening) socket.destroy()
  }

  /** Files may have new credentials. */
  #reread(): KubeConfig {
    try {
      const config = this.#read(this.context)
      return config.server === this.#config.server ? config : this.#config
    } catch {
      // Another process may be writing the file.
      return this.#config
    }
  }
}
