/** A TCP proxy that simulates distance: all bytes arrive later, unchanged. It runs in a worker. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'

export interface Far {
  /** The destination. */
  host: string
  port: number
  /** Round-trip time in milliseconds. */
  roundTrip: number
}

export interface DelayingProxy {
  port: number
  close(): Promise<unknown>
}

/** @returns when it listens on 127.0.0.1 */
export async function startDelayingProxy(far: Far): Promise<DelayingProxy> {
  const worker = new Worker(new URL(import.meta.url), { workerData: far })
  const [port] = (await once(worker, 'message')) as [number]
  return { port, close: () => worker.terminate() }
}

/** Delays each chunk by half a round trip in both directions. Timers of the same length keep the order. */
function join(near: Socket, { host, port, roundTrip }: Far): void {
  // A real handshake takes a round trip; the one with the local client took none.
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
