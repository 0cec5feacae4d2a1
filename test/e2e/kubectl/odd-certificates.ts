/** Certificates that node-forge cannot make: other keys, other signatures, other extensions. By the real openssl, each when a row needs it. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Pair } from '../../cluster/pki.ts'

interface Odd {
  /** As for `openssl genpkey`. */
  key?: string[]
  issuer?: keyof typeof WANTED
  extensions?: string[]
  /** Of `openssl x509`. */
  more?: string[]
}

const EC = (curve: string) => ['-algorithm', 'EC', '-pkeyopt', `ec_paramgen_curve:${curve}`]
const RSA = (bits: number) => ['-algorithm', 'RSA', '-pkeyopt', `rsa_keygen_bits:${bits}`]
const CA = ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign', 'subjectKeyIdentifier=hash']
const NAMES = ['subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:kube.example.com']

const WANTED = {
  root: { extensions: CA },
  ed25519: { key: ['-algorithm', 'ed25519'], issuer: 'root', extensions: NAMES },
  p521: { key: EC('P-521'), issuer: 'root', extensions: NAMES },
  secp256k1: { key: EC('secp256k1'), issuer: 'root', extensions: NAMES },
  rsa1024: { key: RSA(1024), issuer: 'root', extensions: NAMES },
  rsaRoot: { key: RSA(2048), extensions: CA },
  sha1: { issuer: 'rsaRoot', extensions: NAMES, more: ['-sha1'] },
  sha1Root: { key: RSA(2048), extensions: CA, more: ['-sha1'] },
  belowSha1: { issuer: 'sha1Root', extensions: NAMES },
  v1Root: {},
  belowV1: { issuer: 'v1Root', extensions: NAMES },
  cannotSign: { extensions: ['basicConstraints=critical,CA:TRUE', 'keyUsage=digitalSignature'] },
  belowCannotSign: { issuer: 'cannotSign', extensions: NAMES },
  pathlen: { extensions: ['basicConstraints=critical,CA:TRUE,pathlen:0', 'keyUsage=keyCertSign'] },
  tooDeep: { issuer: 'pathlen', extensions: CA },
  belowTooDeep: { issuer: 'tooDeep', extensions: NAMES },
  middle: { issuer: 'root', extensions: CA },
  below: { issuer: 'middle', extensions: NAMES },
  expired: { issuer: 'root', extensions: CA, more: ['-days', '-1'] },
  belowExpired: { issuer: 'expired', extensions: NAMES },
  forClients: { issuer: 'root', extensions: [...CA, 'extendedKeyUsage=clientAuth'] },
  belowForClients: { issuer: 'forClients', extensions: NAMES },
  leaf: { issuer: 'root', extensions: ['basicConstraints=CA:FALSE'] },
  belowLeaf: { issuer: 'leaf', extensions: NAMES },
  anyUsage: { issuer: 'root', extensions: [...NAMES, 'extendedKeyUsage=anyExtendedKeyUsage'] },
  codeSigning: { issuer: 'root', extensions: [...NAMES, 'extendedKeyUsage=codeSigning'] },
  onlySigns: { issuer: 'root', extensions: [...NAMES, 'keyUsage=critical,keyCertSign'] },
  isAuthority: { issuer: 'root', extensions: [...NAMES, 'basicConstraints=critical,CA:TRUE'] },
  addressAsName: { issuer: 'root', extensions: ['subjectAltName=DNS:127.0.0.1'] },
  star: { issuer: 'root', extensions: ['subjectAltName=DNS:*'] },
  criticalExtension: { issuer: 'root', extensions: [...NAMES, '1.2.3.4=critical,ASN1:UTF8String:x'] },
  constrained: { extensions: [...CA, 'nameConstraints=critical,permitted;DNS:example.com'] },
  inside: { issuer: 'constrained', extensions: ['subjectAltName=DNS:kube.example.com'] },
  outside: { issuer: 'constrained', extensions: ['subjectAltName=DNS:kube.example.com,DNS:localhost'] },
  client: { key: RSA(2048), issuer: 'root', extensions: ['extendedKeyUsage=clientAuth'] },
  clientEc: { issuer: 'root', extensions: ['extendedKeyUsage=clientAuth'] },
  clientEd25519: { key: ['-algorithm', 'ed25519'], issuer: 'root', extensions: ['extendedKeyUsage=clientAuth'] },
  clientExpired: { issuer: 'root', extensions: ['extendedKeyUsage=clientAuth'], more: ['-days', '-1'] },
} as const satisfies Record<string, object>

export type OddName = keyof typeof WANTED

const made = new Map<OddName, Pair>()

/** @returns the same pair for each call */
export function odd(name: OddName): Pair {
  const known = made.get(name) ?? make(name)
  made.set(name, known)
  return known
}

function make(name: OddName): Pair {
  const { key = EC('P-256'), issuer, extensions = [], more = [] } = WANTED[name] as Odd
  const by = issuer === undefined ? undefined : odd(issuer)
  return inDirectory((directory, openssl) => {
    openssl('genpkey', ...key, '-out', 'key')
    openssl('req', '-new', '-key', 'key', '-subj', `/O=comparison/CN=${name}`, '-out', 'request')
    writeFileSync(join(directory, 'extensions'), extensions.join('\n'))
    if (by !== undefined) writeFileSync(join(directory, 'ca'), by.certificate + by.key)
    const signer = by === undefined ? ['-signkey', 'key'] : ['-CA', 'ca', '-CAkey', 'ca', '-CAcreateserial']
    openssl('x509', '-req', '-in', 'request', ...signer, '-extfile', 'extensions', '-out', 'crt', '-days', '2', ...more)
    const read = (file: string) => readFileSync(join(directory, file), 'utf8')
    return { certificate: read('crt'), key: read('key') }
  })
}

/** A certificate or key in another form. @param flags `pkey -traditional` */
export function converted(pem: string, ...flags: string[]): Buffer {
  return inDirectory((_, openssl) => openssl(...flags), pem)
}

function inDirectory<T>(use: (directory: string, openssl: (...words: string[]) => Buffer) => T, input?: string): T {
  const directory = mkdtempSync(join(tmpdir(), 'telemetry-odd-'))
  try {
    return use(directory, (...words) =>
      execFileSync('openssl', words, { cwd: directory, ...(input && { input }), stdio: ['pipe', 'pipe', 'pipe'] }),
    )
  } finally {
    rmSync(directory, { recursive: true })
  }
}
