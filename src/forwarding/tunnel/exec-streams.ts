/** The channels of a program in a container, read from a connection: stdout, stderr and the error channel. */
import type { Upgraded } from '../../cluster/cluster.ts'
import { type Frame, FrameReader, synStream } from './spdy-frames.ts'
import { closeFrame, pong, WebSocketReader } from './websocket-frames.ts'

/** `status`: the error channel. It carries one Status when the program has ended. */
export type Channel = 'stdout' | 'stderr' | 'status'

export interface ChannelEvents {
  data(channel: Channel, bytes: Buffer): void
  /** Nothing more comes: the connection is closed, or sent something that cannot be read. */
  close(): void
}

interface Reader {
  /** @throws Error if it is not the protocol */
  read(bytes: Buffer): void
  end(): void
}

/** First bytes of WebSocket messages: https://github.com/kubernetes/apimachinery, pkg/util/remotecommand/constants.go. 0 is stdin, 255 an end. */
const CHANNELS: Readonly<Record<number, Channel>> = { 1: 'stdout', 2: 'stderr', 3: 'status' }
/** Ids of the streams that the client opens; the kubelet waits for all of them. */
const STREAMS: Readonly<Record<number, Channel>> = { 1: 'status', 3: 'stdout', 5: 'stderr' }

/** @returns a function that ends the connection */
export function readChannels({ socket, protocol }: Upgraded, events: ChannelEvents): () => void {
  const reader = protocol === 'websocket' ? webSocketReader(socket, events) : spdyReader(socket, events)
  // Each error is followed by `close`.
  socket.on('error', () => {})
  socket.once('end', () => socket.end())
  socket.once('close', () => events.close())
  if (socket.destroyed) queueMicrotask(() => events.close())
  socket.on('data', (bytes: Buffer) => {
    try {
      reader.read(bytes)
    } catch {
      // Bytes that cannot be parsed make all later ones useless too.
      socket.destroy()
    }
  })
  return () => {
    reader.end()
    socket.destroy()
  }
}

function webSocketReader(socket: Upgraded['socket'], events: ChannelEvents): Reader {
  const reader = new WebSocketReader()
  let channel: Channel | undefined
  const handlers = {
    payload: (bytes: Buffer, begins: boolean) => {
      if (begins) channel = CHANNELS[bytes[0] ?? 0]
      const rest = begins ? bytes.subarray(1) : bytes
      if (channel !== undefined && rest.length > 0) events.data(channel, rest)
    },
    ping: (payload: Buffer) => void (socket.writable && socket.write(pong(payload))),
    pong: () => {},
    close: () => void socket.end(),
  }
  return {
    read: (bytes) => reader.read(bytes, handlers),
    end: () => void (socket.writable && socket.write(closeFrame())),
  }
}

function spdyReader(socket: Upgraded['socket'], events: ChannelEvents): Reader {
  const reader = new FrameReader()
  const opening = Object.entries({ 1: 'error', 3: 'stdout', 5: 'stderr' }).map(([id, streamtype], index) =>
    synStream(Number(id), { streamtype }, index === 0),
  )
  socket.write(Buffer.concat(opening))
  const take = (frame: Frame) => {
    if (frame.kind === 'data') {
      const channel = STREAMS[frame.stream]
      if (channel !== undefined && frame.bytes.length > 0) events.data(channel, frame.bytes)
      // An odd id is the reply to a ping of ours, and we send none.
    } else if (frame.kind === 'ping' && socket.writable) socket.write(frame.bytes)
  }
  return { read: (bytes) => reader.read(bytes, take), end: () => {} }
}
