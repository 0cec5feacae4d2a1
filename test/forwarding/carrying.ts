/** Shared by tests of connections: a forwarded port, its pods, and a check that nothing is left after each test. */
import assert from 'node:assert/strict'
import { afterEach } from 'mocha'
import type { ConnectionOptions } from '../../src/forwarding/connection.ts'
import { eventually, settle } from '../fakes/fake-timers.ts'
import { type Client, ForwardedPort } from './local-client.ts'

export const GET = 'GET / HTTP/1.1\r\nHost: localhost:3000\r\n\r\n'
export const POST = 'POST / HTTP/1.1\r\nHost: localhost:3000\r\nContent-Length: 1\r\n\r\nx'
export const EVIL = 'GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n'
export const REFUSED = 'failed to connect to localhost:3000 inside namespace: connection refused'

export let forwarded: ForwardedPort
export const start = (options: Partial<ConnectionOptions> = {}) => {
  forwarded = new ForwardedPort(options)
  return forwarded.client()
}
/** @returns the connections that the pod has seen, once there are this many */
export async function opened(count = 1) {
  const all = () => forwarded.route.kubelets.flatMap(({ opened: one }) => one)
  await eventually(() => all().length >= count, `${count} connections`)
  return all()
}
/** Waits until the bytes of the client have arrived. */
export async function arrived(text: string): Promise<void> {
  await eventually(() => forwarded.route.kubelets.some(({ opened: all }) => all.some((one) => one.text === text)), text)
}
export const over = (client: Client) => eventually(() => client.isClosed && forwarded.done.length > 0, 'it is over')

/** Call it in each describe: hooks outside of one apply to all files. */
export function leavesNothing(): void {
  afterEach(async () => {
    forwarded.close()
    await eventually(() => forwarded.done.length === forwarded.locals.length, 'every connection is done')
    await settle()
    assert.deepEqual([forwarded.timers.pending, forwarded.route.waiting], [0, 0], 'nothing stays registered')
    assert.equal(forwarded.route.session?.load ?? 0, 0, 'no stream stays open')
  })
}
