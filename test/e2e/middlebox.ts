/** A NAT or firewall in front of the real API server: it passes bytes on, until it forgets connections, swallows new ones or resets idle ones. */
import { writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { kubeConfigWith, labKubeConfig } from './lab-credentials.ts'

export class Middlebox {
  /** Whether new connections are accepted and their bytes discarded. */
  swallows = false
  /** Number of idle connections that were reset. */
  cuts = 0
  readonly #idle: number | undefined
  readonly #server: Server
  readonly #target: URL
  readonly #pairs = new Set<[Socket, Socket]>()

  /** @param idle milliseconds after which a connection without a byte is reset; undefined for never */
  static async start(idle?: number): Promise<Middlebox> {
    const box = new Middlebox(idle)
    await new Promise<void>((resolve) => box.#server.listen(0, '127.0.0.1', resolve))
    return box
  }

  private constructor(idle: number | undefined) {
    this.#idle = idle
    this.#target = new URL(labKubeConfig().clusters[0].cluster.server)
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#take(socket))
  }

  /** Writes the lab's kubeconfig with this proxy as its API server. */
  writeKubeConfig(path: string): void {
    const { port } = this.#server.address() as AddressInfo
    const [{ cluster }] = labKubeConfig().clusters
    writeFileSync(path, kubeConfigWith({ cluster: { ...cluster, server: `https://127.0.0.1:${port}` } }))
  }

  /** Stops passing bytes of the existing connections without closing them, as after a laptop's sleep. */
  forget(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.unpipe().removeAllListeners('data').pause()
  }

  close(): void {
    this.#server.close()
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy()
  }

  #take(local: Socket): void {
    if (this.swallows) {
      const pair: [Socket, Socket] = [local, local]
      this.#pairs.add(pair)
      local.on('error', () => {}).once('close', () => this.#pairs.delete(pair))
      return
    }
    const remote = connect({ host: this.#target.hostname, port: Number(this.#target.port), allowHalfOpen: true })
    const pair: [Socket, Socket] = [local, remote]
    this.#pairs.add(pair)
    local.pipe(remote).pipe(local)
    for (const socket of pair) {
      socket.on('error', () => {})
      socket.once('close', () => {
        this.#pairs.delete(pair)
        for (const end of pair) end.destroy()
      })
    }
    if (this.#idle === undefined) return
    // Bytes of both directions pass through `remote`, so one timer is enough.
    remote.setTimeout(this.#idle, () => {
      this.cuts++
      for (const end of pair) end.resetAndDestroy()
    })
  }
}
