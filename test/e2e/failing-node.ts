/** The node of a pod whose connections fail after the pod has answered: the request was carried out, and the client cannot know it. */
import type { Socket } from 'node:net'
import { kubeletFrame } from '../fakes/fake-kubelet.ts'

/** Bytes of the head of a frame of SPDY/3.1: stream or type, flags, and the length in three bytes. */
const HEAD = 8

export class FailingNode {
  /** How many answers become failures. */
  failures = 0
  /** The text on the error stream; undefined: the whole tunnel breaks. */
  text: string | undefined

  /** For a SPDY tunnel to the API server, of which each answer of a pod is one connection. */
  carry(client: Socket, onward: Socket): void {
    const failed = new Set<number>()
    let unread: Buffer = Buffer.alloc(0)
    let isOpen = false
    const pass = (frame: Buffer) => {
      const stream = frame.readUInt32BE(0)
      if (failed.has(stream)) return
      if (this.failures === 0 || !frame.subarray(HEAD).toString('latin1').startsWith('HTTP/1.1 ')) client.write(frame)
      else this.#fail(client, stream, failed)
    }
    client.pipe(onward)
    client.once('close', () => onward.destroy())
    onward.once('close', () => client.end())
    onward.on('data', (bytes: Buffer) => {
      unread = Buffer.concat([unread, bytes])
      if (!isOpen) {
        const end = unread.indexOf('\r\n\r\n')
        if (end < 0) return
        isOpen = true
        client.write(unread.subarray(0, end + 4))
        unread = unread.subarray(end + 4)
      }
      for (let whole = lengthOf(unread); whole <= unread.length; whole = lengthOf(unread)) {
        pass(unread.subarray(0, whole))
        unread = unread.subarray(whole)
      }
    })
  }

  #fail(client: Socket, data: number, failed: Set<number>): void {
    this.failures--
    if (this.text === undefined) {
      client.destroy()
      return
    }
    const error = data - 2
    failed.add(data).add(error)
    client.write(Buffer.concat([kubeletFrame.data(data, '', true), kubeletFrame.data(error, this.text, true)]))
  }
}

/** Of the first frame. */
function lengthOf(bytes: Buffer): number {
  return bytes.length < HEAD ? HEAD : HEAD + bytes.readUIntBE(5, 3)
}
