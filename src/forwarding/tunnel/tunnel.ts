/** A byte stream through the API server to a pod's portforward endpoint, whichever way it was opened. */
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

/** Small payloads are copied beside their heads: one write is one packet. */
const COPIED = 4096
/** So many bytes may wait to be sent before whoever writes is told to wait. */
const ROOM = 256 * 1024

export function tunnelOver({ socket, protocol }: Upgraded, events: TunnelEvents): Tunnel {
  const tunnel = protocol === 'websocket' ? webSocketTunnel(socket, events) : plainTunnel(socket, events)
  let open = true
  socket.on('drain', () => events.drain())
  // An error is followed by close, which says all that matters here.
  socket.on('error', () => {})
  socket.on('end', () => socket.end())
  const close = () => {
    if (open) events.close()
    open = false
  }
  socket.on('close', close)
  // It may have gone before anybody listened.
  if (socket.destroyed) queueMicrotask(close)
  socket.on('data', (bytes: Buffer) => {
    try {
      tunnel.read(bytes)
    } catch {
      // What the peer says cannot be understood, and nothing after it could be either.
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

type Coded = Pick<Tunnel, 'write' | 'end'> & { read(bytes: Buffer): void }

function webSocketTunnel(socket: Duplex, events: TunnelEvents): Coded {
  const reader = new WebSocketReader()
  const taking = {
    payload: (bytes: Buffer) => events.data(bytes),
    ping: (payload: Buffer) => void (socket.writable && socket.write(pong(payload))),
    pong: () => {},
    close: () => void socket.end(),
  }
  return {
    read: (bytes) => reader.read(bytes, taking),
    write: (head, bytes) => writeAll(socket, [binaryHead(head.length + (bytes?.length ?? 0)), head], bytes),
    end: () => void (socket.writable && socket.end(closeFrame())),
  }
}

function plainTunnel(socket: Duplex, events: TunnelEvents): Coded {
  return {
    read: (bytes) => events.data(bytes),
    write: (head, bytes) => writeAll(socket, [head], bytes),
    end: () => void socket.end(),
  }
}

function writeAll(socket: Duplex, heads: Buffer[], bytes: Buffer | undefined): boolean {
  if (!socket.writable) return true
  if (bytes === undefined) socket.write(heads.length === 1 ? heads[0] : Buffer.concat(heads))
  else if (bytes.length < COPIED) socket.write(Buffer.concat([...heads, bytes]))
  else {
    socket.cork()
    for (const head of heads) socket.write(head)
    socket.write(bytes)
    socket.uncork()
  }
  // Not what write() says: the socket's own limit is 16 KiB, and one read of the client's is 64.
  return socket.writableLength < ROOM
}
