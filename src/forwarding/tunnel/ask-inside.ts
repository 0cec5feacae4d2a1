/** Sends one request without TLS to a port of a pod through a tunnel: it also reaches what listens only inside the pod. */
import { request as httpRequest } from 'node:http'
import type { PodAnswer } from '../../cluster/cluster.ts'
import type { Timers } from '../../time/timers.ts'
import type { InsideRequest } from '../../world.ts'
import { overTunnel, type TunnelWorld } from './over-tunnel.ts'
import type { StreamDuplex } from './stream-duplex.ts'

/** Bytes. The configuration of a proxy in a large mesh has some 10 MB. */
const LARGEST = 64 * 1024 * 1024

/** @returns undefined without the permission to forward ports, or if the pod is gone */
export function askInside(request: InsideRequest, world: TunnelWorld): Promise<PodAnswer | undefined> {
  return overTunnel(request, world, (socket) => answerTo(request, socket, world.timers))
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
