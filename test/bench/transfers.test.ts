import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { describe, it } from 'mocha'
import { wireContent } from '../e2e/wire-server.ts'
import { download, upload, verify } from './transfers.ts'

const LENGTH = 300_000

/** Answers like the lab's wire server, unless a test changes bytes on the way. */
class Wire {
  down: (bytes: Buffer) => Buffer = (bytes) => bytes
  up: (bytes: Buffer) => Buffer = (bytes) => bytes
  readonly #server: Server

  private constructor() {
    this.#server = createServer((asked, answer) => void this.#answer(asked, answer)).listen(0, '127.0.0.1')
  }

  static async start(): Promise<Wire> {
    const wire = new Wire()
    await once(wire.#server, 'listening')
    return wire
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  close(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }

  async #answer(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
    const { searchParams } = new URL(asked.url ?? '', 'http://wire')
    if (asked.method === 'POST') {
      const bytes = this.up(await buffer(asked))
      answer.end(JSON.stringify({ bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }))
      return
    }
    const length = Number(searchParams.get('n'))
    const bytes = this.down(Buffer.concat([...wireContent(length)]))
    answer.setHeader('Content-Length', length)
    if (bytes.length === length) answer.end(bytes)
    else answer.write(bytes, () => answer.destroy())
  }
}

const turned = (bytes: Buffer) => {
  bytes.writeUInt8((bytes[LENGTH / 2] ?? 0) ^ 1, LENGTH / 2)
  return bytes
}
const shortened = (bytes: Buffer) => bytes.subarray(1)

describe("a bench's transfers", () => {
  let wire: Wire
  beforeEach(async () => {
    wire = await Wire.start()
  })
  afterEach(() => wire.close())

  it('succeed when all bytes arrive', async () => {
    await download(wire.port, LENGTH)
    await upload(wire.port, LENGTH)
    await verify(wire.port, LENGTH)
  })

  it('notice a lost byte', async () => {
    wire.down = shortened
    wire.up = shortened
    await assert.rejects(download(wire.port, LENGTH), /a download ended with 1 of 300000 bytes missing/)
    await assert.rejects(upload(wire.port, LENGTH), /an upload of 300000 bytes was answered with .*"bytes":299999/s)
  })

  it('notice a changed byte in both directions', async () => {
    wire.down = turned
    await assert.rejects(verify(wire.port, LENGTH), /a download of 300000 bytes is not what was sent/)
    wire.down = (bytes) => bytes
    wire.up = turned
    await assert.rejects(verify(wire.port, LENGTH), /an upload of 300000 bytes is not what was sent/)
  })
})
