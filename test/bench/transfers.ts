/** Bulk transfers with a minimal HTTP client, because the client shares the machine with the measured tools. */
import { createHash } from 'node:crypto'
import { type ClientRequest, request } from 'node:http'
import { connect } from 'node:net'
import { Readable } from 'node:stream'
import { json } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { wireContent, wireSum } from '../e2e/wire-server.ts'

export const MEBIBYTE = 1 << 20
const HEAD_END = '\r\n\r\n'
const CHUNK = Buffer.alloc(MEBIBYTE / 4, 'x')

function head(method: string, path: string, length?: number): string {
  const size = length === undefined ? '' : `\r\nContent-Length: ${length}`
  return `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close${size}${HEAD_END}`
}

/** @returns after the last byte. @throws Error if bytes are missing */
export function download(port: number, length: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let start = ''
    let left = length
    const socket = connect({
      port,
      host: '127.0.0.1',
      onread: {
        buffer: Buffer.alloc(MEBIBYTE / 4),
        callback: (count, bytes) => {
          left -= count
          if (!start.includes(HEAD_END)) {
            start += Buffer.from(bytes.subarray(0, count)).toString('latin1')
            const end = start.indexOf(HEAD_END)
            left = end < 0 ? length : length - (start.length - end - HEAD_END.length)
          }
          if (left === 0) resolve()
          return true
        },
      },
    })
    const broken = () => reject(new Error(`a download ended with ${left} of ${length} bytes missing`))
    socket.once('error', broken).once('close', broken)
    socket.write(head('GET', `/bytes?n=${length}`))
  })
}

/** @returns when the server has reported the received bytes. @throws Error if bytes are missing */
export function upload(port: number, length: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const sending = new Sending(port, '/upload?sum=no', length)
    sending.answered = (text) => {
      if (text.includes(`"bytes":${length},`)) resolve()
      else reject(new Error(`an upload of ${length} bytes was answered with ${text}`))
    }
    sending.broken = reject
  })
}

/** Uploads as fast as possible. */
export class Sending {
  answered: (text: string) => void = () => {}
  broken: (error: Error) => void = () => {}
  readonly #socket
  readonly #length: number
  #written = 0

  constructor(port: number, path: string, length: number) {
    this.#length = length
    this.#socket = connect({ port, host: '127.0.0.1' })
    this.#socket.setEncoding('utf8').on('data', (text: string) => {
      this.answered(text)
    })
    this.#socket.on('drain', () => this.#fill())
    this.#socket.once('error', (error) => this.broken(error))
    this.#socket.once('close', () => this.broken(new Error('an upload was not answered')))
    this.#socket.write(head('POST', path, length))
    this.#fill()
  }

  /** Bytes that have left this process. */
  get taken(): number {
    return this.#written - this.#socket.writableLength
  }

  stop(): void {
    this.#socket.destroy()
  }

  #fill(): void {
    for (let room = true; room && this.#written < this.#length; ) {
      const bytes = CHUNK.subarray(0, this.#length - this.#written)
      this.#written += bytes.length
      room = this.#socket.write(bytes)
    }
  }
}

/** Reads an endless body at a given rate in bytes a second. */
export class SlowReading {
  read = 0
  readonly #request: ClientRequest

  constructor(port: number, bytesPerSecond: number) {
    const path = `/bytes?n=${1 << 30}`
    this.#request = request({ port, host: '127.0.0.1', path, agent: false }, (response) => {
      response.on('error', () => {})
      response.on('data', (bytes: Buffer) => {
        this.read += bytes.length
        response.pause()
        setTimeout(() => response.resume(), (bytes.length / bytesPerSecond) * 1000)
      })
    })
    this.#request.on('error', () => {})
    this.#request.end()
  }

  stop(): void {
    this.#request.destroy()
  }
}

/** Uploads and downloads known content. @throws Error if a byte differs */
export async function verify(port: number, length: number): Promise<void> {
  const wanted = await wireSum(length)
  const fetched = await ask(port, 'GET', `/bytes?n=${length}`)
  const digest = createHash('sha256')
  for await (const bytes of fetched) digest.update(bytes as Buffer)
  const answer = await ask(port, 'POST', '/upload', Readable.from(wireContent(length)))
  const { sha256 } = (await json(answer)) as { sha256: string }
  if (digest.digest('hex') !== wanted) throw new Error(`a download of ${length} bytes is not what was sent`)
  if (sha256 !== wanted) throw new Error(`an upload of ${length} bytes is not what was sent`)
}

async function ask(port: number, method: string, path: string, body?: Readable): Promise<Readable> {
  const asking = request({ port, host: '127.0.0.1', method, path, agent: false })
  const answered = new Promise<Readable>((resolve, reject) => asking.once('response', resolve).once('error', reject))
  if (body === undefined) asking.end()
  else await pipeline(body, asking)
  return answered
}
