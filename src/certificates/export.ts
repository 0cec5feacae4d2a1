/** Writes certificates in formats for other programs. */
import { certificatesIn } from './facts.ts'
import { pkcs12 } from './x509.ts'

/** `ca`: CA certificates for clients; `fullchain`: leaf and CAs; `pkcs12`: the same with the key, encrypted with a password. */
export const EXPORTS = ['ca', 'fullchain', 'pkcs12'] as const
export type Export = (typeof EXPORTS)[number]

/** PEM texts of a TLS Secret. */
export interface TlsMaterial {
  certificate: string
  key: string
  authorities: string
}

/** The CA certificates that clients have to trust; during a rotation the current and the next one. */
export function exportedAuthorities({ authorities }: Pick<TlsMaterial, 'authorities'>): string {
  return certificatesIn(authorities).join('')
}

/** The leaf, intermediate certificates, and the CAs. */
export function exportedChain({ certificate, authorities }: Pick<TlsMaterial, 'certificate' | 'authorities'>): string {
  return [...new Set([...certificatesIn(certificate), ...certificatesIn(authorities)])].join('')
}

/** @param password not empty, because Java does not open a file with an empty one */
export function exportedPkcs12(material: TlsMaterial, password: string, name: string): Buffer {
  return pkcs12(certificatesIn(exportedChain(material)), material.key, password, name)
}
