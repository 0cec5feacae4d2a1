/** Exports the CA, the certificate chain, or both with the key as PKCS#12. Changes nothing in the cluster. */
import { createPrivateKey } from 'node:crypto'
import type { KeyPair } from '../certificates/authority.ts'
import {
  type Export,
  exportedAuthorities,
  exportedChain,
  exportedPkcs12,
  type TlsMaterial,
} from '../certificates/export.ts'
import { UserError, usageError } from '../errors.ts'
import type { Finding } from '../findings.ts'
import { sh } from '../shell.ts'
import type { Dependencies } from '../world.ts'
import { findHttpsGateways, type GatewayChoice, type HttpsGateway } from './https-gateways.ts'
import { chooseAuthorities, type OfferedAuthority } from './offered.ts'
import { secretOf } from './report.ts'
import { faultOf, leafOf } from './secret-content.ts'

export interface CertExportRequest extends GatewayChoice {
  what: Export
  /** Only CAs with these fingerprints, whatever they can vouch for. */
  fingerprints?: readonly string[] | undefined
  /** Left out: the text goes to stdout. */
  file?: string | undefined
  /** Of the PKCS#12 file; generated when left out. */
  password?: string | undefined
}

export interface CertExportResult {
  what: Export
  /** `NAMESPACE/NAME` of the Secret that it comes from. */
  secret: string
  /** The file that was written. */
  file?: string
  /** The text, if no file was written. */
  pem?: string
  /** The generated password, shown only now. */
  password?: string
  /** The CAs in it, with what people have to see before they trust them. */
  authorities: OfferedAuthority[]
  warnings: Finding[]
}

type Needs = Pick<Dependencies, 'cluster' | 'random' | 'writeFile' | 'authorities' | 'prober'>

/** @throws UserError NOTHING_EXPOSED, SECRET_AMBIGUOUS, SECRET_UNUSABLE, CA_NOT_IN_SECRET, FILE_EXISTS, FILE_REQUIRED and PASSWORD_INVALID (exit 2) */
export async function certExport(request: CertExportRequest, dependencies: Needs): Promise<CertExportResult> {
  const { what, file } = request
  if (what === 'pkcs12') return exportPkcs12(request, dependencies)
  const { material, secret, ...shown } = await requireMaterial(request, dependencies)
  const pem = what === 'ca' ? exportedAuthorities(material) : exportedChain(material)
  if (pem === '')
    throw new UserError('CA_NOT_IN_SECRET', `Secret ${secret} has no ca.crt, so its CA is not known`, {
      suggestions: ['get the CA certificate from the tool that created the Secret'],
    })
  if (file === undefined) return { what, secret, pem, ...shown }
  await dependencies.writeFile(file, pem, 0o644)
  return { what, secret, file, ...shown }
}

async function exportPkcs12(request: CertExportRequest, dependencies: Needs): Promise<CertExportResult> {
  const { what, file, password } = request
  if (file === undefined)
    throw usageError('FILE_REQUIRED', 'PKCS#12 is binary; -f must name a file', ['-f telemetry.p12'])
  if (password === '')
    throw usageError('PASSWORD_INVALID', 'the password file is empty', [
      'leave out --password-file   # generates a password',
    ])
  const { material, secret, ...shown } = await requireMaterial(request, dependencies)
  if (createPrivateKey(material.key).asymmetricKeyType !== 'rsa')
    throw new UserError(
      'PKCS12_RSA_ONLY',
      `the key in Secret ${secret} is not RSA, and PKCS#12 export supports only RSA`,
      {
        suggestions: [
          'openssl pkcs12 -export -in tls.crt -inkey tls.key -out telemetry.p12   # with the files from the Secret',
        ],
      },
    )
  // 144 bits, in letters that need no quoting.
  const generated = password === undefined ? Buffer.from(dependencies.random(18)).toString('base64url') : undefined
  const data = exportedPkcs12(material, password ?? generated ?? '', 'telemetry add-ons')
  await dependencies.writeFile(file, data, 0o600)
  return { what, secret, file, ...shown, ...(generated === undefined ? {} : { password: generated }) }
}

/** What the Secret has, with only the CAs that may be handed out. */
async function requireMaterial(
  request: CertExportRequest,
  needs: Needs,
): Promise<{ material: TlsMaterial; secret: string } & Pick<CertExportResult, 'authorities' | 'warnings'>> {
  const { gateway, findings } = await requireOneGateway(request, needs)
  const leaf = requireLeaf(gateway)
  const { chosen, warnings } = await chooseAuthorities([gateway], request.fingerprints ?? [], needs)
  return {
    material: { ...leaf, authorities: chosen.map(({ pem }) => pem).join('') },
    secret: secretOf(gateway),
    authorities: chosen.map(({ pem: _, ...shown }) => shown),
    warnings: [...findings, ...warnings],
  }
}

async function requireOneGateway(
  choice: GatewayChoice,
  { cluster }: Needs,
): Promise<{ gateway: HttpsGateway; findings: Finding[] }> {
  const { ours, findings } = await findHttpsGateways(choice, cluster)
  const [found, second, ...more] = ours
  if (found === undefined)
    throw new UserError(
      'NOTHING_EXPOSED',
      ['nothing is exposed over HTTPS', ...findings.map(({ message }) => message)].join('; '),
      {
        suggestions: ['kubectl telemetry expose'],
      },
    )
  if (second === undefined) return { gateway: found, findings }
  const all = [found, second, ...more]
  throw new UserError('SECRET_AMBIGUOUS', `${all.length} TLS Secrets are in use: ${all.map(secretOf).join(', ')}`, {
    suggestions: all.map(({ namespace }) => sh`-n ${namespace}`),
  })
}

function requireLeaf(gateway: HttpsGateway): KeyPair {
  const { secret } = gateway
  const leaf = secret && leafOf(secret)
  const fault = secret === undefined ? 'it does not exist' : faultOf(secret)
  if (leaf !== undefined && fault === undefined) return leaf
  throw new UserError('SECRET_UNUSABLE', `Secret ${secretOf(gateway)} cannot be exported: ${fault}`, {
    suggestions: ['kubectl telemetry cert status'],
  })
}
