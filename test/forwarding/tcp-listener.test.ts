import assert from 'node:assert/strict'
import { connect, type Server, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { describe, it } from 'mocha'
import type { Listening } from '../../src/forwarding/listener.ts'
import { TcpListener } from '../../src/forwarding/tcp-listener.ts'
import { eventually } from '../fakes/fake-timers.ts'

// Below the range of ephemeral ports: one of those may be in use.
const PORT = 20_000 + (process.pid % 10_000)
const listener = new TcpListener()

async function listening(
  addresses: string[],
  port: number,
  take: (socket: Socket) => void = () => {},
): Promise<Listening> {
  const result = await listener.listen(addresses, port, take)
  assert.ok('close' in result, JSON.stringify(result))
  return result
}

describe('TcpListener', () => {
  it('accepts connections, paused and half-open, until it is closed', async () => {
    const taken: Socket[] = []
    const one = await listening(['127.0.0.1', '::1'], PORT, (socket) => taken.push(socket))
    const client = connect({ port: PORT, host: '127.0.0.1' })
    await eventually(() => taken.length === 1)
    assert.deepEqual([taken[0]?.isPaused(), taken[0]?.allowHalfOpen], [true, true])
    client.destroy()
    taken[0]?.destroy()
    one.close()
    const after = await listening(['127.0.0.1', '::1'], PORT)
    after.close()
  })

  it('reports a port that is in use, and keeps no other address open', async () => {
    const one = await listening(['127.0.0.2'], PORT)
    const both = ['127.0.0.3', '127.0.0.2']
    assert.deepEqual(await listener.listen(both, PORT, () => {}), { failure: 'taken', address: '127.0.0.2' })
    const other = await listening(['127.0.0.3'], PORT)
    one.close()
    other.close()
  })

  it('reports an address that this machine does not have', async () => {
    const result = await listener.listen(['192.0.2.1'], PORT, () => {})
    assert.deepEqual(result, { failure: 'not-here', address: '192.0.2.1' })
  })

  it('fails when ::1 is the only address on a machine without IPv6', async () => {
    const hasIPv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'))
    const result = await listener.listen(['::1'], PORT, () => {})
    assert.equal('close' in result, hasIPv6)
    if ('close' in result) result.close()
  })

  it('survives connections that cannot be accepted', async () => {
    const taken: Socket[] = []
    const one = await listening(['127.0.0.1'], PORT, (socket) => taken.push(socket))
    const client = connect({ port: PORT, host: '127.0.0.1' })
    await eventually(() => taken.length === 1)
    const { server } = taken[0] as Socket & { server: Server }
    for (let count = 0; count < 3; count++) server.emit('error', Object.assign(new Error('accept'), { code: 'EMFILE' }))
    const other = connect({ port: PORT, host: '127.0.0.1' })
    await eventually(() => taken.length === 2)
    for (const socket of [client, other, ...taken]) socket.destroy()
    one.close()
  })
})
