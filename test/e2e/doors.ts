/** Every way to ask the gateway for a page: each port, plaintext and TLS, each server name, each Host header. */
import { request as httpRequest } from 'node:http'
import { connect as http2Connect } from 'node:http2'
import { connect as tlsConnect } from 'node:tls'

export interface Ways {
  address: string
  ports: readonly number[]
  /** Host headers; over TLS each is asked for over a connection for each of them. */
  hosts: readonly string[]
  paths: readonly string[]
  /** The headers of every request. */
  headers?: Record<string, string>
}

/** Asks in every way. @returns `port 443, SNI grafana.example.com, Host 10.0.0.1, /page`: those that a page was served for */
export async function openDoors(ways: Ways): Promise<string[]> {
  const { ports, hosts } = ways
  const connections = ports.flatMap((port) => [
    plaintext(port, ways),
    // Without a server name, too, as for a bare address.
    ...[...hosts, ''].map((sni) => overTls(port, sni, ways)),
  ])
  return (await Promise.all(connections)).flat().sort()
}

const asked = ({ hosts, paths }: Ways) => hosts.flatMap((host) => paths.map((path) => ({ host, path })))

async function plaintext(port: number, ways: Ways): Promise<string[]> {
  const answers = asked(ways).map(async ({ host, path }) => {
    const options = { host: ways.address, port, path, agent: false as const, timeout: 5_000 }
    const status = await new Promise<number>((resolve) => {
      const request = httpRequest({ ...options, headers: { ...ways.headers, host } }, (response) => {
        response.resume().once('close', () => resolve(response.statusCode ?? 0))
      })
      request.once('error', () => resolve(0)).once('timeout', () => request.destroy())
      request.end()
    })
    return status === 200 ? [`port ${port}, Host ${host}, ${path}`] : []
  })
  return (await Promise.all(answers)).flat()
}

async function overTls(port: number, sni: string, ways: Ways): Promise<string[]> {
  const named = sni === '' || /^[\d.]+$/.test(sni) ? {} : { servername: sni }
  const socket = tlsConnect({
    ...{ host: ways.address, port, ...named },
    ...{ rejectUnauthorized: false, ALPNProtocols: ['h2'], timeout: 5_000 },
  })
  const isOpen = await new Promise<boolean>((resolve) => {
    socket.once('secureConnect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('close', () => resolve(false)).once('timeout', () => socket.destroy())
  })
  if (!isOpen) return []
  const session = http2Connect('https://gateway', { createConnection: () => socket }).on('error', () => {})
  const answers = asked(ways).map(async ({ host, path }) => {
    const status = await new Promise<number>((resolve) => {
      const stream = session.request({ ':authority': host, ':path': path, ...ways.headers })
      stream.once('response', (headers) => resolve(Number(headers[':status'])))
      stream.once('error', () => resolve(0)).once('close', () => resolve(0))
      stream.resume()
    })
    return status === 200 ? [`port ${port}, SNI ${sni || 'none'}, Host ${host}, ${path}`] : []
  })
  const open = (await Promise.all(answers)).flat()
  session.destroy()
  return open
}
