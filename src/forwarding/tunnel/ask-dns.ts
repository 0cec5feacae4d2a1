/** Asks a DNS server in a pod for the addresses of a name, by TCP through a tunnel. */
import { randomInt } from 'node:crypto'
import type { DnsAnswer, DnsQuestion } from '../../world.ts'
import { addressesInAnswer, dnsQuery } from './dns-message.ts'
import { overTunnel, type TunnelWorld } from './over-tunnel.ts'
import type { StreamDuplex } from './stream-duplex.ts'

/** @returns undefined without the permission to forward ports, or if the pod is gone */
export function askDns(question: DnsQuestion, world: TunnelWorld): Promise<DnsAnswer | undefined> {
  return overTunnel(question, world, (socket) => answerTo(question, socket, world.timers))
}

/** By TCP each message has its length before it (RFC 1035, 4.2.2). */
function answerTo(
  { host, family, timeout }: DnsQuestion,
  socket: StreamDuplex,
  timers: TunnelWorld['timers'],
): Promise<DnsAnswer> {
  const id = randomInt(65_536)
  return new Promise((resolve) => {
    const callOff = timers.after(timeout, () => finish({ failed: `no answer in ${timeout / 1000} s` }))
    let received = Buffer.alloc(0)
    const finish = (answer: DnsAnswer) => {
      callOff()
      socket.destroy()
      resolve(answer)
    }
    socket.once('error', (error) => finish({ failed: error.message }))
    socket.once('end', () => finish({ failed: 'it closed the connection' }))
    socket.on('data', (bytes: Buffer) => {
      received = Buffer.concat([received, bytes])
      const length = received.length < 2 ? Number.POSITIVE_INFINITY : received.readUInt16BE(0)
      if (received.length >= length + 2) finish(addressesInAnswer(received.subarray(2, length + 2), id))
    })
    const query = dnsQuery(host, family, id)
    socket.write(Buffer.concat([Buffer.from([query.length >> 8, query.length & 255]), query]))
  })
}
