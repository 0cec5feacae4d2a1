/** Gives out what is exposed with: the authority, the chain, or all of it with the key in a PKCS#12 file. Changes nothing. */
import { createPrivateKey } from 'node:crypto'
import {
  type Export,
  exportedAuthorities,
  exportedChain,
  exportedPkcs12,
  type Material,
} from '../certificates/export.ts'
import { UserError, usageError } from '../errors.ts'
import type { Dependencies } from '../world.ts'
import { findHttpsGateways, type GatewayChoice, type HttpsGateway } from './https-gateways.ts'
import { secretOf } from './report.ts'
import { authoritiesIn, leafOf } from './serving-certificate.ts'

export interface CertExportRequest extends GatewayChoice {
  what: Export
  /** Left out: the text is the answer. */
  file?: string | undefined
  /** Of the PKCS#12 file; one is made when left out. */
  password?: string | undefined
}

export interface CertExportResult {
  what: Export
  /** `NAMESPACE/NAME` of the Secret that it comes from. */
  secret: string
  /** Where it was written. */
  file?: string
  /** The text, where it was not written. */
  pem?: string
  /** The one that was made, shown this once. */
  password?: string
}

type Needs = Pick<Dependencies, 'cluster' | 'random' | 'writeFile'>

/** @throws UserError NOT_EXPOSED, GATEWAY_AMBIGUOUS, SECRET_INVALID, FILE_EXISTS, FILE_REQUIRED and PASSWORD_INVALID (exit 2) */
export async function certExport(request: CertExportRequest, dependencies: Needs): Promise<CertExportResult> {
  const { what, file } = request
  if (what === 'pkcs12') return exportPkcs12(request, dependencies)
  const gateway = await requireOne(request, dependencies)
  const material = materialOf(gateway)
  const pem = what === 'ca' ? exportedAuthorities(material) : exportedChain(material)
  const secret = secretOf(gateway)
  if (pem === '')
    throw new UserError('SECRET_INVALID', `Secret ${secret} has no ca.crt: whoever made it knows the authority`)
  if (file === undefined) return { what, secret, pem }
  await dependencies.writeFile(file, pem, 0o644)
  return { what, secret, file }
}

async function exportPkcs12(request: CertExportRequest, dependencies: Needs): Promise<CertExportResult> {
  const { what, file, password } = request
  if (file === undefined)
    throw usageError('FILE_REQUIRED', 'PKCS#12 is no text: it goes to a file', ['-f telemetry.p12'])
  if (password === '') throw usageError('PASSWORD_INVALID', 'the password is empty')
  const gateway = await requireOne(request, dependencies)
  const material = materialOf(gateway)
  const secret = secretOf(gateway)
  if (createPrivateKey(material.key).asymmetricKeyType !== 'rsa')
    throw new UserError('PKCS12_RSA_ONLY', `the key in Secret ${secret} is not RSA`, {
      suggestions: [
        'openssl pkcs12 -export -in tls.crt -inkey tls.key -out telemetry.p12   # with what the Secret holds',
      ],
    })
  // 144 bits, in letters that need no quoting.
  const made = password === undefined ? Buffer.from(dependencies.random(18)).toString('base64url') : undefined
  const data = exportedPkcs12(material, password ?? made ?? '', 'telemetry add-ons')
  await dependencies.writeFile(file, data, 0o600)
  return { what, secret, file, ...(made === undefined ? {} : { password: made }) }
}

async function requireOne(choice: GatewayChoice, { cluster }: Needs): Promise<HttpsGateway> {
  const [found, second, ...more] = await findHttpsGateways(choice, cluster)
  if (found === undefined)
    throw new UserError('NOT_EXPOSED', 'nothing is exposed over HTTPS', { suggestions: ['kubectl telemetry expose'] })
  if (second === undefined) return found
  const all = [found, second, ...more]
  throw new UserError('GATEWAY_AMBIGUOUS', `there are ${all.length} Secrets: ${all.map(secretOf).join(', ')}`, {
    suggestions: all.map(({ namespace }) => `-n ${namespace}`),
  })
}

function materialOf(gateway: HttpsGateway): Material {
  const { secret } = gateway
  const leaf = secret && leafOf(secret)
  if (secret !== undefined && leaf !== undefined) return { ...leaf, authorities: authoritiesIn(secret) }
  throw new UserError('SECRET_INVALID', `Secret ${secretOf(gateway)} has no certificate and key`, {
    suggestions: ['kubectl telemetry cert status'],
  })
}
