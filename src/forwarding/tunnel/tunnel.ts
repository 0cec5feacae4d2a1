/** A byte stream through the API server to a pod's portforward endpoint, over WebSocket or SPDY. */
import type { Duplex } from 'node:stream'
import type { Upgraded } from '../../cluster/cluster.ts'
import { binaryHead, closeFrame, pong, WebSocketReader } from './websocket-frames.ts'

export interface TunnelEvents {
  data(bytes: Buffer): void
  /** There is room for writing again. */
  drain(): void
  close(): void
}

export interface Tunnel {
  readonly protocol: Upgraded['protocol']
  /** @returns false when the buffer is full */
  write(head: Buffer, bytes?: Buffer): boolean
  pause(): void
  resume(): void
  end(): void
  destroy(): void
}

/** Shorter payloads are copied behind their heads, so that both are one packet. */
const MAX_COPIED = 4096
/** How many bytes may wait to be sent before `write` returns false. */
const ROOM = 256 * 1024

export function tunnelOver({ socket, protocol }: Upgraded, events: TunnelEvents): Tunnel {
  const tunnel = protocol === 'websocket' ? webSocketTunnel(socket, events) : plainTunnel(socket, events)
  let open = true
  socket.on('drain', () => events.drain())
  // Each error is followed by `close`, which is handled below.
  socket.on('error', () => {})
  socket.on('end', () => socket.end())
  const close = () => {
    if (open) events.close()
    open = false
  }
  socket.on('close', close)
  // The socket may have closed before the listener was added.
  if (socket.destroyed) queueMicrotask(close)
  socket.on('data', (bytes: Buffer) => {
    try {
      tunnel.read(bytes)
    } catch {
      // Bytes that cannot be parsed make all later ones useless too.
      socket.destroy()
    }
  })
  return {
    protocol,
    write: tunnel.write,
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    end: () => tunnel.end(),
    destroy: () => socket.destroy(),
  }
}

type Codec = Pick<Tunnel, 'write' | 'end'> & { read(bytes: Buffer): void }

function webSocketTunnel(socket: Duplex, events: TunnelEvents): Codec {
  const reader = new WebSocketReader()
  const handlers = {
    payload: (bytes: Buffer) => events.data(bytes),
    ping: (payload: Buffer) => void (socket.writable && socket.write(pong(payload))),
    pong: () => {},
    close: () => void socket.end(),
  }
  return {
    read: (bytes) => reader.read(bytes, handlers),
    write: (head, bytes) => writeAll(socket, [binaryHead(head.length + (bytes?.length ?? 0)), head], bytes),
    end: () => void (socket.writable && socket.end(closeFrame())),
  }
}

function plainTunnel(socket: Duplex, events: TunnelEvents): Codec {
  return {
    read: (bytes) => events.data(bytes),
    write: (head, bytes) => writeAll(socket, [head], bytes),
    end: () => void socket.end(),
  }
}

function writeAll(socket: Duplex, heads: Buffer[], bytes: Buffer | undefined): boolean {
  if (!socket.writable) return true
  if (bytes === undefined) socket.write(heads.length === 1 ? heads[0] : Buffer.concat(heads))
  else if (bytes.length < MAX_COPIED) socket.write(Buffer.concat([...heads, bytes]))
  else {
    socket.cork()
    for (const head of heads) socket.write(head)
    socket.write(bytes)
    socket.uncork()
  }
  // The result of write() is of no use: the socket's own limit is 16 KiB, and one read from the client has up to 64 KiB.
  return socket.writableLength < ROOM
}
