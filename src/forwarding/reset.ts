import type { Socket } from 'node:net'

/**
 * Ends a connection with a reset, so that the other side does not take a partial answer for a complete one. A socket that is already
 * ending cannot be reset (uv_tcp_close_reset fails with EINVAL), and Node would then wait for its handle for ever, at 100 % CPU, when the
 * process ends. Such a socket is destroyed instead.
 */
export function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy()
  else socket.resetAndDestroy()
}
