/** The keys of an issuer of tokens, as people give them. */
import { createPublicKey, type JsonWebKey } from 'node:crypto'
import { usageError } from '../errors.ts'

/**
 * A JSON Web Key Set in one line, public keys alone.
 * @throws UserError JWKS_INVALID (exit 2)
 */
export function requireKeySet(text: string, file: string): string {
  const wrong = (why: string) => usageError('JWKS_INVALID', `--jwks ${file} ${why}`, ['{"keys": [{"kty": "RSA", …}]}'])
  const keys = keysIn(text)
  if (keys === undefined) throw wrong('is no JSON Web Key Set')
  if (keys.length === 0) throw wrong('has no key')
  for (const [index, key] of keys.entries()) {
    if ('d' in key || key.kty === 'oct')
      throw wrong(`has a secret key (number ${index + 1}): it has to be the public one`)
    if (!isPublicKey(key)) throw wrong(`has a key that cannot be read (number ${index + 1})`)
  }
  return JSON.stringify({ keys })
}

function keysIn(text: string): JsonWebKey[] | undefined {
  try {
    const { keys } = JSON.parse(text) as { keys?: JsonWebKey[] }
    return Array.isArray(keys) ? keys : undefined
  } catch {
    return undefined
  }
}

function isPublicKey(key: JsonWebKey): boolean {
  try {
    return createPublicKey({ key, format: 'jwk' }).type === 'public'
  } catch {
    return false
  }
}

/**
 * Where keys are. In clear only inside the cluster: whoever is on the way could put keys of their own there.
 * @throws UserError JWKS_URI_INVALID (exit 2)
 */
export function requireKeysUri(text: string): string {
  const wrong = (why: string) =>
    usageError('JWKS_URI_INVALID', `--jwks-uri ${JSON.stringify(text)} ${why}`, [
      '--jwks-uri https://issuer.example.com/jwks.json',
      '--jwks-uri http://issuer.auth.svc:8080/jwks.json   # a Service',
    ])
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) throw wrong('is no http or https address')
  if (url.username !== '' || url.password !== '') throw wrong('has a password in it')
  const isService = /\.svc(\.cluster\.local)?$/.test(url.hostname)
  if (url.protocol === 'http:' && !isService) throw wrong('is in clear, which is for Services of the cluster alone')
  if (url.protocol === 'https:' && isService) throw wrong('is a Service, which the gateway asks in clear: http')
  return text
}
