/** What is on the way to the real API server: a NAT or a firewall that passes bytes on, until it forgets, swallows or cuts what is idle. */
import { readFileSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { labPaths } from '../lab/lab.ts'

interface KubeConfig {
  clusters: { cluster: { server: string } }[]
}

export class Middlebox {
  /** New connections are taken, and nothing that they say arrives. */
  swallows = false
  /** Connections that it cut because they were idle. */
  cuts = 0
  readonly #idle: number | undefined
  readonly #server: Server
  readonly #target: URL
  readonly #config: KubeConfig
  readonly #pairs = new Set<[Socket, Socket]>()

  /** @param idle milliseconds after which a connection without a byte is reset; undefined for never */
  static async start(idle?: number): Promise<Middlebox> {
    const box = new Middlebox(idle)
    await new Promise<void>((resolve) => box.#server.listen(0, '127.0.0.1', resolve))
    return box
  }

  private constructor(idle: number | undefined) {
    this.#idle = idle
    this.#config = JSON.parse(readFileSync(labPaths().kubeconfig, 'utf8')) as KubeConfig
    this.#target = new URL(this.#config.clusters[0]?.cluster.server ?? '')
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#take(socket))
  }

  /** The lab's kubeconfig, whose way to the API server leads through here. */
  writeKubeConfig(path: string): void {
    const { port } = this.#server.address() as AddressInfo
    const [first] = this.#config.clusters
    const cluster = { ...first?.cluster, server: `https://127.0.0.1:${port}` }
    writeFileSync(path, JSON.stringify({ ...this.#config, clusters: [{ ...first, cluster }] }))
  }

  /** Connections that there are lead nowhere from now on, and neither end is told: as after a laptop's sleep. */
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
    // The clocks of both ends run as one: either way a byte is a byte.
    remote.setTimeout(this.#idle, () => {
      this.cuts++
      for (const end of pair) end.resetAndDestroy()
    })
  }
}
