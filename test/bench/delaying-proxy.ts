/** A TCP proxy that stands for a distance: whatever passes arrives later, and what is in it is not looked at. Runs in a worker. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'

export interface Far {
  /** Where it is sent on to. */
  host: string
  port: number
  /** Milliseconds there and back. */
  roundTrip: number
}

export interface DelayingProxy {
  port: number
  close(): Promise<unknown>
}

/** @returns once it listens on 127.0.0.1 */
export async function startDelayingProxy(far: Far): Promise<DelayingProxy> {
  const worker = new Worker(new URL(import.meta.url), { workerData: far })
  const [port] = (await once(worker, 'message')) as [number]
  return { port, close: () => worker.terminate() }
}

/** Both directions: each chunk half a round trip later, in order, as timers of one length fire. */
function join(near: Socket, { host, port, roundTrip }: Far): void {
  // A handshake takes a round trip; ours with the one who connects took none.
  setTimeout(() => {
    const distant = connect({ host, port, noDelay: true, allowHalfOpen: true })
    for (const [from, to] of [
      [near, distant],
      [distant, near],
    ] as const) {
      from.on('data', (bytes) => void setTimeout(() => to.write(bytes), roundTrip / 2))
      from.on('end', () => void setTimeout(() => to.end(), roundTrip / 2))
      from.on('error', () => {})
      from.on('close', () => void setTimeout(() => to.destroy(), roundTrip / 2))
    }
  }, roundTrip)
}

if (!isMainThread && parentPort !== null) {
  const parent = parentPort
  const far = workerData as Far
  const options = { noDelay: true, allowHalfOpen: true, pauseOnConnect: false }
  const server = createServer(options, (near) => join(near, far)).listen(0, '127.0.0.1', () =>
    parent.postMessage((server.address() as AddressInfo).port),
  )
}
