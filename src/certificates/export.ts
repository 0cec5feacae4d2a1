/** What of a certificate can be taken elsewhere, and in which form: pure but for the salt in a PKCS#12 file. */
import { certificatesIn } from './facts.ts'
import { pkcs12 } from './x509.ts'

/** `ca`: for clients to trust; `fullchain`: for servers and for looking; `pkcs12`: the same and the key, in a file with a password. */
export const EXPORTS = ['ca', 'fullchain', 'pkcs12'] as const
export type Export = (typeof EXPORTS)[number]

/** PEM texts of a TLS Secret. */
export interface Material {
  certificate: string
  key: string
  authorities: string
}

/** The authorities that clients are to trust; during the overlap of a rotation the old and the new one. */
export function exportedAuthorities({ authorities }: Pick<Material, 'authorities'>): string {
  return certificatesIn(authorities).join('')
}

/** The leaf, what is between, and the authorities. */
export function exportedChain({ certificate, authorities }: Pick<Material, 'certificate' | 'authorities'>): string {
  return [...new Set([...certificatesIn(certificate), ...certificatesIn(authorities)])].join('')
}

/** @param password not empty: Java does not open a file without one */
export function exportedPkcs12(material: Material, password: string, name: string): Buffer {
  return pkcs12(certificatesIn(exportedChain(material)), material.key, password, name)
}
