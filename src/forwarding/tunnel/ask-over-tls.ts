/** Sends one HTTPS request to a pod through a tunnel, which bypasses the redirection to the sidecar. */
import { connect, type TLSSocket } from 'node:tls'
import type { PodAnswer } from '../../cluster/cluster.ts'
import type { Timers } from '../../time/timers.ts'
import type { InsideRequest } from '../../world.ts'
import { overTunnel, type TunnelWorld } from './over-tunnel.ts'
import type { StreamDuplex } from './stream-duplex.ts'

/**
 * Sends one request with a client certificate.
 * @param certificate PEM, with its key
 * @returns undefined without the permission to forward ports
 */
export function askOverTls(
  request: InsideRequest,
  certificate: { certificate: string; key: string },
  world: TunnelWorld,
): Promise<PodAnswer | undefined> {
  return overTunnel(request, world, (socket) => answerTo(request, socket, certificate, world.timers))
}

/** With TLS 1.3 the server refuses a certificate after the client's side of the handshake is done: only the answer shows the result. */
function answerTo(
  { path, timeout }: InsideRequest,
  socket: StreamDuplex,
  { certificate: cert, key }: { certificate: string; key: string },
  timers: Timers,
): Promise<PodAnswer> {
  return new Promise((resolve) => {
    // The server is not verified: the question is which clients it accepts.
    const tls: TLSSocket = connect({ socket, cert, key, rejectUnauthorized: false })
    let answer = ''
    const callOff = timers.after(timeout, () => finish({ failed: `no answer in ${timeout / 1000} s` }))
    const finish = (result: PodAnswer) => {
      callOff()
      tls.destroy()
      resolve(result)
    }
    tls.once('secureConnect', () => tls.write(`GET ${path} HTTP/1.1\r\nHost: metrics\r\nConnection: close\r\n\r\n`))
    tls.on('data', (bytes: Buffer) => {
      answer += bytes.toString('latin1')
      const status = /^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1]
      if (status !== undefined) finish({ status: Number(status), body: '' })
    })
    tls.once('error', (error) => finish({ failed: error.message }))
    socket.once('error', (error) => finish({ failed: error.message }))
    tls.once('close', () => finish({ failed: 'the connection was closed' }))
  })
}
