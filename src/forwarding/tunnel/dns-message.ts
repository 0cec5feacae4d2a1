/** Messages of DNS (RFC 1035): a question, and the addresses in an answer. Pure. */

/** A, AAAA. */
const TYPES = { 4: 1, 6: 28 } as const
const HEADER = 12

/** One question, recursion desired. @param id of the message, which the answer has, too */
export function dnsQuery(host: string, family: 4 | 6, id: number): Buffer {
  const header = Buffer.from([id >> 8, id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0])
  const labels = host.split('.').map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]))
  return Buffer.concat([header, ...labels, Buffer.from([0, 0, TYPES[family], 0, 1])])
}

/** @returns the addresses, or why there is no usable answer */
export function addressesInAnswer(message: Buffer, id: number): { addresses: string[] } | { failed: string } {
  try {
    return read(message, id)
  } catch (error) {
    // A number beyond the end of the message.
    if (error instanceof RangeError) return { failed: 'its answer is cut off' }
    throw error
  }
}

function read(message: Buffer, id: number): { addresses: string[] } | { failed: string } {
  if (message.readUInt16BE(0) !== id || (message.readUInt8(2) & 0x80) === 0) return { failed: 'it gave another answer' }
  const code = message.readUInt8(3) & 15
  // NXDOMAIN: the server knows that there is no such name.
  if (code !== 0 && code !== 3) return { failed: `it answered with the error ${code} (RFC 1035, 4.1.1)` }
  let at = HEADER
  for (let left = message.readUInt16BE(4); left > 0; left--) at = afterName(message, at) + 4
  const addresses: string[] = []
  for (let left = message.readUInt16BE(6); left > 0; left--) {
    const record = afterName(message, at)
    const [type, length] = [message.readUInt16BE(record), message.readUInt16BE(record + 8)]
    const data = message.subarray(record + 10, record + 10 + length)
    if (type === TYPES[4] && data.length === 4) addresses.push(data.join('.'))
    if (type === TYPES[6] && data.length === 16) addresses.push(addressOf(data))
    at = record + 10 + length
  }
  return { addresses }
}

/** A name ends with an empty label, or with a pointer to another place. */
function afterName(message: Buffer, start: number): number {
  let at = start
  for (;;) {
    const length = message.readUInt8(at)
    if (length === 0) return at + 1
    if (length >= 0xc0) return at + 2
    at += length + 1
  }
}

function addressOf(data: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, index) => data.readUInt16BE(index * 2).toString(16))
  return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1)
}
