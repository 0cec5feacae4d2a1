/** Pure: fingerprints that people copy from other programs. */
import { usageError } from '../errors.ts'

/** @returns SHA-256 in hexadecimal with colons. @throws UserError FINGERPRINT_INVALID (exit 2) */
export function requireFingerprint(text: string): string {
  const digits = text
    .replace(/^sha-?256[ :=]*(fingerprint[ :=]*)?/i, '')
    .replace(/[:\s]/g, '')
    .toUpperCase()
  if (/^[0-9A-F]{64}$/.test(digits)) return digits.replace(/(..)(?!$)/g, '$1:')
  throw usageError(
    'FINGERPRINT_INVALID',
    `--fingerprint ${JSON.stringify(text.slice(0, 100))} is not a SHA-256 fingerprint`,
    ['openssl x509 -noout -fingerprint -sha256 -in ca.crt   # shows it'],
  )
}
