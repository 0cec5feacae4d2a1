/** Reads the certificates that a port of a pod serves, through a tunnel. No certificate of a client is needed to see them. */
import { connect, type DetailedPeerCertificate } from 'node:tls'
import type { Timers } from '../../time/timers.ts'
import type { ChainRequest, ServedChain } from '../../world.ts'
import { overTunnel, type TunnelWorld } from './over-tunnel.ts'
import type { StreamDuplex } from './stream-duplex.ts'

/** @returns undefined without the permission to forward ports, or if the pod is gone */
export function servedChain(request: ChainRequest, world: TunnelWorld): Promise<ServedChain | undefined> {
  return overTunnel(request, world, (socket) => chainOver(socket, request, world.timers))
}

function chainOver(
  socket: StreamDuplex,
  { serverName, protocols, timeout }: ChainRequest,
  timers: Timers,
): Promise<ServedChain> {
  return new Promise((resolve) => {
    const tls = connect({
      socket,
      // The caller decides whom it trusts: the question is what is served.
      rejectUnauthorized: false,
      ...(serverName === undefined ? {} : { servername: serverName }),
      ...(protocols === undefined ? {} : { ALPNProtocols: [...protocols] }),
    })
    const callOff = timers.after(timeout, () => finish({ failed: `no answer in ${timeout / 1000} s` }))
    const finish = (result: ServedChain) => {
      callOff()
      tls.destroy()
      resolve(result)
    }
    // With TLS 1.3 it comes before the server asks for a certificate of the client.
    tls.once('secureConnect', () => finish({ chain: pemsOf(tls.getPeerCertificate(true)) }))
    tls.once('error', (error) => finish({ failed: error.message }))
    socket.once('error', (error) => finish({ failed: error.message }))
    tls.once('close', () => finish({ failed: 'the connection was closed' }))
  })
}

/** Node links each certificate to its issuer, the last one to itself, or to nothing. */
function pemsOf(leaf: Partial<DetailedPeerCertificate>): string[] {
  const pems: string[] = []
  let next: Partial<DetailedPeerCertificate> | undefined = leaf
  while (next?.raw !== undefined) {
    const pem = pemOf(next.raw)
    if (pems.includes(pem)) break
    pems.push(pem)
    next = next.issuerCertificate
  }
  return pems
}

function pemOf(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n')
}
