/** Requests over one TLS connection, like a browser that reuses the connection for another host. */
import { connect as http2Connect } from 'node:http2'
import { connect as tlsConnect } from 'node:tls'

export interface Request {
  authority: string
  path: string
  method?: string
}

/** @returns the statuses, in order, of requests over ONE connection that was opened for `servername` */
export async function overOneConnection(
  address: string,
  servername: string,
  ca: string,
  requests: Request[],
): Promise<number[]> {
  const socket = tlsConnect({ host: address, port: 443, servername, ca, ALPNProtocols: ['h2'] })
  await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject))
  const session = http2Connect(`https://${servername}`, { createConnection: () => socket })
  try {
    const statuses: number[] = []
    for (const { authority, path, method = 'GET' } of requests) {
      const stream = session.request({ ':authority': authority, ':path': path, ':method': method })
      statuses.push(
        await new Promise<number>((resolve, reject) => {
          stream.once('response', (headers) => resolve(Number(headers[':status'])))
          stream.once('error', reject).once('close', () => resolve(0))
          stream.resume()
        }),
      )
    }
    return statuses
  } finally {
    session.destroy()
  }
}

/** One request over HTTP/1.1 with an unchanged path; HTTP clients would normalize it. @returns the status; 0 without an answer */
export function rawRequest(address: string, host: string, ca: string, method: string, path: string): Promise<number> {
  return new Promise((resolve) => {
    const socket = tlsConnect({ host: address, port: 443, servername: host, ca, ALPNProtocols: ['http/1.1'] })
    let answer = ''
    const done = () => {
      socket.destroy()
      resolve(Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 0))
    }
    socket.setTimeout(5_000, done)
    socket.once('error', done).once('end', done)
    socket.on('data', (data) => {
      answer += data
      if (answer.includes('\r\n')) done()
    })
    socket.write(`${method} ${path} HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`)
  })
}
