/** The pages with which a local port answers itself: plain text, after which the connection ends. */

export interface Page {
  /** `502 Bad Gateway`. */
  status: string
  why: string
}

export function page({ status, why }: Page): Buffer {
  const body = Buffer.from(`kubectl telemetry port-forward: ${why}\n`)
  const head = [
    `HTTP/1.1 ${status}`,
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${body.length}`,
    'Connection: close',
  ]
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body])
}
