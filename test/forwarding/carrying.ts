/** What tests of connections share: a forwarded port, its pods, and that nothing of it is left after each test. */
import assert from 'node:assert/strict'
import { afterEach } from 'mocha'
import type { ConnectionOptions } from '../../src/forwarding/connection.ts'
import { eventually, settle } from '../fakes/fake-timers.ts'
import { type Client, Forwarded } from './local-client.ts'

export const GET = 'GET / HTTP/1.1\r\nHost: localhost:3000\r\n\r\n'
export const POST = 'POST / HTTP/1.1\r\nHost: localhost:3000\r\nContent-Length: 1\r\n\r\nx'
export const EVIL = 'GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n'
export const REFUSED = 'failed to connect to localhost:3000 inside namespace: connection refused'

export let forwarded: Forwarded
export const start = (options: Partial<ConnectionOptions> = {}) => {
  forwarded = new Forwarded(options)
  return forwarded.client()
}
/** What connections the pod has seen, once there are so many. */
export async function opened(count = 1) {
  const all = () => forwarded.route.kubelets.flatMap(({ opened: one }) => one)
  await eventually(() => all().length >= count, `${count} connections`)
  return all()
}
/** What a client has sent has come as far as it comes. */
export async function arrived(text: string): Promise<void> {
  await eventually(() => forwarded.route.kubelets.some(({ opened: all }) => all.some((one) => one.text === text)), text)
}
export const over = (client: Client) => eventually(() => client.isClosed && forwarded.done.length > 0, 'it is over')

/** Called in each describe: a hook outside of one would be everybody's. */
export function leavesNothing(): void {
  afterEach(async () => {
    forwarded.close()
    await eventually(() => forwarded.done.length === forwarded.locals.length, 'every connection is done')
    await settle()
    assert.deepEqual([forwarded.timers.pending, forwarded.route.waiting], [0, 0], 'nothing stays registered')
    assert.equal(forwarded.route.session?.load ?? 0, 0, 'no stream stays open')
  })
}
