/** Sends one HTTPS request to a pod through a tunnel, which bypasses the redirection to the sidecar. */
import { connect, type TLSSocket } from 'node:tls'
import type { Cluster, ObjectName, PodAnswer } from '../../cluster/cluster.ts'
import { unlessRefused } from '../../cluster/reading.ts'
import type { Timers } from '../../time/timers.ts'
import { Session } from './session.ts'
import { StreamDuplex } from './stream-duplex.ts'

export interface PodRequest {
  pod: Required<ObjectName>
  port: number
  path: string
  /** Milliseconds to wait for an answer. */
  timeout: number
}

/**
 * Sends one request with a client certificate.
 * @param certificate PEM, with its key
 * @returns undefined without the permission to forward ports
 */
export async function askOverTls(
  request: PodRequest,
  certificate: { certificate: string; key: string },
  { cluster, timers }: { cluster: Cluster; timers: Timers },
): Promise<PodAnswer | undefined> {
  const { namespace, name } = request.pod
  const upgraded = await unlessRefused(cluster.portForward({ namespace, name }))
  if (upgraded === undefined) return undefined
  const session = new Session(upgraded, request.port, timers, () => {})
  try {
    return await answerTo(request, new StreamDuplex(session), certificate, timers)
  } finally {
    session.destroy()
  }
}

/** With TLS 1.3 the server refuses a certificate after the client's side of the handshake is done: only the answer shows the result. */
function answerTo(
  { path, timeout }: PodRequest,
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
