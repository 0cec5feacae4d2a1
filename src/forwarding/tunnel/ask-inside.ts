/** Sends one request without TLS to a port of a pod through a tunnel: it also reaches what listens only inside the pod. */
import { request as httpRequest } from 'node:http'
import type { Cluster, ObjectName, PodAnswer } from '../../cluster/cluster.ts'
import { unlessRefused } from '../../cluster/reading.ts'
import type { Timers } from '../../time/timers.ts'
import { Session } from './session.ts'
import { StreamDuplex } from './stream-duplex.ts'

export interface InsideRequest {
  pod: Required<ObjectName>
  port: number
  path: string
  /** Milliseconds to wait for the whole answer. */
  timeout: number
}

/** Bytes. The configuration of a proxy in a large mesh has some 10 MB. */
const LARGEST = 64 * 1024 * 1024

/** @returns undefined without the permission to forward ports, or if the pod is gone */
export async function askInside(
  request: InsideRequest,
  { cluster, timers }: { cluster: Cluster; timers: Timers },
): Promise<PodAnswer | undefined> {
  const { namespace, name } = request.pod
  const upgraded = await unlessRefused(cluster.portForward({ namespace, name }))
  if (upgraded === undefined) return undefined
  const session = new Session(upgraded, request.port, timers, () => {})
  try {
    return await answerTo(request, new StreamDuplex(session), timers)
  } finally {
    session.destroy()
  }
}

function answerTo({ path, timeout }: InsideRequest, socket: StreamDuplex, timers: Timers): Promise<PodAnswer> {
  return new Promise((resolve) => {
    const callOff = timers.after(timeout, () => finish({ failed: `no answer in ${timeout / 1000} s` }))
    const asking = httpRequest({
      createConnection: () => socket,
      path,
      headers: { host: 'localhost', connection: 'close' },
    })
    const finish = (answer: PodAnswer) => {
      callOff()
      asking.destroy()
      resolve(answer)
    }
    asking.once('error', (error) => finish({ failed: error.message }))
    asking.once('response', (response) => {
      const parts: Buffer[] = []
      let length = 0
      response.on('data', (bytes: Buffer) => {
        parts.push(bytes)
        length += bytes.length
        if (length > LARGEST) finish({ failed: `the answer has more than ${LARGEST} bytes` })
      })
      response.once('error', (error) => finish({ failed: error.message }))
      response.once('end', () =>
        finish({ status: response.statusCode ?? 0, body: Buffer.concat(parts).toString('utf8') }),
      )
    })
    asking.end()
  })
}
