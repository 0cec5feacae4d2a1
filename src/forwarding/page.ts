/** The pages that a forwarded port has of its own: plain text, and the connection ends with it. */

/** @param status `502 Bad Gateway` */
export function page(status: string, why: string): Buffer {
  const body = Buffer.from(`kubectl telemetry port-forward: ${why}\n`)
  const head = [
    `HTTP/1.1 ${status}`,
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${body.length}`,
    'Connection: close',
  ]
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body])
}
