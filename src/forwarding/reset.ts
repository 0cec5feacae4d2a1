import type { Socket } from 'node:net'

/**
 * Ends a connection with a reset, so that the other side does not take what it has for all there is. A socket whose own end is
 * under way cannot be reset (uv_tcp_close_reset says EINVAL), and Node would then wait for its handle for ever, at 100 % CPU, when the process
 * ends: it is destroyed instead.
 */
export function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy()
  else socket.resetAndDestroy()
}
