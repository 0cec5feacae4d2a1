/** CAs and leaves for tests, with a fixed clock, and few keys because generating one is slow. */
import { generateKeyPair, X509Certificate } from 'node:crypto'
import { promisify } from 'node:util'
import { type Authority, createAuthority, type IssuanceInputs, type KeyPair } from '../../src/certificates/authority.ts'

export const NOW = new Date('2026-11-21T10:30:00Z')
export const HOUR = 60 * 60 * 1000
export const DAY = 24 * HOUR

const made: Promise<string>[] = []

/** A key of this test run by its number. */
export function key(index: number): Promise<string> {
  made[index] ??= promisify(generateKeyPair)('rsa', { modulusLength: 2048 }).then(({ privateKey }) =>
    privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  )
  return made[index]
}

/** Bytes that differ in each call and are the same in each run. */
let counter = 0
export function countedBytes(bytes: number): Uint8Array {
  const random = Buffer.alloc(bytes)
  random.writeUInt32BE(++counter)
  return random
}

export function issuing(keyIndex: number, settings: Partial<IssuanceInputs> = {}): IssuanceInputs {
  return { now: NOW, random: countedBytes, generateKey: () => key(keyIndex), ...settings }
}

export function authorityOf(domain: string, keyIndex = 0, settings: Partial<IssuanceInputs> = {}): Promise<Authority> {
  return createAuthority(domain, issuing(keyIndex, settings))
}

export function read({ certificate }: Pick<KeyPair, 'certificate'>): X509Certificate {
  return new X509Certificate(certificate)
}
