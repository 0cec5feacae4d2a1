/** Runs the real openssl, the strictest certificate tool that every contributor has. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The output of `openssl verify -x509_strict` for a leaf today; only `OK` passes. */
export function opensslVerify(authority: string, leaf: string, ...flags: string[]): string {
  return withFiles({ 'ca.crt': authority, 'leaf.crt': leaf }, (directory) => {
    const args = ['verify', '-x509_strict', '-purpose', 'sslserver', ...flags]
    const { status, stdout, stderr } = spawnSync('openssl', [...args, '-CAfile', 'ca.crt', 'leaf.crt'], {
      cwd: directory,
      encoding: 'utf8',
    })
    return status === 0 && stdout === 'leaf.crt: OK\n' ? 'OK' : `${stdout}${stderr}`
  })
}

/** The trimmed lines of `openssl x509 -text`. */
export function opensslText(certificate: string): string[] {
  const text = execFileSync('openssl', ['x509', '-noout', '-text'], { input: certificate, encoding: 'utf8' })
  return text.split('\n').map((line) => line.trim())
}

/** The value of an X.509v3 extension in `openssl x509 -text`, after `critical` if it is critical. */
export function opensslExtension(certificate: string, name: string): string | undefined {
  const lines = opensslText(certificate)
  const at = lines.findIndex((line) => line.startsWith(`X509v3 ${name}:`))
  if (at < 0) return undefined
  const critical = lines[at]?.endsWith(': critical') ? 'critical ' : ''
  return critical + lines[at + 1]
}

function withFiles<T>(files: Record<string, string>, use: (directory: string) => T): T {
  const directory = mkdtempSync(join(tmpdir(), 'kubectl-telemetry-openssl-'))
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text)
    return use(directory)
  } finally {
    rmSync(directory, { recursive: true })
  }
}

/** Runs `openssl req`, by default with a new RSA key of 2048 bits: makes a request, or with `-x509` a self-signed certificate. */
export function opensslMake(...flags: string[]): { certificate: string; key: string } {
  return withFiles({}, (directory) => {
    const newKey = flags.includes('-newkey') ? [] : ['-newkey', 'rsa:2048']
    const args = ['req', ...newKey, '-nodes', '-keyout', 'key.pem', '-out', 'out.pem', ...flags]
    execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' })
    const read = (name: string) => readFileSync(join(directory, name), 'utf8')
    return { certificate: read('out.pem'), key: read('key.pem') }
  })
}

/** The content of a PKCS#12 file, read by openssl; throws if the password is wrong. */
export function opensslPkcs12(data: Uint8Array, password: string): string {
  const args = ['pkcs12', '-nodes', '-passin', `pass:${password}`]
  return execFileSync('openssl', args, { input: data, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] })
}
