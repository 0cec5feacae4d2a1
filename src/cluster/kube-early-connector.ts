/** Connects before anybody asks for it, so that a TLS handshake runs beside other requests. */
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { buildConnector } from 'undici'

export class EarlyConnector {
  readonly #connect: buildConnector.connector
  readonly #to: buildConnector.Options
  #early: Promise<Socket | undefined> | undefined

  /** @param server the API server's URL */
  constructor(server: string, connect: buildConnector.connector) {
    const { protocol, host, hostname, port } = new URL(server)
    this.#to = { protocol, host, hostname: hostname.replace(/^\[|\]$/g, ''), port }
    this.#connect = connect
  }

  /** Opens the connection that whoever comes first gets. Why it fails is told to them, who try again. */
  open(): void {
    this.#early ??= new Promise((resolve) => {
      this.#connect(this.#to, (...[error, socket]) => {
        socket?.on('error', ignore)
        resolve(error === null ? socket : undefined)
      })
    })
  }

  /** For undici's `connect`. */
  readonly connect: buildConnector.connector = (options, callback) => {
    const early = this.#early
    this.#early = undefined
    if (early === undefined) {
      this.#connect(options, callback)
      return
    }
    void early.then((socket) => {
      if (socket === undefined || socket.destroyed || socket.readableEnded) this.#connect(options, callback)
      else callback(null, socket.off('error', ignore) as TLSSocket)
    })
  }

  close(): void {
    void this.#early?.then((socket) => socket?.destroy())
  }
}

function ignore(): void {}
